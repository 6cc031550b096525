"""Recorded traffic of real services, read as it was published.

| format | what it is |
|---|---|
| `mooncake` | JSON lines: `timestamp` in ms, lengths, one hash for each 512 tokens of the prompt |
| `azure` | CSV: TIMESTAMP, ContextTokens, GeneratedTokens |
| `servegen` | a folder: rates and lengths of each client, from which arrivals are drawn |
"""
