"""The whole of `serve-app bench --calibrate`, with vLLM's client, on an engine of known rates."""

import json

import pytest

from serve_app.cli import main
from tests.bench.endpoint import Endpoint, serving
from tests.bench.simulated import simulated

pytestmark = pytest.mark.vllm

KNOWN = {
    "prefill_tokens_per_s": 8000.0,
    "decode_step_s": 0.01,
    "decode_step_per_seq_s": 0.0005,
    "kv_tokens": 20_000,
    "max_num_seqs": 8,
}
SIZES = ["--kv-tokens", "20000", "--max-num-seqs", "8", "--max-num-batched-tokens", "2048"]
SIZES += ["--steps-ahead", "0"]
LENGTHS = ["--input-tokens", "200", "--output-tokens", "24", "--rounds", "1", "--requests", "16"]


ONE_TOKEN = ["--output-tokens", "1"]


def test_an_engine_of_known_rates_is_found_and_told_by_the_model(tmp_path, capsys):
    file = tmp_path / "rates.json"
    with simulated(**KNOWN) as url:
        words = ["bench", "--target", f"a={url}", "--calibrate", str(file), *SIZES, *LENGTHS]
        assert main(words) == 0
    assert f"serve-app simulate --check {file}" in capsys.readouterr().out
    whole = json.loads(file.read_text())
    rates = whole["rates"]
    assert rates["prefill_tokens_per_s"] == pytest.approx(8000, rel=0.1)
    steps = dict(rates["decode_steps"])
    assert sorted(steps) == [1, 2, 4, 8]
    assert steps[1] == pytest.approx(0.01, rel=0.1)
    assert steps[8] == pytest.approx(0.0135, rel=0.1)
    assert rates["overhead_s"] + rates["read_step_s"] < 0.01
    reading = dict(rates["reading"])
    assert sorted(reading) == [1, 50, 100, 200, 350, 2048]
    assert reading[350] == pytest.approx(350 / 8000, rel=0.1)
    assert reading[2048] == pytest.approx(2048 / 8000, rel=0.1)
    assert 0 <= rates["beside"] <= 1
    assert (rates["kv_tokens"], rates["max_num_seqs"], rates["chunk_tokens"]) == (20000, 8, 2048)
    assert {read["decoding"] for read in whole["readings"]} == {0, 1, 4}
    assert whole["measured"]["machine"]["cores"]
    assert main(["simulate", "--check", str(file)]) == 0
    errors = {(row["load"], row["number"]): row["error"] for row in _checked(file)}
    assert len(errors) == 12
    assert all(abs(error) < 0.25 for (_, number), error in errors.items() if "p95" not in number)


def _checked(file):
    return json.loads(file.read_text())["check"]


@pytest.mark.parametrize(
    ("endpoint", "more", "said"),
    [
        (
            Endpoint(),
            [],
            "add --kv-tokens, --max-num-seqs, --max-num-batched-tokens, --steps-ahead",
        ),
        (Endpoint(refuse_every=4), SIZES, "requests failed (429 queue_full"),
        (Endpoint(card={"max_model_len": 300}), SIZES, "do not fit into the 300"),
        (Endpoint(), [*SIZES, *ONE_TOKEN], "answers of one token have no decode steps"),
    ],
)
def test_an_endpoint_that_cannot_be_measured_is_one_line(endpoint, more, said, tmp_path, capsys):
    with serving(endpoint):
        words = ["bench", "--target", f"a={endpoint.url}", "--calibrate", str(tmp_path / "r.json")]
        assert main([*words, *LENGTHS, *more]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "r.json").exists()
