"""`serve-app plan`: what is printed, what is written, and the exit status."""

import json
from pathlib import Path
from typing import Any

import pytest

from serve_app.checking.file import check_file
from serve_app.cli import main
from serve_app.planning.models import MODELS

V3 = "deepseek-ai/DeepSeek-V3"


def planned(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(["plan", *words]) == status
    return capsys.readouterr().out


def record(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:
    return json.loads(planned(capsys, *words, "--json", status=status))


def test_v3_on_h200_is_one_engine_of_eight(capsys: pytest.CaptureFixture[str]) -> None:
    page = planned(capsys, V3, "--on", "8xH200", "--concurrency", "8")

    assert "671.0 B parameters, 36.6 B per token; FP8 688.6 GB" in page
    assert "Best: FP8, TP8 × 1" in page
    assert "70,272 bytes of KV cache" in page
    assert "The BF16 checkpoint: no replica is possible. Nearest is TP8 DCP8: short of" in page
    assert "estimates" in page


def test_fp8_on_h100_is_short_of_so_much_and_the_nearest_changes_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = planned(capsys, V3, "--on", "8xH100-80")

    assert "The FP8 checkpoint: no replica is possible" in page
    assert "short of 11.5 GB per GPU" in page
    assert "--on 2x8xH100-80: fits as TP8 PP2" in page
    assert "--on 8xH200: fits as DP8" in page
    assert "Best: NVFP4" in page


@pytest.mark.parametrize(
    ("model", "hardware", "checkpoint", "layout", "replicas"),
    [
        (V3, "8xH200", "FP8", {"data": 8}, 1),
        (V3, "8xH200 --concurrency 8", "FP8", {"tensor": 8}, 1),
        (V3, "2x8xH100-80", "FP8", {"tensor": 8, "pipeline": 2}, 1),
        (V3, "4x8xH200", "FP8", {"data": 8}, 4),
        (V3, "8xA100-80", "NVFP4", {"tensor": 4, "data": 2}, 1),
        ("cognitivecomputations/DeepSeek-R1-AWQ", "8xA100-80", "INT4", {"tensor": 2, "data": 4}, 1),
        (V3, "8xMI300X", "FP8", {"data": 8}, 1),
        ("deepseek-ai/DeepSeek-V3.2", "8xH200", "FP8", {"data": 8}, 1),
        ("deepseek-ai/DeepSeek-V4-Flash", "4xH200", "FP4", {"data": 4}, 1),
        ("deepseek-ai/DeepSeek-V4-Pro", "8xB200", "FP4", {"data": 8}, 1),
        ("DeepSeek-R1-Distill-Llama-8B", "1xH100", "BF16", {"tensor": 1}, 1),
        ("DeepSeek-V2-Lite", "1xH100", "BF16", {"tensor": 1}, 1),
    ],
    ids=str,
)
def test_the_best(
    model: str,
    hardware: str,
    checkpoint: str,
    layout: dict[str, int],
    replicas: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    best = record(capsys, model, "--on", *hardware.split())["best"]

    assert best["checkpoint"] == checkpoint
    assert {name: size for name, size in best["layout"].items() if size > 1} == {
        name: size for name, size in layout.items() if size > 1
    }
    assert best["replicas"] == replicas


def test_json_has_every_option_and_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    found = record(capsys, V3, "--on", "8xH100-80")
    fp8 = [option for option in found["options"] if option["checkpoint"] == "FP8"]

    assert found["parameters"] == pytest.approx(671.0e9, rel=1e-3)
    assert found["checkpoint_bytes"] == pytest.approx(688.6e9, rel=1e-3)
    assert fp8
    assert all(option["obstacle"] for option in fp8)
    assert {o["checkpoint"] for o in found["options"]} == {"FP8", "NVFP4", "INT4", "BF16"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([V3, "--on", "1xL4"], "no replica is possible"),
        ([V3, "--on", "8xH200", "--slo", "tpot=1ms"], "--slo ttft=2s,tpot=9ms: met by TP8"),
        ([V3, "--on", "8xH200", "--slo", "ttft=1ms"], "wanted 0.001 s"),
        ([V3, "--on", "8xH200", "--concurrency", "9000"], ": met by DP8"),
        (["deepseek-ai/DeepSeek-V3.2", "--on", "8xA100"], "needs Hopper or Blackwell"),
    ],
)
def test_status_1_is_that_nothing_is_possible(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in planned(capsys, *words, status=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["DeepSeek-V5", "--on", "8xH200"], "is no model that is known here; did you mean"),
        (["./nothing", "--on", "8xH200"], "./nothing is no folder"),
        ([V3, "--on", "8xH2000"], "no figures for a GPU H2000; did you mean H200?"),
        ([V3, "--on", "8xTPU"], "known are H200"),
        ([V3, "--on", "many"], "write 8xH200"),
        ([V3, "--on", "8xH200", "--context", "200000"], "goes to 163840"),
        ([V3, "--on", "8xH200", "--context", "1000"], "has 2048 tokens, and --context is 1000"),
        ([V3, "--on", "8xH200", "--write", "/no/such/folder/x.yaml"], "No such file"),
    ],
)
def test_status_2_is_a_wrong_question_with_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *words]) == 2
    error = capsys.readouterr().err

    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("slo", ["ttft=2", "tpot=0ms", "speed=1s", ""])
def test_an_objective_needs_its_unit(slo: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", V3, "--on", "8xH200", "--slo", slo])
    assert ended.value.code == 2
    assert "each with its unit" in capsys.readouterr().err


def test_objectives_limit_the_batch(capsys: pytest.CaptureFixture[str]) -> None:
    slow, fast = (
        record(capsys, V3, "--on", "8xH200", "--slo", slo)["best"]
        for slo in ("ttft=2s,tpot=200ms", "tpot=30ms")
    )

    assert slow["sequences"] > fast["sequences"] > 0
    assert fast["tpot_s"] <= 0.03
    assert slow["settings"]["max_num_seqs"] > fast["settings"]["max_num_seqs"]


def test_concurrency_is_shared_by_replicas(capsys: pytest.CaptureFixture[str]) -> None:
    best = record(capsys, V3, "--on", "4x8xH200", "--concurrency", "100")["best"]

    assert best["replicas"] * best["sequences"] == 100
    assert "100 at once" in planned(capsys, V3, "--on", "4x8xH200", "--concurrency", "100")


def test_a_shorter_context_is_named_where_it_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("DeepSeek-R1-Distill-Llama-8B", "--on", "1xL4", "--slo", "ttft=9s,tpot=1s")
    found = record(capsys, *words, "--context", "131072")

    assert found["best"]["checkpoint"] != "BF16"
    [change, *_] = found["changes"]
    context = change.removeprefix("--context ").partition(":")[0]
    assert record(capsys, *words, "--context", context)["best"]["checkpoint"] == "BF16"


@pytest.mark.parametrize(
    ("model", "hardware", "lines"),
    [
        (
            V3,
            "8xH200",
            [
                "model: deepseek-ai/DeepSeek-V3",
                "data_parallel_size: 8  # schedulers",
                "max_num_seqs: ",
                "on each data rank",
                "num_cpus: 19",
                "tool_call_parser: deepseek_v3",
                "strategy: STRICT_PACK",
            ],
        ),
        (V3, "2x8xH100-80", ["pipeline_parallel_size: 2", "placement_group_strategy: PACK"]),
        ("deepseek-ai/DeepSeek-R1", "8xH100", ["model: /path/on/every/node/deepseek-r1-"]),
        (V3, "8xA100-80", ["model: nvidia/DeepSeek-V3-FP4", "data_parallel_size: 2"]),
        (V3, "8xH200 --mtp", ["speculative_config: {method: mtp, num_speculative_tokens: 1}"]),
        (V3, "8xH200 --concurrency 8", ["tensor_parallel_size: 8", "num_cpus: 12"]),
        ("DeepSeek-V4-Flash", "4xH200", ["kv_cache_dtype: fp8", "parser: deepseek_v4"]),
        ("deepseek-ai/DeepSeek-R1", "8xH200", ["reasoning_parser: deepseek_r1"]),
        ("meta-llama/Llama-3.1-8B-Instruct", "1xH100", ["tensor_parallel_size: 1"]),
        (
            "DeepSeek-R1-Distill-Llama-70B",
            "1xL40S --context 16384",
            ["on/every/node/deepseek-r1-distill-llama-70b-"],
        ),
        ("Qwen/Qwen3-32B", "1xL40S", ["quantization: fp8  # made of BF16"]),
        (V3, "2x8xH100-80 --mtp", ["decode_context_parallel_size: "]),
        ("Qwen/Qwen3-32B", "2xRTX4090", ["kv_cache_dtype: fp8"]),
    ],
    ids=str,
)
def test_what_is_written_passes_the_check(
    model: str,
    hardware: str,
    lines: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "serve.yaml"
    slo = "ttft=5s,tpot=200ms"
    words = [*hardware.split(), "--slo", slo, "--write", str(file)]
    assert main(["plan", model, "--on", *words]) == 0
    text = file.read_text()

    assert check_file(file) == []
    assert [line for line in lines if line not in text] == []
    assert f"serve-app check {file}" in capsys.readouterr().err


def test_a_folder_is_written_as_every_process_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(MODELS["Qwen/Qwen3-8B"].config))
    monkeypatch.chdir(tmp_path)

    assert main(["plan", "./my model", "--on", "1xH100", "--write", "serve.yaml"]) == 0
    assert check_file("serve.yaml") == []
    assert f'model: "{folder}"' in Path("serve.yaml").read_text()
    assert "names: [my-model]" in Path("serve.yaml").read_text()


def test_counts_are_whole_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", V3, "--on", "8xH200", "--context", "-5"])
    assert "a whole number above 0" in capsys.readouterr().err


def test_nothing_is_written_where_nothing_is_possible(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"

    assert main(["plan", V3, "--on", "1xL4", "--write", str(file)]) == 1
    assert not file.exists()
