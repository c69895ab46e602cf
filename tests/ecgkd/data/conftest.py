import http.server
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pytest


@pytest.fixture
def roots_place() -> Iterator[Path]:
    """A folder that everybody may enter and only root may write to; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="ecgkd-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@dataclass
class Behaviour:
    """What the server does wrong, and what it was asked for."""

    log: list[tuple[str, str]] = field(default_factory=list)
    """(path below the prefix, Range header)."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """Bytes after which the next answers for a path are cut."""
    status: dict[str, list[int]] = field(default_factory=dict)
    """Codes of the next answers for a path."""
    corrupt: dict[str, int] = field(default_factory=dict)
    """How often a path is still served with a wrong byte."""
    ranges: bool = True
    pause: float = 0.0
    """Seconds between pieces of 16 kB."""
    edition: str = ""
    """ETag of all files; with it, `If-Range` is heeded."""
    length: bool = True
    """Whether the length of a file is told before it comes."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tree: Path
    prefix: str
    behaviour: Behaviour

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        name = unquote(self.path).removeprefix(self.prefix)
        asked = self.headers.get("Range") or ""
        self.behaviour.log.append((name, asked))
        codes = self.behaviour.status.get(name)
        path = self.tree / name
        code = codes.pop(0) if codes else 0 if path.is_file() else 404
        if code:
            self.send_error(code)
            return
        content = path.read_bytes()
        if self.behaviour.corrupt.get(name, 0) > 0:
            self.behaviour.corrupt[name] -= 1
            content = b"\x00" + content[1:]
        start = 0
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        same = self.headers.get("If-Range") in (None, self.behaviour.edition)
        if match and self.behaviour.ranges and same:
            start = int(match[1])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if self.behaviour.edition:
            self.send_header("ETag", self.behaviour.edition)
        body = content[start:]
        if self.behaviour.length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        cuts = self.behaviour.cut_after.get(name)
        end = cuts.pop(0) if cuts else len(body)
        for place in range(0, min(end, len(body)), 1 << 14):
            self.wfile.write(body[place : min(place + (1 << 14), end)])
            self.wfile.flush()
            if self.behaviour.pause:
                time.sleep(self.behaviour.pause)
        if end < len(body):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass  # clients that go away are what these tests are about


@pytest.fixture
def serve() -> Iterator[Callable[[Path, str], tuple[str, Behaviour]]]:
    """Gives a function that serves a tree below a prefix on 127.0.0.1 and returns its address and behaviour."""
    running = []

    def start(tree: Path, prefix: str) -> tuple[str, Behaviour]:
        behaviour = Behaviour()
        handler = type("Bound", (Handler,), {"tree": tree, "prefix": prefix, "behaviour": behaviour})
        server = Server(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", behaviour

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()
