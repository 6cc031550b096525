"""The calibration file."""

import json

import pytest

from serve_app.calibration.document import Calibration, Sizes, document, loads_of
from serve_app.calibration.points import Decode, Load, Prompt, Reading, Sent

LOADS = [Load(0.0, (Sent(0.0, 10, 5, 0.1, 0.02),)), Load(0.5, (Sent(1.5, 9, 1, 0.2, 0.0),))]
FOUND = Calibration(
    Sizes(1000, 8, 2048, 1),
    [Prompt(100, 0.122), Prompt(200, 0.222)],
    [Decode(1, 0.02), Decode(3, 0.022), Decode(3, 0.024)],
    [Reading(50, 0.11), Reading(100, 0.12), Reading(200, 0.22), Reading(100, 0.123, 3)],
    LOADS,
)


def test_a_file_has_rates_by_the_names_that_the_engine_model_knows() -> None:
    rates = document(FOUND, {})["rates"]
    assert dict(rates.pop("decode_steps")) == pytest.approx({1: 0.02, 3: 0.023})
    assert dict(rates.pop("reading")) == pytest.approx({1: 0.0802, 50: 0.09, 100: 0.1, 200: 0.2})
    assert rates == pytest.approx(
        {
            "prefill_tokens_per_s": 1000,
            "overhead_s": 0.0035,
            "read_step_s": 0.0185,
            "beside": 1.0,
            "kv_tokens": 1000,
            "max_num_seqs": 8,
            "chunk_tokens": 2048,
            "steps_ahead": 1,
        },
        abs=1e-9,
    )


def test_every_point_has_its_residual() -> None:
    written = document(FOUND, {"command": "x"})
    assert written["measured"] == {"command": "x"}
    assert [point["residual"] for point in written["prompts"]] == pytest.approx([0, 0], abs=1e-9)
    assert written["decodes"][1]["residual"] > 0 > written["decodes"][2]["residual"]
    assert [point["residual"] for point in written["readings"]] == pytest.approx(
        [0, 0, 0, 0], abs=1e-9
    )


def test_loads_come_back_from_json_as_they_were() -> None:
    written = json.loads(json.dumps(document(FOUND, {})))
    assert loads_of(written) == LOADS
    assert [str(load) for load in LOADS] == ["all at once", "50% of capacity"]


def test_a_request_ends_with_its_last_token() -> None:
    assert Sent(1.0, 10, 5, 0.1, 0.02).ended_at_s == pytest.approx(1.18)
    assert Sent(1.0, 10, 1, 0.1, 0.0).ended_at_s == pytest.approx(1.1)
