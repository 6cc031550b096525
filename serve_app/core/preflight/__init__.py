"""Whether an engine may start: judgements over facts that others have gathered.

One file per noun. A judgement yields findings, each a sentence that says what was measured, the
limit, and what to do; `verdict` makes one message of them.
"""
