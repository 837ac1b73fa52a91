"""A hub of models on this computer: the few addresses of its interface that huggingface_hub asks for a small bundle."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hub:
    """What the server holds.

    Attributes:
        token: who may write.
        files: repository → path → content.
        private: repository → whether it was made private.
        asked: method and path of every request.
    """

    token: str = "hf_test"
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def commit(self, repository: str) -> str:
        return hashlib.sha1(repr(sorted(self.files[repository].items())).encode()).hexdigest()


def answer(hub: Hub, method: str, path: str, body: bytes, token: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    path = path.partition("?")[0]
    if method == "POST" and token != f"Bearer {hub.token}":
        return 401, {}, b'{"error": "Invalid credentials"}'
    if path == "/api/repos/create":
        request = json.loads(body)
        name = f"{request['organization']}/{request['name']}" if request.get("organization") else request["name"]
        new = name not in hub.files
        hub.files.setdefault(name, {})
        hub.private.setdefault(name, request.get("private") is True or request.get("visibility") == "private")
        return _json({"url": f"{hub.address}/{name}"}, 200 if new else 409)
    match = re.match(r"/api/models/([^/]+/[^/]+)(?:/(.*))?$", path)
    if match:
        name, rest = match[1], match[2] or ""
        if name not in hub.files:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if rest.startswith("revision/") and rest not in ("revision/main", f"revision/{hub.commit(name)}"):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        if rest.startswith("preupload/"):
            files = json.loads(body)["files"]
            return _json({"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                                    for one in files]})  # fmt: skip
        if rest.startswith("commit/"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.files[name][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            made = hub.commit(name)
            return _json({"commitUrl": f"{hub.address}/{name}/commit/{made}", "commitOid": made})
        if rest.startswith("tree/"):
            return _json([{"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                          for file, content in hub.files[name].items()])  # fmt: skip
        return _json({"id": name, "sha": hub.commit(name), "private": hub.private[name],
                      "siblings": [{"rfilename": file} for file in hub.files[name]]})  # fmt: skip
    match = re.match(r"/([^/]+/[^/]+)/resolve/[^/]+/(.*)$", path)
    if match and match[2] in hub.files.get(match[1], {}):
        content = hub.files[match[1]][match[2]]
        return 200, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": hub.commit(match[1])}, content
    return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"


def _json(content: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


@contextmanager
def serve_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.asked.append(f"{self.command} {self.path}")
            status, headers, content = answer(hub, self.command, self.path, body, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_HEAD = handle_any

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
