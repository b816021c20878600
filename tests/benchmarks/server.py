"""Serve exports on loopback, and print the port: one file as a table, or many small lists.

`python -m tests.benchmarks.server FILE` or `python -m tests.benchmarks.server LISTS ROWS [OPTION ...]`
"""

from __future__ import annotations

import argparse
import json
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_pigment.sandbox.api.quota import Quota
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
_COUNTS_PATH = "/counts"
_CLIENT = "127.0.0.1"


@dataclass(frozen=True)
class Window:
    """A quota: the most requests in any window of some seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Counts:
    """The requests that a server received, and how many of them it refused with a 429."""

    requests: int
    refused: int


@contextmanager
def serving_table(path: Path) -> Iterator[str]:
    """Serve a file as the export of a table until the block ends, and yield the API's address."""
    with _serving(str(path)) as api_url:
        yield api_url


@contextmanager
def serving_lists(lists: int, rows: int, *, delay_seconds: float = 0, quota: Window | None = None) -> Iterator[str]:
    """Serve small lists until the block ends, and yield the API's address.

    Args:
        lists: How many lists.
        rows: The rows of each.
        delay_seconds: How long each export takes before its response begins.
        quota: The quota, if there is one.
    """
    options = ["--delay", str(delay_seconds)]
    if quota:
        options += ["--quota", str(quota.requests), "--window", str(quota.seconds)]
    with _serving(str(lists), str(rows), *options) as api_url:
        yield api_url


def counts(api_url: str) -> Counts:
    """Return the counts of a server."""
    connection = HTTPConnection(urlsplit(api_url).netloc, timeout=60)
    connection.request("GET", _COUNTS_PATH)
    with closing(connection), connection.getresponse() as response:
        return Counts(**json.load(response))


@contextmanager
def _serving(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.server", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def main() -> None:
    """Serve until the process is stopped."""
    options = _options()
    if options.rows is None:
        path = Path(options.source)
        blocks = [{"id": BLOCK_ID, "name": "GL", "type": "Table"}]
        exports: dict[str, Export] = {BLOCK_ID: lambda: _chunks(path)}
    else:
        numbers = range(int(options.source))
        blocks = [{"id": list_id(number), "name": list_name(number), "type": "DimensionList"} for number in numbers]
        bodies = {list_id(number): (list_export(number, options.rows),) for number in numbers}
        exports = {block_id: body.__iter__ for block_id, body in bodies.items()}
    gate = _Gate(Window(options.quota, options.window) if options.quota else None)
    with _Server(blocks, exports, options.delay, gate) as server:
        print(server.server_address[1], flush=True)  # noqa: T201 - the parent process reads it.
        server.serve_forever()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.server", description=__doc__)
    parser.add_argument("source", metavar="FILE|LISTS", help="the export of a table, or the number of lists")
    parser.add_argument("rows", nargs="?", type=int, metavar="ROWS", help="the rows of each list")
    parser.add_argument("--delay", type=float, default=0, help="seconds before each export")
    parser.add_argument("--quota", type=int, default=0, help="most requests in a window; 0 for any number")
    parser.add_argument("--window", type=float, default=300, help="seconds of that window")
    return parser.parse_args()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


class _Gate:
    """Counts the requests of all threads, and refuses those over the quota by the times when they arrive."""

    def __init__(self, window: Window | None) -> None:
        self._quota = Quota(window.requests, window.seconds, time.monotonic) if window else None
        self._lock = threading.Lock()
        self._requests = self._refused = 0

    def admits_request(self) -> bool:
        """Count a request, and return whether the quota has room for it."""
        with self._lock:
            is_admitted = self._quota is None or self._quota.try_acquire(_CLIENT)
            self._requests += 1
            self._refused += not is_admitted
        return is_admitted

    def counts(self) -> Counts:
        """Return the counts so far."""
        with self._lock:
            return Counts(self._requests, self._refused)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, blocks: Sequence[Mapping[str, str]], exports: Mapping[str, Export], delay_seconds: float, gate: _Gate
    ) -> None:
        self.blocks = blocks
        self.exports = exports
        self.delay_seconds = delay_seconds
        self.gate = gate
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
        if self.path == _COUNTS_PATH:
            self._send_json(asdict(self.server.gate.counts()))
        elif self._is_admitted():
            self._send_json(self.server.blocks if "/blocks" in self.path else _APPLICATIONS)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._is_admitted():
            return
        if self.server.delay_seconds:
            time.sleep(self.server.delay_seconds)
        export = self.server.exports[self.path.rpartition("/")[2]]
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in export():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _is_admitted(self) -> bool:
        """Return whether the quota has room for this request; if not, refuse it."""
        is_admitted = self.server.gate.admits_request()
        if not is_admitted:
            self._send_json({"message": "Too many requests"}, HTTPStatus.TOO_MANY_REQUESTS)
        return is_admitted

    def _send_json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it.
        """Log no requests."""


if __name__ == "__main__":
    main()
