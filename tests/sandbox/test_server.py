"""The server: its protocols, its cuts, and its end."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Self

import h2.connection
import h2.events
import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tap_pigment.sandbox.server import Server, serving
from tests.sandbox.clients import client

BLOCK = b"0123456789abcdef" * 4096
BOTH = pytest.mark.parametrize("tls", [False, True], ids=["http1", "http2"])


async def hello(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with the version of HTTP."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["http_version"].encode()})


async def asleep(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Never answer."""
    await asyncio.sleep(1000)


class Falling:
    """An app that sends blocks until it raises, or for ever."""

    def __init__(self, raise_after: int | None = None, block: bytes = BLOCK) -> None:
        self.raise_after = raise_after
        self.block = block
        self.sent = 0
        self.left = threading.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer in blocks."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while self.sent != self.raise_after:
                await send({"type": "http.response.body", "body": self.block, "more_body": True})
                self.sent += 1
            raise RuntimeError("The app falls over.")
        finally:
            self.left.set()


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that nothing was printed or logged as an error, and no thread is left."""
    threads = threading.enumerate()
    yield
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.get_records("call") if record.levelname in {"WARNING", "ERROR"}] == []
    assert threading.enumerate() == threads


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    ("tls", "offered", "asked", "spoken"),
    [
        (False, True, True, ("HTTP/1.1", "1.1")),
        (True, True, True, ("HTTP/2", "2")),
        (True, True, False, ("HTTP/1.1", "1.1")),
        (True, False, True, ("HTTP/1.1", "1.1")),
    ],
)
def test_it_speaks_http_2_where_tls_is_on_and_both_sides_want_it(
    *, tls: bool, offered: bool, asked: bool, spoken: tuple[str, str]
) -> None:
    with serving(hello, tls=tls, http2=offered) as server, client(server, http2=asked) as http:
        answer = http.get("/")

    assert (answer.http_version, answer.text) == spoken


def test_the_url_is_what_the_tap_takes() -> None:
    with serving(hello) as plain, serving(hello, tls=True) as secure:
        urls = (plain.url, secure.url)

    assert urls == (f"http://127.0.0.1:{plain.port}/api", f"https://localhost:{secure.port}/api")


def test_the_port_may_be_chosen_and_is_free_again_afterwards() -> None:
    with serving(hello) as first:
        port = first.port

    with serving(hello, port=port) as second, client(second) as http:
        answer = http.get("/")

    assert (second.port, answer.status_code) == (port, 200)


def test_a_port_that_is_taken_is_an_error() -> None:
    with serving(hello) as first, pytest.raises(OSError, match="in use"), serving(hello, port=first.port):
        pass


def test_the_certificate_is_private_and_gone_at_the_end() -> None:
    with serving(hello, tls=True) as server:
        assert server.ca_file is not None
        folder, mode = server.ca_file.parent, server.ca_file.parent.stat().st_mode

    assert oct(mode) == "0o40700"
    assert not folder.exists()


def test_who_does_not_trust_the_certificate_is_refused() -> None:
    with (
        serving(hello, tls=True) as server,
        httpx2.Client(verify=ssl.create_default_context()) as stranger,
        pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        stranger.get(server.url)


@BOTH
@pytest.mark.parametrize(("blocks", "block"), [(0, b""), (1, b"Code;Name"), (1, BLOCK), (40, BLOCK)])
def test_an_app_that_raises_in_mid_body_is_a_body_cut_after_what_it_sent(
    *, tls: bool, blocks: int, block: bytes
) -> None:
    received: list[bytes] = []

    with (
        serving(Falling(blocks, block), tls=tls) as server,
        client(server) as http,
        pytest.raises(httpx2.RemoteProtocolError, match="StreamReset" if tls else "incomplete chunked read"),
        http.stream("GET", "/") as answer,
    ):
        received.extend(answer.iter_raw())

    assert b"".join(received) == block * blocks


def test_over_http_1_1_a_cut_is_the_end_of_the_connection_without_a_last_chunk() -> None:
    with (
        serving(Falling(raise_after=1)) as server,
        socket.create_connection(("127.0.0.1", server.port)) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = connection.makefile("rb").read()

    assert received.endswith(b"0123456789abcdef\r\n")


def test_over_http_2_a_cut_leaves_the_connection_to_others() -> None:
    app = Falling(raise_after=1)
    streams = []

    with serving(app, tls=True) as server, client(server) as http:
        for _ in range(3):
            app.sent = 0
            with pytest.raises(httpx2.RemoteProtocolError) as caught:
                http.get("/")
            streams.append(str(caught.value).partition(",")[0])

    assert streams == ["<StreamReset stream_id:1", "<StreamReset stream_id:3", "<StreamReset stream_id:5"]


@BOTH
def test_a_client_that_hangs_up_stops_the_app(*, tls: bool) -> None:
    app = Falling()

    with serving(app, tls=tls) as server:
        with client(server) as http, http.stream("GET", "/") as answer:
            next(answer.iter_raw())
        stopped = app.left.wait(timeout=5)

    assert stopped


class Http2Connection:
    """A bare HTTP/2 client, whose window stays as small as it is at first: 65,535 bytes."""

    def __init__(self, server: Server) -> None:
        trust = ssl.create_default_context(cafile=str(server.ca_file))
        trust.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        self._socket = trust.wrap_socket(plain, server_hostname="localhost")
        self.protocol = h2.connection.H2Connection()
        self.protocol.initiate_connection()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, stream_id: int) -> None:
        """Send a request."""
        pseudo = {":method": "GET", ":path": "/", ":scheme": "https", ":authority": "localhost"}
        self.protocol.send_headers(stream_id, [*pseudo.items()], end_stream=True)
        self.flush()

    def flush(self) -> None:
        """Send what the protocol wants to be sent."""
        self._socket.sendall(self.protocol.data_to_send())

    def events(self) -> Iterator[h2.events.Event]:
        """Yield what the server sends."""
        while received := self._socket.recv(65_536):
            yield from self.protocol.receive_data(received)
            self.flush()


def test_over_http_2_a_client_that_does_not_read_gets_the_reset_all_the_same() -> None:
    with serving(Falling(raise_after=1), tls=True) as server, Http2Connection(server) as connection:
        connection.ask(1)
        received = 0
        for event in connection.events():
            if isinstance(event, h2.events.DataReceived):
                received += len(event.data)
            if isinstance(event, h2.events.StreamReset):
                break

    assert received == 65_535  # One byte less than the block.


def test_over_http_2_a_client_that_reads_late_gets_all_that_came_before_the_reset() -> None:
    with serving(Falling(raise_after=1), tls=True) as server, Http2Connection(server) as connection:
        connection.ask(1)
        received = 0
        for event in connection.events():
            if isinstance(event, h2.events.DataReceived):
                received += len(event.data)
                if received == 65_535:
                    connection.protocol.increment_flow_control_window(1)
                    connection.protocol.increment_flow_control_window(1, stream_id=1)
            if isinstance(event, h2.events.StreamReset):
                break

    assert received == 65_536


def test_over_http_2_a_client_may_reset_the_stream_first() -> None:
    with serving(Falling(raise_after=1), tls=True) as server, Http2Connection(server) as connection:
        connection.ask(1)
        received = 0
        for event in connection.events():
            if isinstance(event, h2.events.DataReceived):
                received += len(event.data)
                if received == 65_535:
                    connection.protocol.reset_stream(1)
                    connection.ask(3)
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == 3:
                break

    assert received == 65_535


@BOTH
@pytest.mark.parametrize("app", [Falling(), asleep], ids=["sending", "asleep"])
def test_it_stops_at_once_though_a_client_waits_for_more(*, tls: bool, app: ASGIApp) -> None:
    with contextlib.ExitStack() as stack:
        with serving(app, tls=tls) as server:
            http = stack.enter_context(client(server))
            waiting = threading.Thread(target=_get_in_vain, args=(http,))
            waiting.start()
            stack.callback(waiting.join)
            time.sleep(0.2)
            began = time.monotonic()
        seconds = time.monotonic() - began

    assert seconds < 1


def _get_in_vain(http: httpx2.Client) -> None:
    with contextlib.suppress(httpx2.HTTPError):
        http.get("/")


@BOTH
def test_it_stops_at_once_though_a_client_does_not_read(*, tls: bool) -> None:
    app = Falling()

    with contextlib.ExitStack() as stack:
        with serving(app, tls=tls) as server:
            http = stack.enter_context(client(server))
            request = http.build_request("GET", "/")
            stack.callback(http.send(request, stream=True).close)
            time.sleep(0.2)
            began = time.monotonic()
        seconds = time.monotonic() - began

    assert seconds < 1
    assert app.left.is_set()


def test_it_stops_at_once_though_a_handshake_never_ends() -> None:
    with contextlib.ExitStack() as stack:
        with serving(hello, tls=True) as server:
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            time.sleep(0.2)
            began = time.monotonic()
        seconds = time.monotonic() - began

    assert seconds < 1


def test_a_failed_handshake_makes_no_noise() -> None:
    with serving(hello, tls=True) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            connection.recv(1)
        with client(server) as http:
            answer = http.get("/")

    assert answer.status_code == 200


@BOTH
def test_an_answer_before_the_body_is_read_leaves_the_connection_whole(*, tls: bool) -> None:
    with serving(hello, tls=tls) as server, client(server) as http:
        answers = [http.post("/", content=b"x" * 1_000_000).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
