"""A Hugging Face hub on 127.0.0.1: the listing of one repository, its files, byte ranges."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPO = "org/tiny"
COMMIT = "c" * 40


class Hub:
    """`refuses` maps a path to (status, X-Error-Code); `cut` and `swapped` spoil one answer."""

    def __init__(self, files):
        self.files = dict(files)
        self.refuses = {}
        self.cut = {}
        self.swapped = {}
        self.asked = []  # (path, Range header or None)
        self.endpoint = ""

    def listing(self):
        siblings = [_sibling(name, content) for name, content in self.files.items()]
        return json.dumps({"id": REPO, "sha": COMMIT, "siblings": siblings}).encode()

    def answer(self, path, span):
        """Status, headers and body for a GET."""
        name = path.removeprefix(f"/{REPO}/resolve/{COMMIT}/")
        self.asked.append((name, span))
        if path.startswith("/api/") and "/api" in self.refuses:
            return *_refusal(*self.refuses["/api"]), b"{}"
        if name in self.refuses:
            return *_refusal(*self.refuses[name]), b"{}"
        if path == f"/api/models/{REPO}":
            return 200, {}, self.listing()
        if name not in self.files:
            return *_refusal(404, "RepoNotFound"), b"{}"
        body = self.swapped.get(name, self.files[name])
        if span is None:
            return 200, {}, body[: self.cut.get(name)]
        first, last = span.removeprefix("bytes=").split("-")
        begin, end = int(first), int(last or len(body) - 1) + 1
        span = f"bytes {begin}-{end - 1}/{len(body)}"
        return 206, {"Content-Range": span}, body[begin:end]


def _refusal(status, code):
    return status, {"X-Error-Code": code} if code else {}


def _sibling(name, content):
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    listed = {"rfilename": name, "size": len(content), "blobId": git}
    if name.endswith((".safetensors", ".bin")):
        sha256 = hashlib.sha256(content).hexdigest()
        listed["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
    return listed


@contextmanager
def serving(files):
    hub = Hub(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = self.path.partition("?")[0]
            status, headers, body = hub.answer(path, self.headers.get("Range"))
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
