"""Bodies truncated after each of their bytes: no row of them is emitted, and a retry emits all rows."""

from __future__ import annotations

import gzip
import logging
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from h2.errors import ErrorCodes

from tap_pigment.errors import PigmentError, PigmentExportError, ScopeMissingError
from tap_pigment.exports import ExportDownloader, SpoolDirectory, SpoolRoom
from tap_pigment.pigment import Block, BlockType, PigmentClient, export_block, missing_end_proof
from tap_pigment.run_report import StreamProgress
from tap_pigment.sandbox.server import serving
from tap_pigment.settings import Settings
from tests.support.pigment import API_KEY, CSV, Answer
from tests.support.taps import of_type, records, written
from tests.support.wire import HEAD, OK, http2, listening, read_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import h2.connection

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap
    from tests.support.wire import Authority, Speak

    Frame = Callable[[bytes, int | None], bytes]

BODY = '\ufeffCode;Name;Note\r\n1;"A ""b"" & Co; Ltd";"line\r\nbreak"\r\n2;;🎉\r\n;;\r\nZZ;last;row\r\n'.encode()
ROWS = [
    {"Code": "1", "Name": 'A "b" & Co; Ltd', "Note": "line\r\nbreak"},
    {"Code": "2", "Name": None, "Note": "🎉"},
    {"Code": "", "Name": None, "Note": None},
    {"Code": "ZZ", "Name": "last", "Note": "row"},
]
ZIPPED = gzip.compress(BODY, mtime=0)
REQUEST = export_block(Block("id-1", "Plan", BlockType.TABLE, "app-1"), "plan", friendly=False, request={})
CLOSING = HEAD + b"Connection: close\r\n"
LOGGER = logging.getLogger("test-truncation")


# A body as it is sent, up to a byte; up to None, it is whole.


def with_length(body: bytes, cut: int | None) -> bytes:
    return CLOSING + b"Content-Length: %d\r\n\r\n" % len(body) + body[:cut]


def in_chunks(body: bytes, cut: int | None) -> bytes:
    sent = body[:cut]
    chunk = b"%x\r\n%s\r\n" % (len(sent), sent) if sent else b""
    return CLOSING + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + (b"0\r\n\r\n" if cut is None else b"")


def in_chunks_truncated_anywhere(body: bytes, cut: int | None) -> bytes:
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


class TruncatingServer:
    """Responds with the same body each time, truncated or whole.

    Attributes:
        body: The body.
        cuts: After how many bytes to truncate each response; None for a whole one.
        requests: How many requests arrived.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.cuts: deque[int | None] = deque()
        self.requests = 0

    def _next_cut(self) -> int | None:
        self.requests += 1
        return self.cuts.popleft()

    def http_1(self, frame: Frame) -> Speak:
        """Respond over HTTP/1.1, and close the connection."""

        def speak(connection: socket.socket) -> None:
            if read_request(connection):
                connection.sendall(frame(self.body, self._next_cut()))

        return speak

    def http_2(self, *headers: tuple[str, str]) -> Speak:
        """Respond over HTTP/2; a reset of the stream truncates."""

        def respond(protocol: h2.connection.H2Connection, stream_id: int) -> None:
            cut = self._next_cut()
            protocol.send_headers(stream_id, [*OK, *headers])
            if cut != 0:
                protocol.send_data(stream_id, self.body[:cut], end_stream=cut is None)
            if cut is not None:
                protocol.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)

        return http2(respond)


class Downloads:
    """Downloads of one export.

    Args:
        url: The address of the API.
        folder: The setting `spool_dir`.
    """

    def __init__(self, url: str, folder: Path) -> None:
        config = {"api_key": API_KEY, "application_id": "app-1", "max_retries": 1, "api_url": url}
        self.client = PigmentClient(Settings.from_config(config), LOGGER, sleep=lambda _seconds: None)
        self.spool = SpoolDirectory(folder)
        self._downloader = ExportDownloader(
            self.client, self.spool, SpoolRoom(self.spool, None), is_hashed=False, logger=LOGGER
        )

    def fetch(self) -> bytes:
        """Return the export that is accepted after all tries."""
        file = self._downloader.download(REQUEST, StreamProgress("plan", LOGGER, lambda: 0.0))
        content = file.path.read_bytes()
        file.delete()
        return content

    def files(self) -> list[str]:
        """Return the names of the files in the spool directory, without its lock."""
        return sorted(path.name for path in self.spool.path().rglob("*") if path.name != "run.lock")


@pytest.fixture
def downloads(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Downloads]]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    monkeypatch.setenv("NO_PROXY", "localhost")
    made = []

    def make(url: str) -> Downloads:
        made.append(Downloads(url, tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.client.close()
        each.spool.close()


FRAMES: dict[str, tuple[Frame, bytes, int]] = {
    "length": (with_length, BODY, len(BODY)),
    "chunked": (in_chunks, BODY, len(BODY)),
    "chunked, truncated anywhere": (in_chunks_truncated_anywhere, BODY, len(b"77\r\n") + len(BODY) + len(b"\r\n")),
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
    # Over TLS another library reads HTTP/1.1.
    *[pytest.param(name, True, id=f"{name}, TLS") for name in FRAMES if not name.startswith("zipped")],
    *[pytest.param(name, True, id=name) for name in STREAMS],
]


@contextmanager
def serving_truncated(name: str, authority: Authority, *, tls: bool) -> Iterator[tuple[TruncatingServer, str, int]]:
    """Serve one of the cases; yield the server, its address, and the number of places where it can be truncated."""
    if name in STREAMS:
        body, headers = STREAMS[name]
        server, end = TruncatingServer(body), len(body) + 1
        speak = server.http_2(*headers)
    else:
        frame, body, end = FRAMES[name]
        server = TruncatingServer(body)
        speak = server.http_1(frame)
    protocol = "h2" if name in STREAMS else "http/1.1"
    with listening(speak, authority.tls(protocol) if tls else None) as port:
        yield server, f"http{'s' if tls else ''}://localhost:{port}/api", end


@pytest.mark.parametrize(("name", "tls"), CASES)
def test_an_export_truncated_after_any_byte_is_retried(
    authority: Authority, downloads: Callable[[str], Downloads], name: str, *, tls: bool
) -> None:
    found: list[tuple[bytes, int]] = []

    with serving_truncated(name, authority, tls=tls) as (server, url, end):
        downloading = downloads(url)
        for cut in range(end):
            server.requests = 0
            server.cuts = deque([cut, None])
            found.append((downloading.fetch(), server.requests))

    assert found == [(BODY, 2)] * end
    assert downloading.files() == []


# Every framing is recognised as truncated above. Here are one of each library, because giving up does not depend on it.
@pytest.mark.parametrize(
    ("name", "tls"),
    [
        pytest.param("chunked", False, id="chunked"),
        pytest.param("chunked", True, id="chunked, TLS"),
        pytest.param("zipped stream", True, id="zipped stream"),
    ],
)
def test_an_export_truncated_at_every_try_fails_and_leaves_nothing(
    authority: Authority, downloads: Callable[[str], Downloads], name: str, *, tls: bool
) -> None:
    requests_seen: list[int] = []

    with serving_truncated(name, authority, tls=tls) as (server, url, end):
        downloading = downloads(url)
        for cut in range(end):
            server.requests = 0
            server.cuts = deque([cut] * 2)
            with pytest.raises(PigmentExportError):
                downloading.fetch()
            requests_seen.append(server.requests)

    assert requests_seen == [2] * end
    assert downloading.files() == []


def test_a_403_after_a_missing_final_line_end_leaves_nothing(
    pigment: Pigment, downloads: Callable[[str], Downloads]
) -> None:
    pigment.answer_next_exports(Answer(body=BODY.removesuffix(b"\r\n"), headers=CSV), Answer(403))
    downloading = downloads(pigment.url)

    with pytest.raises(ScopeMissingError, match=r"^plan: the API key lacks the Export scope"):
        downloading.fetch()

    assert len(pigment.requests) == 2
    assert downloading.files() == []


def test_tries_without_a_final_line_end_leave_only_the_accepted_one(
    pigment: Pigment, downloads: Callable[[str], Downloads]
) -> None:
    unended = BODY.removesuffix(b"\r\n")
    pigment.answer_next_exports(*[Answer(body=unended, headers=CSV)] * 2)
    downloading = downloads(pigment.url)

    assert downloading.fetch() == unended
    assert downloading.files() == []


class RawBody:
    """A body that was read, as urllib3 describes it."""

    def __init__(self, version: int, size: int) -> None:
        self.version = version
        self._size = size

    def tell(self) -> int:
        """Return how many bytes arrived."""
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
        (11, {}, 8, "it ends with the connection, which does not prove that it is complete"),
        (11, {"Connection": "close"}, 8, "it ends with the connection, which does not prove that it is complete"),
        (10, {}, 8, "it ends with the connection, which does not prove that it is complete"),
        (10, {"Content-Length": "8"}, 8, None),
    ],
)
def test_the_proof_of_the_end_of_a_body(version: int, headers: dict[str, str], size: int, problem: str | None) -> None:
    response = requests.Response()
    response.headers.update(headers)
    response.raw = RawBody(version, size)

    assert missing_end_proof(response) == problem


# The same through the whole tap, truncated within a row, a cell or a character

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
def reachable(pigment: Pigment, monkeypatch: pytest.MonkeyPatch, *, tls: bool) -> Iterator[dict[str, Any]]:
    """Serve `pigment` over plain HTTP or with TLS, and yield the settings that reach it."""
    if not tls:
        yield {}
        return
    with serving(pigment, tls=True) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield {"api_url": server.url}


@pytest.mark.parametrize("cut", PLACES)
@pytest.mark.parametrize(("tls", "length"), TRANSPORTS)
def test_the_rows_of_a_truncated_export_are_emitted_once(  # noqa: PLR0913, PLR0917 - fixtures and the case.
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

    with reachable(pigment, monkeypatch, tls=tls) as settings:
        running = tap(catalog=catalog, **settings)
        running.sync_all()

    assert records(written(running), "plan") == ROWS
    assert len(pigment.requested("/export/")) == 2


@pytest.mark.parametrize(("tls", "length"), TRANSPORTS)
def test_an_export_truncated_at_every_try_emits_nothing(  # noqa: PLR0913 - fixtures and the case.
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

    with reachable(pigment, monkeypatch, tls=tls) as settings, pytest.raises(PigmentError) as caught:
        (running := tap(catalog=catalog, **settings)).sync_all()

    messages = written(running)
    assert of_type(messages, "RECORD") == []
    assert [message for message in of_type(messages, "STATE") if message["value"].get("bookmarks")] == []
    assert str(caught.value).startswith("plan: the response was truncated: ")
    assert str(caught.value).endswith(" (4 tries). Nothing was emitted. Run again later.")
