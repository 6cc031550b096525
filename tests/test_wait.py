import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from serve_app.wait import wait

MODELS = {"data": [{"id": "tiny"}]}
LOADING = {"error": {"message": "waiting for a replica of tiny"}}


@contextmanager
def gateway(*statuses):
    """Answers /ready with `statuses` in turn, then with the last one."""
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status = 200
            if self.path == "/ready":
                status = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(MODELS if status == 200 else LOADING).encode())

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("statuses", [(200,), (503, 200)], ids=["at once", "after a while"])
def test_a_ready_gateway_is_shown_with_a_request_for_its_model(capsys, statuses):
    with gateway(*statuses) as url:
        assert wait(url, timeout_s=30) == 0
    shown = capsys.readouterr().out
    assert f"curl -sN {url}/v1/chat/completions" in shown
    assert '"model": "tiny"' in shown


def test_one_that_does_not_get_ready_is_given_up_with_what_it_waits_for(capsys):
    with gateway(503) as url:
        assert wait(url, timeout_s=0) == 1
    assert "waiting for a replica of tiny" in capsys.readouterr().err


def test_nobody_listening_is_no_error_until_the_time_is_up(capsys):
    with gateway(200) as url:
        pass
    assert wait(url, timeout_s=0) == 1
    assert "not ready after 0 s" in capsys.readouterr().err


def test_a_gateway_that_wants_a_key_says_so_at_once(capsys):
    with gateway(401) as url:
        assert wait(url, timeout_s=60) == 1

    assert "set SERVE_APP_KEY" in capsys.readouterr().err
