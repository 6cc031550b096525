"""What drafting by the checkpoint's own layer takes and brings, as `serve-app plan` says it."""

import pytest

from tests.planning.test_command import V3, planned, record


def test_mtp_takes_memory_and_makes_more_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    plain, drafted = (
        record(capsys, V3, "--on", "8xH200", *mtp)["best"] for mtp in ((), ("--mtp",))
    )

    assert drafted["gpu_bytes"]["MTP"] * 8 / 1e9 == pytest.approx(15.4, rel=0.01)
    assert drafted["kv_tokens"] < plain["kv_tokens"]
    assert drafted["output_tokens_per_s"] > 1.2 * plain["output_tokens_per_s"]
    assert "--mtp would make 1.89 × as many tokens" in planned(capsys, V3, "--on", "8xH200")


@pytest.mark.parametrize(
    ("model", "hardware", "said"),
    [
        (V3, "8xH200 --context 163840 --input-tokens 150000 --slo ttft=60s,tpot=80ms", "--mtp "),
        ("Qwen/Qwen3-8B", "1xH100", ""),
    ],
)
def test_what_mtp_would_bring_is_said_of_models_that_have_it(
    model: str, hardware: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = planned(capsys, model, "--on", *hardware.split())

    assert ("--mtp" in page) is bool(said)
