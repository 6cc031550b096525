"""From one replica to two and back, by the policy."""

import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.gpu.prove.client import Burst, Client
from tests.gpu.prove.run import Run
from tests.gpu.prove.serving import Serving


def scale(run: Run, up: Serving, client: Client) -> None:
    """More streams than one replica's slots, until there are two; then few, until there is one."""
    crowd, output = (40, 64) if run.cpu else (320, 512)
    for count, replicas, patience_s in ((crowd, 2, run.left_s() - 40), (2, 1, 90)):
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(client.crowd, count, 32, output, stop=stop)
            try:
                began = time.monotonic()
                wait = functools.partial(_has, up, client.model, replicas)
                after_s = up.until(wait, f"{replicas} replicas", patience_s)
                before = up.metric("gateway_tokens_total")
                time.sleep(6)
                per_s = (up.metric("gateway_tokens_total") - before) / 6
            finally:
                stop.set()
        run.results.add(
            f"{count} clients: {replicas} replicas",
            after_s=after_s,
            seconds=time.monotonic() - began,
        )
        _say_answers(run, asking.result(), tokens_per_s_then=per_s)
    for line in [line for line in up.log.splitlines() if "autoscaling of" in line][-4:]:
        run.results.add("the policy", said=line.split("autoscaling of")[1].strip()[:150])


def _has(up: Serving, model: str, replicas: int) -> bool:
    return bool(up.ready(model)["replicas"] == replicas)


def _say_answers(run: Run, answers: Burst, **more: float) -> None:
    run.results.add(
        "their answers",
        requests=len(answers.streams),
        failed=len(answers.failed),
        errors="; ".join(sorted(set(answers.failed)))[:200],
        **more,
    )
