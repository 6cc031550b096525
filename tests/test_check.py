"""`serve-app check`: one thing wrong in a file that is right otherwise, one problem."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.checking.file import check_file

DEPLOYMENTS = Path(__file__).parent.parent / "deployments"
FILES = sorted(DEPLOYMENTS.glob("*.yaml"))
GOOD = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
REMOVED = object()

ENGINE = "applications[0].deployments[0]"
GATEWAY = "applications[1].deployments[0]"
SCALING = f"{ENGINE}.autoscaling_config"
ARGS = "applications[0].args"
NAMES = ["deepseek-v3", "deepseek-ai/DeepSeek-V3"]
BUNDLES = f"{ENGINE}.placement_group_bundles"
VLLM = f"{ARGS}.vllm"


def changed(name: str, key: str, value: object) -> Any:
    """The file `name` with one key, such as `a[0].b`, set or removed."""
    document = copy.deepcopy(GOOD[name])
    *way, last = [int(part) if part.isdigit() else part for part in split(key)]
    place = document
    for part in way:
        place = place[part] if isinstance(part, int) else place.setdefault(part, {})
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return document


def split(key: str) -> list[str]:
    return key.replace("]", "").replace("[", ".").split(".")


def check(tmp_path: Path, document: object) -> list[tuple[str, str]]:
    file = tmp_path / "serve.yaml"
    file.write_text(yaml.safe_dump(document))
    return [(problem.key, problem.message) for problem in check_file(file)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_shipped_has_no_problem(file: Path):
    assert check_file(file) == []


UNKNOWN_KEYS = [
    ("proxy_locaton", "proxy_location"),
    ("http_options.hostt", "host"),
    ("logging_config.log_levl", "log_level"),
    ("applications[0].route_prefx", "route_prefix"),
    (f"{ENGINE}.max_ongoing_request", "max_ongoing_requests"),
    (f"{ENGINE}.ray_actor_options.num_gpu", "num_gpus"),
    (f"{SCALING}.max_replicass", "max_replicas"),
    (f"{SCALING}.policy.policy_args", "policy_kwargs"),
    (f"{SCALING}.policy.policy_kwargs.target_lat", "target_late"),
    (f"{ENGINE}.user_config.overcomit", "overcommit"),
    (f"{GATEWAY}.user_config.queue.max_request", "max_requests"),
    (f"{ARGS}.wait_for_node", "wait_for_nodes"),
    ("applications[1].args.model", "models"),
    (f"{VLLM}.tensor_paralel_size", "tensor_parallel_size"),
    (f"{VLLM}.max-num-batched-tokens", "max_num_batched_tokens"),
    (f"{VLLM}.chat_templat", "chat_template"),
]


@pytest.mark.parametrize(("key", "right"), UNKNOWN_KEYS, ids=[key for key, _ in UNKNOWN_KEYS])
def test_an_unknown_key_is_an_error_with_the_nearest_right_one(key, right, tmp_path):
    found = dict(check(tmp_path, changed("deepseek", key, 1)))
    assert list(found) == [key]
    assert f"did you mean {right}?" in found[key]


WRONG_VALUES = [
    # what is refused, where, the value, what the message must say
    ("Serve's own range", f"{ENGINE}.health_check_period_s", -1, "-1: Input should be greater"),
    ("Serve's own type", "http_options.port", "http", "valid integer"),
    ("only the cluster would see it", f"{SCALING}.max_replicas", 0, "greater than 0"),
    ("our range", f"{ENGINE}.user_config.overcommit", 0, "0: must be a number ≥ 1.0 and ≤ 4.0"),
    ("a policy knob", f"{SCALING}.policy.policy_kwargs.target_late", 2, "> 0 and < 1"),
    ("a missing knob", f"{ARGS}.names", REMOVED, "is missing: a list of text"),
    ("an empty list", f"{ARGS}.names", [], "[]: must be a list of text, not empty"),
    ("no such kind", f"{ARGS}.kind", "vlm", "must be vllm or simulated"),
    ("vLLM: type", f"{VLLM}.max_num_seqs", "many", "'many': must be of type int"),
    ("vLLM: a flag is no number", f"{VLLM}.max_num_seqs", True, "True: must be of type int"),
    ("vLLM: choice", f"{VLLM}.dtype", "fp32", "no such value; it has auto, half, float16"),
    ("vLLM: parser", f"{VLLM}.tool_call_parser", "deepseekv3", "did you mean deepseek_v3?"),
    ("vLLM: loader", f"{VLLM}.load_format", "fast_safetensors", "did you mean fastsafetensors?"),
    ("a GGUF type", f"{VLLM}.quantization", "q4_k_m", "no method of vLLM 0.32; remove it"),
    ("gone", f"{VLLM}.use_v2_block_manager", True, "remove it: there is one block manager"),
    ("gone, replaced", f"{VLLM}.swap_space", 4, "use kv_offloading_size"),
    ("gone, replaced", f"{VLLM}.prefill_chunk_size", 512, "use max_num_batched_tokens"),
    ("ours to set", f"{VLLM}.served_model_name", "x", "cannot be set here: set args.names"),
    ("ours to set", f"{VLLM}.port", 8001, "set it in http_options"),
    ("ours to set", f"{VLLM}.data_parallel_backend", "ray", "the replica starts all of data_para"),
    ("not read at all", f"{ARGS}.simulated", {"load_s": 1}, "kind is vllm"),
    ("a route for an engine", "applications[0].route_prefix", "/v3", "set null"),
    ("no slash", "applications[1].route_prefix", "v1", "'v1': must start with /"),
    ("the name is taken", "applications[1].name", "deepseek-v3", "name of applications[0]"),
    ("no such deployment", f"{ENGINE}.name", "Engin", "did you mean Engine?"),
    ("no such application", "applications[1].args.models.deepseek-v3", "deepseek", "deepseek-v3?"),
    ("no such model", "applications[1].args.models.r1", "deepseek-v3", "its names are deepseek-v3"),
    ("nothing there", "applications[1].import_path", "serve_ap.x:gateway", "No module named"),
    ("nothing there", "applications[1].import_path", "serve_app.config:Gateways", "GatewayArgs?"),
    (
        "a policy that does not import",
        f"{SCALING}.policy.policy_function",
        "serve_app.serving.autoscaler:ScaleOnQueue",
        "did you mean ScaleOnQueueDepth?",
    ),
    ("an interval", f"{SCALING}.look_back_period_s", 0.5, "longer than metrics_interval_s = 0.5 s"),
    ("two delays", f"{SCALING}.upscale_delay_s", 5, "5 s on top of the policy's own windows"),
    ("two delays", f"{SCALING}.downscale_delay_s", REMOVED, "is missing: 600 s on top of"),
    (
        "a router that is never asked",
        f"{ENGINE}.request_router_config",
        {"request_routing_stats_period_s": 1},
        "routes nothing: the gateway chooses the replica",
    ),
    ("Serve's default of 5", f"{ENGINE}.max_ongoing_requests", REMOVED, "is missing"),
    ("waits unseen", f"{ENGINE}.max_ongoing_requests", 281, "281: must be above 281"),
    ("waits unseen", f"{GATEWAY}.max_ongoing_requests", 900, "must be above 1000"),
    ("no deployment", "applications[1].deployments", [], "has 0 entries; needs one, Gateway"),
    ("no bundles", BUNDLES, REMOVED, "Serve does not know of"),
    ("GPUs for nobody", f"{ENGINE}.ray_actor_options.num_gpus", 1, "must be 0"),
]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [case[1:] for case in WRONG_VALUES],
    ids=[f"{reason}: {key}" for reason, key, *_ in WRONG_VALUES],
)
def test_a_wrong_value_is_one_problem_at_its_key(key, value, words, tmp_path):
    [(where, message)] = check(tmp_path, changed("deepseek", key, value))
    assert where == key
    assert words in message


BESIDE = [
    # what is changed, to what, where the problem is, what the message must say
    (f"{ARGS}.names", [*NAMES, 5], f"{ARGS}.names[2]", "5: Input should be a valid string"),
    (f"{SCALING}.policy", REMOVED, SCALING, "set autoscaling_config.policy.policy_function"),
    (f"{SCALING}.min_replicas", 9, SCALING, "max_replicas (4) must be greater"),
    (f"{ENGINE}.num_replicas", 2, ENGINE, "not allowed when autoscaling_config"),
    (f"{VLLM}.tool_call_parser", REMOVED, f"{VLLM}.enable_auto_tool_choice", "needs tool_call"),
    (f"{VLLM}.pipeline_parallel_size", 2, BUNDLES, "8 GPU bundles for 16 ranks"),
    (f"{VLLM}.distributed_executor_backend", "mp", BUNDLES, "only args.vllm"),
    (
        f"{VLLM}.distributed_executor_backend",
        "serve_app.engine.cpu_ray_executor.CpuRayExecutor",
        f"{VLLM}.enable_expert_parallel",
        "answers wrongly with it on a CPU",
    ),
    (f"{BUNDLES}[1].GPU", 2, f"{BUNDLES}[1]", "2 GPUs: a bundle holds one rank"),
    (f"{BUNDLES}[0].CPU", 4, f"{BUNDLES}[0]", "holds 4 CPU; the replica sits in it and takes 12"),
]


@pytest.mark.parametrize(("key", "value", "place", "words"), BESIDE)
def test_a_contradiction_is_one_problem_where_it_is_mended(key, value, place, words, tmp_path):
    [(where, message)] = check(tmp_path, changed("deepseek", key, value))
    assert where == place
    assert words in message


def test_numbers_that_the_policy_would_call_stale_are_refused(tmp_path):
    document = changed("deepseek", f"{SCALING}.metrics_interval_s", 5)
    document["applications"][0]["deployments"][0]["autoscaling_config"]["look_back_period_s"] = 9
    [(where, message)] = check(tmp_path, document)
    assert where == f"{SCALING}.metrics_interval_s"
    assert "max_age_s = 5 s" in message


def test_a_replica_takes_one_cpu_of_bundle_0_unless_it_says_otherwise(tmp_path):
    document = changed("deepseek", f"{ENGINE}.ray_actor_options", {})
    assert check(tmp_path, document) == []
    document["applications"][0]["deployments"][0]["placement_group_bundles"][0]["CPU"] = 0.5
    [(where, message)] = check(tmp_path, document)
    assert where == f"{BUNDLES}[0]"
    assert "takes 1 (ray_actor_options.num_cpus)" in message


@pytest.mark.parametrize(
    "load_format",
    ["safetensors", "fastsafetensors", "instanttensor", "runai_streamer", "sharded_state"],
)
def test_weights_are_read_by_what_vllm_has(load_format, tmp_path):
    assert check(tmp_path, changed("deepseek", f"{VLLM}.load_format", load_format)) == []


def test_data_ranks_multiply_the_bundles_and_the_slots(tmp_path):
    document = changed("deepseek", f"{VLLM}.data_parallel_size", 2)
    found = dict(check(tmp_path, document))
    assert "8 GPU bundles for 16 ranks" in found[BUNDLES]
    assert "400: must be above 563" in found[f"{ENGINE}.max_ongoing_requests"]


def test_an_engine_that_scales_by_auto_alone_would_get_serves_policy(tmp_path):
    document = changed("deepseek", f"{ENGINE}.num_replicas", "auto")
    del document["applications"][0]["deployments"][0]["autoscaling_config"]
    [(where, message)] = check(tmp_path, document)
    assert where == f"{ENGINE}.num_replicas"
    assert "serve_app.serving.autoscaler:ScaleOnQueueDepth" in message


OURS = {"policy_function": "serve_app.serving.autoscaler.ScaleOnQueueDepth"}
OTHER = {"policy_function": "ray.serve.autoscaling_policy:default_autoscaling_policy"}


@pytest.mark.parametrize(
    ("policy", "words"),
    [(OURS, "this one scales a deployment"), (OTHER, "would replace the policies")],
)
def test_a_policy_of_the_whole_application_is_refused(policy, words, tmp_path):
    key = "applications[0].autoscaling_policy"
    [(where, message)] = check(tmp_path, changed("deepseek", key, policy))
    assert where == key
    assert words in message


def test_the_policy_for_engines_is_refused_for_a_gateway(tmp_path):
    config = {"metrics_interval_s": 1, "policy": OURS}
    document = changed("deepseek", f"{GATEWAY}.autoscaling_config", config)
    del document["applications"][1]["deployments"][0]["num_replicas"]
    [(where, message)] = check(tmp_path, document)
    assert where == f"{GATEWAY}.autoscaling_config.policy"
    assert "this is no engine" in message


def test_a_plugin_brings_parsers_that_nobody_here_knows(tmp_path):
    document = changed("deepseek", f"{VLLM}.tool_parser_plugin", "/plugins/mine.py")
    document["applications"][0]["args"]["vllm"]["tool_call_parser"] = "mine"
    assert check(tmp_path, document) == []


def test_an_application_of_others_is_held_to_serves_schema_only(tmp_path):
    other = {"name": "other", "route_prefix": "/other", "import_path": "ray.serve:run"}
    document = copy.deepcopy(GOOD["simulated"])
    document["applications"].append({**other, "args": {"a": 1}, "deployments": [{"name": "Any"}]})
    assert check(tmp_path, document) == []
