"""A server of files as the studies' are: with ranges, one that breaks off, one that is not there."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def server():
    """Serve `files` by name at `url`; at most `breaks` bytes are sent; `asked` lists the ranges asked for."""

    class Server:
        files: dict[str, bytes] = {}
        breaks: int | None = None
        ranges = True
        asked: list[str | None] = []

    served = Server()
    served.files, served.asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content, wanted = served.files.get(self.path.strip("/")), self.headers.get("Range")
            served.asked.append(wanted)
            if content is None:
                self.send_error(404)
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and served.ranges else 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start : start + (served.breaks or len(content))])

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    served.url = f"http://127.0.0.1:{http.server_port}"
    yield served
    http.shutdown()
