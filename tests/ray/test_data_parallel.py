"""One engine of two data ranks over two nodes, in the placement group of one replica. Real vLLM."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.ray.deployed import PROMPTS, Deployment, deployed, logprobs
from tests.ray.two_nodes import ADDRESSES

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.timeout(600)]

TWO, ONE = "two-data-ranks", "one-rank"


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with deployed(Path(__file__).with_name("data_parallel.yaml")) as running:
        yield running


def test_one_placement_group_has_a_bundle_and_a_data_rank_on_each_node(
    deployment: Deployment,
) -> None:
    spread = [group for group in deployment.cluster.placement_groups() if len(group) > 1]
    assert [sorted(group) for group in spread] == [list(ADDRESSES)]
    assert [len(ranks) for ranks in deployment.ranks()] == [1, 1]


def test_the_replica_counts_the_caches_and_batches_of_both(deployment: Deployment) -> None:
    ready = r":(\S+?):Engine.*engine ready after .*kv_tokens=(\d+), max_num_seqs=(\d+)"
    found = {
        name: (int(kv), int(most)) for name, kv, most in re.findall(ready, deployment.serve.log)
    }
    assert found[TWO] == tuple(2 * size for size in found[ONE])


def test_both_ranks_at_work_say_token_for_token_what_one_says(deployment: Deployment) -> None:
    """Eight requests at once are four for each; ranks with unequal batches share their experts."""
    prompts = [*PROMPTS.values()] * 2
    alone = {prompt: deployment.chat(ONE, prompt) for prompt in PROMPTS.values()}
    with ThreadPoolExecutor(len(prompts)) as pool:
        answers = list(pool.map(lambda prompt: deployment.chat(TWO, prompt), prompts))
    for prompt, answer in zip(prompts, answers, strict=True):
        assert answer["token_ids"] == alone[prompt]["token_ids"]
        pairs = zip(logprobs(answer), logprobs(alone[prompt]), strict=True)
        assert max(abs(one - other) for one, other in pairs) < 1e-3


def test_a_data_rank_that_dies_takes_its_engine_out_of_service_and_no_other(
    deployment: Deployment,
) -> None:
    deployment.lose_rank(TWO)
    assert deployment.chat(ONE, "x")["token_ids"]
