"""Serve one file as any export, on loopback: `python -m tests.benchmarks.server FILE` prints the port it chose."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION_ID = "0a000000-0000-4000-8000-000000000001"
BLOCK_ID = "6f2a3b10-0000-4000-8000-000000000001"
EXPORT_PATH = f"/v1/export/table/{BLOCK_ID}"
STREAM = "gl"

_APPLICATIONS = [{"id": APPLICATION_ID, "name": "Finance"}]
_BLOCKS = [{"id": BLOCK_ID, "name": "GL", "type": "Table"}]
_CHUNK_BYTES = 256 << 10


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """Serve a file while the context lasts, in a process of its own, and yield the API's address."""
    command = [sys.executable, "-m", "tests.benchmarks.server", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that has seen enough: discovery reads the first rows only."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type] # typeshed names private types here.


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        body = json.dumps(_BLOCKS if "/blocks" in self.path else _APPLICATIONS).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with self.server.path.open("rb") as export:
            while block := export.read(_CHUNK_BYTES):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it.
        """Log no requests."""


if __name__ == "__main__":
    with _Server(Path(sys.argv[1])) as server:
        print(server.server_address[1], flush=True)  # noqa: T201 - whoever started this reads it.
        server.serve_forever()
