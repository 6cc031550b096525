"""What vLLM hands to its app is noted on the way."""

from types import SimpleNamespace

from serve_app.engine.protocol import Usage
from serve_app.engine.tap import Tap


def test_an_embedding_costs_its_prompts() -> None:
    tap = Tap()
    for name, tokens in (("r-0", 5), ("r-1", 7)):
        output = SimpleNamespace(prompt_token_ids=[1] * tokens, num_cached_tokens=2)
        tap.note_prompt(name, output)

    [frame] = tap.frames(b"{}", finished=True)
    assert frame.usage == Usage(prompt_tokens=12, cached_tokens=4, output_tokens=0)
