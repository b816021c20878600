"""Bodies cut after each of their bytes: never a row of a cut one, and all rows of the whole one that comes next."""

from __future__ import annotations

import gzip
import logging
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from h2.errors import ErrorCodes

from tap_pigment.body import TryAgainError, unproven_end
from tap_pigment.client import Client
from tap_pigment.errors import PigmentError, PigmentExportError
from tap_pigment.protocol import Block, BlockType, export
from tap_pigment.sandbox.server import serving
from tap_pigment.settings import Settings
from tests.conftest import of_type, records, written
from tests.pigment import CSV, Answer
from tests.wire import HEAD, OK, http2, listening, read_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import h2.connection

    from tests.conftest import Discover, MakeTap
    from tests.pigment import Pigment
    from tests.wire import Authority, Speak

    Frame = Callable[[bytes, int | None], bytes]

BODY = '\ufeffCode;Name;Note\r\n1;"A ""b"" & Co; Ltd";"line\r\nbreak"\r\n2;;🎉\r\n;;\r\nZZ;last;row\r\n'.encode()
ROWS = [
    {"Code": "1", "Name": 'A "b" & Co; Ltd', "Note": "line\r\nbreak"},
    {"Code": "2", "Name": None, "Note": "🎉"},
    {"Code": "", "Name": None, "Note": None},
    {"Code": "ZZ", "Name": "last", "Note": "row"},
]
ZIPPED = gzip.compress(BODY, mtime=0)
CALL = export(Block("id-1", "Plan", BlockType.TABLE, "app-1"), "exporting plan", friendly=False, request={})
CLOSING = HEAD + b"Connection: close\r\n"
LOGGER = logging.getLogger("test-cuts")


# How a body goes over the wire when it is sent up to a byte; up to None, it is whole.


def with_length(body: bytes, cut: int | None) -> bytes:
    return CLOSING + b"Content-Length: %d\r\n\r\n" % len(body) + body[:cut]


def in_chunks(body: bytes, cut: int | None) -> bytes:
    sent = body[:cut]
    chunk = b"%x\r\n%s\r\n" % (len(sent), sent) if sent else b""
    return CLOSING + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + (b"0\r\n\r\n" if cut is None else b"")


def in_chunks_cut_anywhere(body: bytes, cut: int | None) -> bytes:
    head, _, framed = in_chunks(body, None).partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + framed[:cut]


def until_the_connection_ends(body: bytes, cut: int | None) -> bytes:
    return in_chunks(body, None) if cut is None else CLOSING + b"\r\n" + body[:cut]


def until_the_connection_ends_in_http_1_0(body: bytes, cut: int | None) -> bytes:
    return until_the_connection_ends(body, cut).replace(b"HTTP/1.1", b"HTTP/1.0" if cut is not None else b"HTTP/1.1")


def zipped(frame: Frame) -> Frame:
    def framed(body: bytes, cut: int | None) -> bytes:
        return frame(body, cut).replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)

    return framed


class Server:
    """Answers with the same body, cut after as many bytes as `cuts` says; and counts what it was asked."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.cuts: deque[int | None] = deque()
        self.asked = 0

    def _next_cut(self) -> int | None:
        self.asked += 1
        return self.cuts.popleft()

    def http_1(self, frame: Frame) -> Speak:
        """Answer over HTTP/1.1, and hang up."""

        def speak(connection: socket.socket) -> None:
            if read_request(connection):
                connection.sendall(frame(self.body, self._next_cut()))

        return speak

    def http_2(self, *headers: tuple[str, str]) -> Speak:
        """Answer over HTTP/2; a cut is a reset of the stream."""

        def answer(protocol: h2.connection.H2Connection, stream_id: int) -> None:
            cut = self._next_cut()
            protocol.send_headers(stream_id, [*OK, *headers])
            if cut != 0:
                protocol.send_data(stream_id, self.body[:cut], end_stream=cut is None)
            if cut is not None:
                protocol.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)

        return http2(answer)


@pytest.fixture
def client(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Client]]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    monkeypatch.setenv("NO_PROXY", "localhost")
    clients = []

    def make(url: str) -> Client:
        config = {"api_key": "pgmt_Abc", "application_id": "app-1", "max_retries": 1, "spool_dir": str(tmp_path)}
        clients.append(Client(Settings.from_config({**config, "api_url": url}), LOGGER, sleep=lambda _seconds: None))
        return clients[-1]

    yield make
    for made in clients:
        made.close()


def fetched(client: Client) -> bytes:
    """Return the export as it is after all tries, which is what is read on."""
    reception = client.reception(CALL)
    with client.retry.final_errors(CALL):
        try:
            spool = client.retry.decorated(
                lambda: client.receive(reception, client.send(client.prepared(CALL), CALL))
            )()
        except TryAgainError as error:
            spool = client.settled(reception, error)
    content = spool.path.read_bytes()
    spool.delete()
    return content


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"]


FRAMES: dict[str, tuple[Frame, bytes, int]] = {
    "length": (with_length, BODY, len(BODY)),
    "chunked": (in_chunks, BODY, len(BODY)),
    "chunked, cut anywhere": (in_chunks_cut_anywhere, BODY, len(b"77\r\n") + len(BODY) + len(b"\r\n")),
    "closed": (until_the_connection_ends, BODY, len(BODY) + 1),
    "closed, HTTP/1.0": (until_the_connection_ends_in_http_1_0, BODY, len(BODY) + 1),
    "zipped, length": (zipped(with_length), ZIPPED, len(ZIPPED)),
    "zipped, chunked": (zipped(in_chunks), ZIPPED, len(ZIPPED)),
    "zipped, closed": (zipped(until_the_connection_ends), ZIPPED, len(ZIPPED) + 1),
}
STREAMS: dict[str, tuple[bytes, Sequence[tuple[str, str]]]] = {
    "stream": (BODY, []),
    "stream with a length": (BODY, [("content-length", str(len(BODY)))]),
    "zipped stream": (ZIPPED, [("content-encoding", "gzip")]),
}
CASES = [
    *[pytest.param(name, False, id=name) for name in FRAMES],
    # Over TLS it is another library that reads HTTP/1.1.
    *[pytest.param(name, True, id=f"{name}, TLS") for name in FRAMES if not name.startswith("zipped")],
    *[pytest.param(name, True, id=name) for name in STREAMS],
]


@contextmanager
def serving_cuts(name: str, authority: Authority, *, tls: bool) -> Iterator[tuple[Server, str, int]]:
    """Serve one of the cases; yield the server, its address, and after how many bytes at most it can be cut."""
    if name in STREAMS:
        body, headers = STREAMS[name]
        server, end = Server(body), len(body) + 1
        speak = server.http_2(*headers)
    else:
        frame, body, end = FRAMES[name]
        server = Server(body)
        speak = server.http_1(frame)
    protocol = "h2" if name in STREAMS else "http/1.1"
    with listening(speak, authority.tls(protocol) if tls else None) as port:
        yield server, f"http{'s' if tls else ''}://localhost:{port}/api", end


@pytest.mark.parametrize(("name", "tls"), CASES)
def test_an_export_cut_after_any_byte_is_fetched_again_and_comes_whole(
    authority: Authority, client: Callable[[str], Client], tmp_path: Path, name: str, *, tls: bool
) -> None:
    found: list[tuple[bytes, int]] = []

    with serving_cuts(name, authority, tls=tls) as (server, url, end):
        asking = client(url)
        for cut in range(end):
            server.asked = 0
            server.cuts = deque([cut, None])
            found.append((fetched(asking), server.asked))

    assert found == [(BODY, 2)] * end
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("name", "tls"), CASES)
def test_an_export_cut_at_every_try_is_an_error_and_leaves_nothing(
    authority: Authority, client: Callable[[str], Client], tmp_path: Path, name: str, *, tls: bool
) -> None:
    asked: list[int] = []

    with serving_cuts(name, authority, tls=tls) as (server, url, end):
        asking = client(url)
        for cut in range(end):
            server.asked = 0
            server.cuts = deque([cut] * 2)
            with pytest.raises(PigmentExportError):
                fetched(asking)
            asked.append(server.asked)

    assert asked == [2] * end
    assert left_in(tmp_path) == []


class Arrived:
    """What urllib3 knows of a body that has arrived."""

    def __init__(self, version: int, size: int) -> None:
        self.version = version
        self._size = size

    def tell(self) -> int:
        """Return how many bytes came over the wire."""
        return self._size


@pytest.mark.parametrize(
    ("version", "headers", "size", "problem"),
    [
        (20, {}, 8, None),
        (20, {"Content-Length": "8"}, 8, None),
        (20, {"Content-Length": "9"}, 8, "8 of 9 bytes arrived"),
        (20, {"Transfer-Encoding": "chunked", "Content-Length": "9"}, 8, "8 of 9 bytes arrived"),
        (11, {"Transfer-Encoding": "chunked"}, 8, None),
        (11, {"Transfer-Encoding": "chunked", "Content-Length": "9"}, 8, None),
        (11, {"Content-Length": " 8 "}, 8, None),
        (11, {"Content-Length": "1200"}, 1000, "1,000 of 1200 bytes arrived"),
        (11, {"Content-Length": "7"}, 8, "8 of 7 bytes arrived"),
        (11, {}, 8, "it ends with the connection, and nothing tells whether that is its end"),
        (11, {"Connection": "close"}, 8, "it ends with the connection, and nothing tells whether that is its end"),
        (10, {}, 8, "it ends with the connection, and nothing tells whether that is its end"),
        (10, {"Content-Length": "8"}, 8, None),
    ],
)
def test_what_proves_the_end_of_a_body(version: int, headers: dict[str, str], size: int, problem: str | None) -> None:
    response = requests.Response()
    response.headers.update(headers)
    response.raw = Arrived(version, size)

    assert unproven_end(response) == problem


# The same through the whole tap, at the places where a row, a cell or a character is cut.

PLACES = [
    pytest.param(0, id="nothing"),
    pytest.param(1, id="in the byte order mark"),
    pytest.param(BODY.index(b"1;"), id="after the header"),
    pytest.param(BODY.index(b"\r\nbreak"), id="in a quoted cell"),
    pytest.param(BODY.index(b"\x8e\x89"), id="in a character"),
    pytest.param(BODY.index(b"ZZ"), id="before the last row"),
    pytest.param(len(BODY) - 2, id="before the last line end"),
    pytest.param(len(BODY) - 1, id="in the last line end"),
]
TRANSPORTS = [
    pytest.param(False, None, id="HTTP/1.1 in chunks"),
    pytest.param(False, len(BODY), id="HTTP/1.1 with a length"),
    pytest.param(True, None, id="HTTP/2"),
]


@contextmanager
def reached(pigment: Pigment, monkeypatch: pytest.MonkeyPatch, *, tls: bool) -> Iterator[dict[str, Any]]:
    """Serve `pigment` as it is or with TLS, and yield the settings with which it is reached."""
    if not tls:
        yield {}
        return
    with serving(pigment, tls=True) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield {"api_url": server.url}


@pytest.mark.parametrize("cut", PLACES)
@pytest.mark.parametrize(("tls", "length"), TRANSPORTS)
def test_the_rows_of_an_export_that_was_cut_come_out_once(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
    monkeypatch: pytest.MonkeyPatch,
    cut: int,
    length: int | None,
    *,
    tls: bool,
) -> None:
    pigment.add_list("Plan", BODY)
    catalog = discover()
    pigment.requests.clear()
    pigment.answer_next_exports(Answer(body=BODY, headers=CSV, cut_after=cut, announce=length))

    with reached(pigment, monkeypatch, tls=tls) as settings:
        running = tap(catalog=catalog, **settings)
        running.sync_all()

    assert records(written(running), "plan") == ROWS
    assert len(pigment.requested("/export/")) == 2


@pytest.mark.parametrize(("tls", "length"), TRANSPORTS)
def test_of_an_export_that_is_cut_at_every_try_nothing_is_written(  # noqa: PLR0913 - fixtures and the case.
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
    monkeypatch: pytest.MonkeyPatch,
    length: int | None,
    *,
    tls: bool,
) -> None:
    pigment.add_list("Plan", BODY)
    catalog = discover()
    cut = BODY.index(b"ZZ")
    pigment.answer_next_exports(*[Answer(body=BODY, headers=CSV, cut_after=cut, announce=length)] * 4)

    with reached(pigment, monkeypatch, tls=tls) as settings, pytest.raises(PigmentError) as caught:
        (running := tap(catalog=catalog, **settings)).sync_all()

    messages = written(running)
    assert of_type(messages, "RECORD") == []
    assert [message for message in of_type(messages, "STATE") if message["value"].get("bookmarks")] == []
    assert "Nothing of it was sent" in str(caught.value)
