"""`serve-app bench --calibrate` of a model that is up."""

import subprocess
import sys

from tests.gpu.prove.client import Client
from tests.gpu.prove.run import Run
from tests.gpu.prove.serving import Serving


def calibrate(run: Run, up: Serving, client: Client) -> None:
    """`serve-app bench --calibrate`, and what its rates are off by."""
    file = run.out / f"calibration-{client.model}.json"
    tokens_in, tokens_out, requests = (128, 16, 24) if run.cpu else (1024, 128, 192)
    command = [
        *("bench", "--target", f"{client.model}={up.url}", "--calibrate", str(file)),
        *("--input-tokens", str(tokens_in), "--output-tokens", str(tokens_out)),
        *("--requests", str(requests), "--rounds", "2"),
        *("--tokenizer", str(run.folder / "models" / client.model)),
    ]
    for words in (command, ["simulate", "--check", str(file)]):
        said = _serve_app(run, words, timeout_s=min(300, run.left_s()))
        run.results.quote(said.splitlines()[-22:])


def _serve_app(run: Run, words: list[str], *, timeout_s: float) -> str:
    """`serve-app`, where there is no script of that name."""
    code = "import sys; from serve_app.cli import main; sys.exit(main())"
    log = run.out / f"serve-app-{words[0]}.log"
    process = run.sessions.start([sys.executable, "-c", code, *words], log)
    try:
        status = process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        status = -1
    said = log.read_text(errors="replace")
    assert status == 0, f"serve-app {words[0]}: status {status}: {said[-300:]}"
    return said
