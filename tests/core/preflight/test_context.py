"""One sequence of max_model_len against what is left of a GPU. DeepSeek-V3, as TP8."""

import pytest

from serve_app.core.layout import Candidate, Gpu, Hardware, Layout, Settings
from serve_app.core.memory import footprint
from serve_app.core.preflight.context import context_findings, told_findings
from serve_app.core.weights import FP8, estimated
from tests.core.v3 import V3


def candidate(gpu_gb: float, max_model_len: int) -> Candidate:
    gpu = Gpu("a GPU", gpu_gb * 1e9, 0, 0, 0, 0, 0)
    hardware = Hardware(gpu, 1, 8, 0)
    settings = Settings(max_model_len, max_num_seqs=64)
    return Candidate(estimated(V3, FP8), Layout(tensor=8), settings, hardware)


@pytest.mark.parametrize(
    ("gpu_gb", "length", "is_fatal", "sentence"),
    [
        pytest.param(141, 65536, None, "", id="an H200 holds it"),
        pytest.param(
            96, 131072, True, "leave at most 3.18 of the 88.3 GB that vLLM may use", id="surely not"
        ),
        pytest.param(96, 40000, False, "leave, by estimate, 0.00", id="by estimate it does not"),
        pytest.param(
            80, 4096, True, "use more GPUs or a smaller checkpoint", id="not even the weights"
        ),
    ],
)
def test_what_is_left(gpu_gb: float, length: int, is_fatal: bool | None, sentence: str) -> None:
    found = list(context_findings(candidate(gpu_gb, length)))

    assert [f.is_fatal for f in found] == ([] if is_fatal is None else [is_fatal])
    assert all(sentence in f.message for f in found), found


def test_the_length_that_is_advised_is_the_longest_that_is_not_refused_for_sure() -> None:
    [finding] = context_findings(candidate(96, 131072))
    advised = int(finding.message.split("set max_model_len to ")[1].split()[0])

    assert not any(f.is_fatal for f in context_findings(candidate(96, advised)))
    assert all(f.is_fatal for f in context_findings(candidate(96, advised + 1)))


def test_a_cache_of_a_told_size_is_taken_at_its_word() -> None:
    asked = candidate(0, 8192)
    sequence = footprint(asked).sequence_bytes(8192)
    [finding] = told_findings(asked, sequence - 1)

    assert list(told_findings(asked, sequence)) == []
    assert "kv_cache_memory_bytes is 0.576 GB" in finding.message
    assert finding.message.endswith("give it more, or set max_model_len to 8191 or less")
