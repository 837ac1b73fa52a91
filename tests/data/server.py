"""A web server on this computer that cuts connections, lies about content, and counts requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server has and how it misbehaves.

    Attributes:
        files: path → content.
        cut_after: bytes to send before the connection is closed, one entry a request; None sends all.
        ranges: whether it can resume.
        errors: path → status to answer with, one entry a request.
        lengths: whether it says how long a body is.
        tag: ETag sent with every file.
        requests: (path, Range header) of every request.
        sent: bytes of bodies that were sent.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int | None] = field(default_factory=list)
    ranges: bool = True
    errors: dict[str, list[int]] = field(default_factory=dict)
    lengths: bool = True
    tag: str = '"one"'
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    sent: int = 0
    address: str = ""

    def url(self, path: str) -> str:
        return f"{self.address}{path}"


class Quiet(ThreadingHTTPServer):
    """Says nothing when a client hangs up."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:  # noqa: N802 - the name that the base class calls
            span = self.headers.get("Range")
            site.requests.append((self.path, span))
            if site.errors.get(self.path):
                return self.refuse(site.errors[self.path].pop(0))
            content = site.files.get(self.path)
            if content is None:
                return self.refuse(404)
            start = 0
            if span and site.ranges and self.headers.get("If-Range", site.tag) == site.tag:
                start = int(span.removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return None
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            if site.lengths:
                self.send_header("Content-Length", str(len(body)))
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.send_header("ETag", site.tag)
            self.end_headers()
            limit = site.cut_after.pop(0) if site.cut_after else None
            site.sent += len(body if limit is None else body[:limit])  # before: the client may be done first
            self.wfile.write(body if limit is None else body[:limit])
            if limit is not None:
                self.wfile.flush()
                self.close_connection = True
            return None

        def refuse(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = Quiet(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
