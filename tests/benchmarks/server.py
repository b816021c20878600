"""Serve exports on loopback, and print the port: one file as a table, or many small lists.

`python -m tests.benchmarks.server FILE` or `python -m tests.benchmarks.server LISTS ROWS`
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.small_lists import list_export, list_id, list_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Export = Callable[[], Iterable[bytes]]

APPLICATION_ID = "0a000000-0000-4000-8000-000000000001"
BLOCK_ID = "6f2a3b10-0000-4000-8000-000000000001"
EXPORT_PATH = f"/v1/export/table/{BLOCK_ID}"
STREAM = "gl"

_APPLICATIONS = [{"id": APPLICATION_ID, "name": "Finance"}]
_CHUNK_BYTES = 256 << 10


@contextmanager
def serving_table(path: Path) -> Iterator[str]:
    """Serve a file as the export of a table until the block ends, and yield the API's address."""
    with _serving(str(path)) as api_url:
        yield api_url


@contextmanager
def serving_lists(lists: int, rows: int) -> Iterator[str]:
    """Serve small lists until the block ends, and yield the API's address."""
    with _serving(str(lists), str(rows)) as api_url:
        yield api_url


@contextmanager
def _serving(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.server", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def main(arguments: Sequence[str]) -> None:
    """Serve until the process is stopped."""
    if len(arguments) == 1:
        path = Path(arguments[0])
        blocks = [{"id": BLOCK_ID, "name": "GL", "type": "Table"}]
        exports: dict[str, Export] = {BLOCK_ID: lambda: _chunks(path)}
    else:
        lists, rows = map(int, arguments)
        blocks = [
            {"id": list_id(number), "name": list_name(number), "type": "DimensionList"} for number in range(lists)
        ]
        bodies = {list_id(number): (list_export(number, rows),) for number in range(lists)}
        exports = {block_id: body.__iter__ for block_id, body in bodies.items()}
    with _Server(blocks, exports) as server:
        print(server.server_address[1], flush=True)  # noqa: T201 - the parent process reads it.
        server.serve_forever()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, blocks: Sequence[Mapping[str, str]], exports: Mapping[str, Export]) -> None:
        self.blocks = blocks
        self.exports = exports
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing when a client closes the connection early, as discovery does after the first rows."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type] # typeshed names private types here.


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together. In several small writes, each would wait for an acknowledgement that is delayed.
    wbufsize = 64 << 10
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        body = json.dumps(self.server.blocks if "/blocks" in self.path else _APPLICATIONS).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        export = self.server.exports[self.path.rpartition("/")[2]]
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in export():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it.
        """Log no requests."""


if __name__ == "__main__":
    main(sys.argv[1:])
