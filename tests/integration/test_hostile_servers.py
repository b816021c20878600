"""Servers that drip, redirect, end bodies with trailers, or tempt the tap to use a proxy, over real sockets."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import requests

from tap_pigment.errors import PigmentError, PigmentExportError, RequestRefusedError
from tap_pigment.pigment import (
    Block,
    BlockType,
    PigmentClient,
    RetriableResponseError,
    export_block,
    export_chunks,
)
from tap_pigment.settings import Settings
from tests.support.pigment import API_KEY, APPLICATION_ID, CSV, Answer
from tests.support.taps import records
from tests.support.wire import HEAD, OK, http2, listening, read_request, sending

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    import h2.connection

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap, RunTap
    from tests.support.wire import Authority, Speak

LOGGER = logging.getLogger("test-hostile-servers")
REQUEST = export_block(Block("id-1", "Plan", BlockType.TABLE, "app-1"), "plan", friendly=False, request={})
SECONDS_BETWEEN_BYTES = 0.05
ENDLESS_BYTES = 500_000_000


@contextmanager
def client_of(url: str, **settings: object) -> Iterator[PigmentClient]:
    """Yield a client that does not wait between tries."""
    config = {"api_key": API_KEY, "application_id": APPLICATION_ID, "api_url": url, "max_retries": 1, **settings}
    client = PigmentClient(Settings.from_config(config), LOGGER, sleep=lambda _seconds: None)
    yield client
    client.close()


def fetch(client: PigmentClient) -> bytes:
    """Return the body of an export."""
    return client.fetch(REQUEST, lambda response: response.content, phase="test")


@pytest.fixture(autouse=True)
def _trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))


# A byte now and then


class DrippingServer:
    """Sends the beginning of a response at once, and then a byte now and then until the client hangs up.

    Attributes:
        requests: How many requests arrived.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._ended = threading.Event()

    def end(self) -> None:
        """Send no more bytes."""
        self._ended.set()

    def http_1(self, beginning: bytes, drop: bytes) -> Speak:
        """Drip over HTTP/1.1."""

        def speak(connection: socket.socket) -> None:
            read_request(connection)
            self.requests += 1
            connection.sendall(beginning)
            while not self._ended.wait(SECONDS_BETWEEN_BYTES):
                connection.sendall(drop)

        return speak

    def http_2(self) -> Speak:
        """Drip over HTTP/2."""

        def speak(connection: socket.socket) -> None:
            def drip(protocol: h2.connection.H2Connection, stream_id: int) -> None:
                self.requests += 1
                protocol.send_headers(stream_id, OK)
                while not self._ended.wait(SECONDS_BETWEEN_BYTES):
                    protocol.send_data(stream_id, b"x")
                    connection.sendall(protocol.data_to_send())

            http2(drip, requests=1)(connection)

        return speak


@pytest.fixture
def dripping() -> Iterator[DrippingServer]:
    server = DrippingServer()
    yield server
    server.end()


IN_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        pytest.param(HEAD + b"Content-Length: 99999\r\n\r\n", b"x", id="a body with a length"),
        pytest.param(IN_CHUNKS, b"1\r\nx\r\n", id="chunks"),
        pytest.param(IN_CHUNKS + b"1;", b"x", id="the extension of a chunk"),
        pytest.param(IN_CHUNKS + b"0\r\nX: ", b"x", id="trailers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"x", id="headers"),
    ],
)
def test_an_export_that_drips_over_http_1_1_ends_in_time(
    dripping: DrippingServer, beginning: bytes, drop: bytes
) -> None:
    with (
        listening(dripping.http_1(beginning, drop)) as port,
        client_of(f"http://127.0.0.1:{port}/api", max_export_seconds=1, request_timeout_seconds=30) as client,
        pytest.raises(PigmentExportError) as caught,
    ):
        fetch(client)

    assert str(caught.value) == (
        "plan: the response was not complete after 1 s. Raise max_export_seconds, or run again later."
    )
    assert dripping.requests == 1


def test_an_export_that_drips_over_http_2_ends_in_time(dripping: DrippingServer, authority: Authority) -> None:
    with (
        listening(dripping.http_2(), authority.tls("h2")) as port,
        client_of(f"https://localhost:{port}/api", max_export_seconds=1, request_timeout_seconds=30) as client,
        pytest.raises(PigmentExportError, match=r"^plan: the response was not complete after 1 s\. Raise max_export_s"),
    ):
        fetch(client)

    assert dripping.requests == 1


def test_silence_is_still_retried_if_the_time_of_an_export_is_longer() -> None:
    requests_seen: list[bytes] = []

    def stay_silent(connection: socket.socket) -> None:
        requests_seen.append(read_request(connection))
        connection.recv(1)

    with (
        listening(stay_silent) as port,
        client_of(f"http://127.0.0.1:{port}/api", max_export_seconds=60, request_timeout_seconds=1) as client,
        pytest.raises(PigmentExportError, match=r"^plan: no bytes arrived for 1 s \(2 tries\)"),
    ):
        fetch(client)

    assert len(requests_seen) == 2


def test_the_status_of_an_error_counts_although_its_body_drips(dripping: DrippingServer) -> None:
    beginning = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 99999\r\n\r\n"

    with (
        listening(dripping.http_1(beginning, b"x")) as port,
        client_of(f"http://127.0.0.1:{port}/api", max_export_seconds=1) as client,
        pytest.raises(PigmentExportError, match=r"^plan: Pigment failed \(503\)\. Run again later\."),
    ):
        fetch(client)

    assert dripping.requests == 2


# Bodies that nobody needs


@pytest.mark.parametrize("status", [204, 302])
def test_the_body_of_a_redirect_or_of_no_content_is_not_read(status: int) -> None:
    sent_bytes: list[int] = []
    sent = threading.Semaphore(0)

    def speak(connection: socket.socket) -> None:
        if not read_request(connection):
            return
        connection.sendall(b"HTTP/1.1 %d X\r\nLocation: http://[::1\r\nContent-Length: 9999999999\r\n\r\n" % status)
        sent_bytes.append(0)
        with suppress(OSError):
            while sent_bytes[-1] < ENDLESS_BYTES:
                connection.sendall(bytes(1 << 16))
                sent_bytes[-1] += 1 << 16
        sent.release()

    with (
        listening(speak) as port,
        client_of(f"http://127.0.0.1:{port}/api") as client,
        pytest.raises((RequestRefusedError, PigmentExportError)),
    ):
        fetch(client)

    assert sent.acquire(timeout=10)
    assert max(sent_bytes) < ENDLESS_BYTES / 10


def test_a_small_listing_that_decompresses_to_gigabytes_is_refused(pigment: Pigment, tap: MakeTap) -> None:
    body = gzip.compress(bytes(1 << 27))
    pigment.always_answer("/blocks", Answer(body=body, headers={"Content-Encoding": "gzip"}))

    with pytest.raises(PigmentError, match=r"the response has more than 64 MB\. Check api_url and the proxy\.$"):
        tap().sync_all()

    assert len(pigment.requested("/blocks")) == 1


def test_no_request_offers_a_coding_that_the_tap_cannot_decode(pigment: Pigment) -> None:
    with client_of(pigment.url) as client:
        client.session.headers["Accept-Encoding"] = "gzip, br, zstd"  # As requests does, if it finds their packages.
        client.applications()

    assert [request.headers["accept-encoding"] for request in pigment.requests] == ["gzip, deflate"]


@pytest.mark.parametrize(
    "headers", [{"Transfer-Encoding": "chunked;q=1"}, {"Transfer-Encoding": "gzip, chunked"}], ids=str
)
def test_a_transfer_coding_other_than_chunked_is_reported(headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    body = HEAD + lines + b"\r\n4\r\na;b\n\r\n0\r\n\r\n"

    with (
        listening(sending(body, body)) as port,
        client_of(f"http://127.0.0.1:{port}/api") as client,
        pytest.raises(PigmentExportError, match=r"^plan: .*Only Transfer-Encoding: chunked is supported \(2 tries\)"),
    ):
        fetch(client)


@pytest.mark.parametrize("size", [b"-5", b"many", b"f" * 30])
def test_a_chunk_of_an_invalid_size_is_reported(size: bytes) -> None:
    body = IN_CHUNKS + size + b"\r\na;b\n\r\n0\r\n\r\n"

    with (
        listening(sending(body, body)) as port,
        client_of(f"http://127.0.0.1:{port}/api") as client,
        pytest.raises(
            PigmentExportError, match=r"^plan: the response was truncated: illegal chunk header.* \(2 tries\)"
        ),
    ):
        fetch(client)


def test_a_chunk_of_a_negative_size_is_retriable_where_urllib3_reads_it() -> None:
    with (
        listening(sending(IN_CHUNKS + b"-5\r\na;b\n\r\n0\r\n\r\n")) as port,
        requests.get(f"http://127.0.0.1:{port}/", stream=True, timeout=30) as response,
        pytest.raises(RetriableResponseError, match=r"^plan: the response was truncated: a chunk has an invalid size"),
    ):
        list(export_chunks(response, REQUEST, chunk_bytes=100))


# Trailers


def http_1_with_trailer(name: str, value: str, length: int | None) -> Speak:
    announced = f"Content-Length: {length}\r\n" if length is not None else ""
    trailer = f"0\r\n{name}: {value}\r\n\r\n"
    return sending(*[HEAD + f"{announced}Transfer-Encoding: chunked\r\n\r\n4\r\na;b\n\r\n{trailer}".encode()] * 2)


def http_2_with_trailer(name: str, value: str, length: int | None) -> Speak:
    def respond(protocol: h2.connection.H2Connection, stream_id: int) -> None:
        protocol.send_headers(stream_id, [*OK, *([("content-length", str(length))] if length is not None else [])])
        protocol.send_data(stream_id, b"a;b\n")
        protocol.send_headers(stream_id, [(name, value)], end_stream=True)

    return http2(respond)


WITH_TRAILER = [
    pytest.param(http_1_with_trailer, None, id="HTTP/1.1"),
    pytest.param(http_1_with_trailer, "http/1.1", id="HTTP/1.1 over TLS"),
    pytest.param(http_2_with_trailer, "h2", id="HTTP/2"),
]


@contextmanager
def ending_with(
    trailing: Callable[[str, str, int | None], Speak],
    protocol: str | None,
    authority: Authority,
    trailer: tuple[str, str, int | None],
) -> Iterator[PigmentClient]:
    """Yield a client of a server whose bodies end with a trailer."""
    with (
        listening(trailing(*trailer), authority.tls(protocol) if protocol else None) as port,
        client_of(f"http{'s' if protocol else ''}://localhost:{port}/api") as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("name", "value", "length"),
    [
        pytest.param("server-timing", "db;dur=5", None, id="harmless"),
        pytest.param("grpc-status", "0", None, id="a success"),
        pytest.param("x-result", "all", 4, id="unknown, and the length is right"),
    ],
)
@pytest.mark.parametrize(("trailing", "protocol"), WITH_TRAILER)
def test_a_body_with_a_trailer_that_is_no_error_is_whole(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    authority: Authority,
    trailing: Callable[[str, str, int | None], Speak],
    protocol: str | None,
    name: str,
    value: str,
    length: int | None,
) -> None:
    with ending_with(trailing, protocol, authority, (name, value, length)) as client:
        assert fetch(client) == b"a;b\n"


@pytest.mark.parametrize(
    ("name", "value", "length", "problem"),
    [
        pytest.param("x-error", "no rows", 4, "an error (x-error: no rows)", id="an error, with the right length"),
        pytest.param("grpc-status", "13", None, "an error (grpc-status: 13)", id="a failure"),
        pytest.param("x-result", "all", None, "a trailer that may be an error (x-result: all)", id="unknown"),
    ],
)
@pytest.mark.parametrize(("trailing", "protocol"), WITH_TRAILER)
def test_a_body_with_a_trailer_that_may_be_an_error_is_truncated(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    authority: Authority,
    trailing: Callable[[str, str, int | None], Speak],
    protocol: str | None,
    name: str,
    value: str,
    length: int | None,
    problem: str,
) -> None:
    with (
        ending_with(trailing, protocol, authority, (name, value, length)) as client,
        pytest.raises(PigmentExportError) as caught,
    ):
        fetch(client)

    assert str(caught.value) == (
        f"plan: the response was truncated: the server ended it with {problem} (2 tries). Nothing was emitted. Run "
        "again later."
    )


# Proxies


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_sees_requests_to_this_machine(
    pigment: Pigment, run_tap: RunTap, monkeypatch: pytest.MonkeyPatch, variable: str, host: str
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    requests_seen: list[bytes] = []

    with listening(lambda connection: requests_seen.append(read_request(connection))) as port:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
        messages = run_tap(api_url=pigment.url.replace("127.0.0.1", host).replace("localhost", host))

    assert records(messages, "countries") == [{"Code": "FR", "Name": "France"}]
    assert requests_seen == []


# Listings


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"id": "\ud800"}, r"has the id \ud800, which is not valid Unicode", id="half of a character"),
        pytest.param({"name": "a\udfff"}, r"has the name a\udfff, which is not valid Unicode", id="another half"),
        pytest.param({"name": None}, "has no name", id="no name"),
    ],
)
def test_a_block_that_cannot_be_named_fails_the_listing(
    pigment: Pigment, tap: MakeTap, change: dict[str, str | None], problem: str
) -> None:
    block_id = pigment.add_list("Countries", "Code\r\nFR\r\n")
    listing = [{**pigment.blocks[block_id], **change}]
    pigment.always_answer("/blocks", Answer(body=json.dumps(listing).encode()))

    with pytest.raises(PigmentError) as caught:
        tap().sync_all()

    assert str(caught.value).startswith(f"Listing the blocks of application {APPLICATION_ID}: an item of the response ")
    assert problem in str(caught.value)


def test_a_partial_export_is_never_taken_for_the_whole(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\nDE\r\n")
    half = Answer(206, b"Code\r\nFR\r\n", {**CSV, "Content-Range": "bytes 0-9/14"})
    pigment.answer_next_exports(half, Answer(202, b"Code\r\n", CSV))

    assert records(run_tap(), "countries") == [{"Code": "FR"}, {"Code": "DE"}]


def test_the_error_of_a_partial_export_shows_no_cells(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Salaries", "Name\r\nAnna\r\n")
    pigment.always_answer("/export/", Answer(206, b"Anna\r\n", CSV))

    with pytest.raises(PigmentExportError) as caught:
        tap().sync_all()

    assert str(caught.value) == (
        "salaries: only a response with status 200 is whole, and this one has 206. Run again later."
    )
