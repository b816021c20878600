"""The server: protocols, truncated bodies, disconnecting clients, and how it stops."""

import asyncio
import contextlib
import gc
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
from tests.integration.sandbox.clients import http_client

CHUNK = b"0123456789abcdef" * 4096
HTTP_1_AND_2 = pytest.mark.parametrize("tls", [False, True], ids=["http1", "http2"])


async def http_version_app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Respond with the version of HTTP."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["http_version"].encode()})


async def sleeping_app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Never respond."""
    await asyncio.sleep(1000)


class FailingApp:
    """Sends chunks until it raises, or forever."""

    def __init__(self, raise_after: int | None = None, chunk: bytes = CHUNK) -> None:
        self.raise_after = raise_after
        self.chunk = chunk
        self.sent_chunks = 0
        self.ended = threading.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Respond in chunks."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while self.sent_chunks != self.raise_after:
                await send({"type": "http.response.body", "body": self.chunk, "more_body": True})
                self.sent_chunks += 1
            raise RuntimeError("The app fails.")
        finally:
            self.ended.set()


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that nothing is printed or logged as a warning or error, and that no thread is left running."""
    threads = threading.enumerate()
    yield
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.get_records("call") if record.levelname in {"WARNING", "ERROR"}] == []
    assert threading.enumerate() == threads


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    ("tls", "server_http2", "client_http2", "expected"),
    [
        (False, True, True, ("HTTP/1.1", "1.1")),
        (True, True, True, ("HTTP/2", "2")),
        (True, True, False, ("HTTP/1.1", "1.1")),
        (True, False, True, ("HTTP/1.1", "1.1")),
    ],
)
def test_http_2_is_used_if_tls_is_on_and_both_sides_support_it(
    *, tls: bool, server_http2: bool, client_http2: bool, expected: tuple[str, str]
) -> None:
    with (
        serving(http_version_app, tls=tls, http2=server_http2) as server,
        http_client(server, http2=client_http2) as client,
    ):
        response = client.get("/")

    assert (response.http_version, response.text) == expected


def test_the_url_is_a_value_for_api_url() -> None:
    with serving(http_version_app) as plain, serving(http_version_app, tls=True) as secure:
        urls = (plain.url, secure.url)

    assert urls == (f"http://127.0.0.1:{plain.port}/api", f"https://localhost:{secure.port}/api")


def test_a_chosen_port_can_be_reused_after_the_server_stops() -> None:
    with serving(http_version_app) as first:
        port = first.port

    with serving(http_version_app, port=port) as second, http_client(second) as client:
        response = client.get("/")

    assert (second.port, response.status_code) == (port, 200)


def test_a_port_in_use_is_an_error() -> None:
    with (
        serving(http_version_app) as first,
        pytest.raises(OSError, match="in use"),
        serving(http_version_app, port=first.port),
    ):
        pass


def test_the_certificate_folder_is_private_and_removed_at_the_end() -> None:
    with serving(http_version_app, tls=True) as server:
        assert server.ca_file is not None
        folder, mode = server.ca_file.parent, server.ca_file.parent.stat().st_mode

    assert oct(mode) == "0o40700"
    assert not folder.exists()


def test_a_client_that_does_not_trust_the_certificate_cannot_connect() -> None:
    with (
        serving(http_version_app, tls=True) as server,
        httpx2.Client(verify=ssl.create_default_context()) as client,
        pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(server.url)


@HTTP_1_AND_2
@pytest.mark.parametrize(("count", "chunk"), [(0, b""), (1, b"Code;Name"), (1, CHUNK), (40, CHUNK)])
def test_a_body_is_truncated_after_the_sent_bytes_if_the_app_raises(*, tls: bool, count: int, chunk: bytes) -> None:
    received: list[bytes] = []

    with (
        serving(FailingApp(count, chunk), tls=tls) as server,
        http_client(server) as client,
        pytest.raises(httpx2.RemoteProtocolError, match="StreamReset" if tls else "incomplete chunked read"),
        client.stream("GET", "/") as response,
    ):
        received.extend(response.iter_raw())

    assert b"".join(received) == chunk * count


def test_over_http_1_1_a_truncated_body_has_no_last_chunk() -> None:
    with (
        serving(FailingApp(raise_after=1)) as server,
        socket.create_connection(("127.0.0.1", server.port)) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = connection.makefile("rb").read()

    assert received.endswith(b"0123456789abcdef\r\n")


def test_over_http_2_a_truncated_body_keeps_the_connection_open() -> None:
    app = FailingApp(raise_after=1)
    streams = []

    with serving(app, tls=True) as server, http_client(server) as client:
        for _ in range(3):
            app.sent_chunks = 0
            with pytest.raises(httpx2.RemoteProtocolError) as caught:
                client.get("/")
            streams.append(str(caught.value).partition(",")[0])

    assert streams == ["<StreamReset stream_id:1", "<StreamReset stream_id:3", "<StreamReset stream_id:5"]


@HTTP_1_AND_2
def test_a_client_that_disconnects_stops_the_app(*, tls: bool) -> None:
    app = FailingApp()

    with serving(app, tls=tls) as server:
        with http_client(server) as client, client.stream("GET", "/") as response:
            next(response.iter_raw())
        stopped = app.ended.wait(timeout=5)

    assert stopped


class Http2Connection:
    """A minimal HTTP/2 client, whose flow-control window keeps its initial size of 65,535 bytes."""

    def __init__(self, server: Server) -> None:
        trust = ssl.create_default_context(cafile=str(server.ca_file))
        trust.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        self._socket = trust.wrap_socket(plain, server_hostname="localhost")
        self.protocol = h2.connection.H2Connection()
        self.protocol.initiate_connection()

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Disconnect."""
        self._socket.close()

    def send_request(self, stream_id: int) -> None:
        """Send a request."""
        pseudo = {":method": "GET", ":path": "/", ":scheme": "https", ":authority": "localhost"}
        self.protocol.send_headers(stream_id, [*pseudo.items()], end_stream=True)
        self.flush()

    def flush(self) -> None:
        """Send the data that the protocol has queued."""
        self._socket.sendall(self.protocol.data_to_send())

    def events(self) -> Iterator[h2.events.Event]:
        """Yield the events that the server sends."""
        while received := self._socket.recv(65_536):
            yield from self.protocol.receive_data(received)
            self.flush()


def test_over_http_2_a_client_that_does_not_read_gets_the_reset() -> None:
    with serving(FailingApp(raise_after=1), tls=True) as server, Http2Connection(server) as connection:
        connection.send_request(1)
        received = 0
        for event in connection.events():
            if isinstance(event, h2.events.DataReceived):
                received += len(event.data)
            if isinstance(event, h2.events.StreamReset):
                break

    assert received == 65_535  # One byte less than the chunk.


def test_over_http_2_a_slow_client_gets_all_bytes_before_the_reset() -> None:
    with serving(FailingApp(raise_after=1), tls=True) as server, Http2Connection(server) as connection:
        connection.send_request(1)
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


def test_over_http_2_a_client_can_reset_the_stream_first() -> None:
    with serving(FailingApp(raise_after=1), tls=True) as server, Http2Connection(server) as connection:
        connection.send_request(1)
        received = 0
        for event in connection.events():
            if isinstance(event, h2.events.DataReceived):
                received += len(event.data)
                if received == 65_535:
                    connection.protocol.reset_stream(1)
                    connection.send_request(3)
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == 3:
                break

    assert received == 65_535


@HTTP_1_AND_2
@pytest.mark.parametrize("app", [FailingApp(), sleeping_app], ids=["sending", "sleeping"])
def test_the_server_stops_within_1_s_while_a_client_waits(*, tls: bool, app: ASGIApp) -> None:
    with contextlib.ExitStack() as stack:
        with serving(app, tls=tls) as server:
            client = stack.enter_context(http_client(server))
            thread = threading.Thread(target=_get_until_disconnected, args=(client,))
            thread.start()
            stack.callback(thread.join)
            time.sleep(0.2)
            start = time.monotonic()
        seconds = time.monotonic() - start

    assert seconds < 1


def _get_until_disconnected(client: httpx2.Client) -> None:
    with contextlib.suppress(httpx2.HTTPError):
        client.get("/")


@HTTP_1_AND_2
def test_the_server_stops_within_1_s_while_a_client_does_not_read(*, tls: bool) -> None:
    app = FailingApp()

    with contextlib.ExitStack() as stack:
        with serving(app, tls=tls) as server:
            client = stack.enter_context(http_client(server))
            request = client.build_request("GET", "/")
            stack.callback(client.send(request, stream=True).close)
            time.sleep(0.2)
            start = time.monotonic()
        seconds = time.monotonic() - start

    assert seconds < 1
    assert app.ended.is_set()


def test_the_server_stops_within_1_s_during_a_tls_handshake() -> None:
    with contextlib.ExitStack() as stack:
        with serving(http_version_app, tls=True) as server:
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            time.sleep(0.2)
            start = time.monotonic()
        seconds = time.monotonic() - start

    assert seconds < 1


def test_a_failed_handshake_logs_nothing() -> None:
    with serving(http_version_app, tls=True) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            connection.recv(1)
        with http_client(server) as client:
            response = client.get("/")

    assert response.status_code == 200


@HTTP_1_AND_2
def test_a_response_before_the_request_body_keeps_the_connection(*, tls: bool) -> None:
    with serving(http_version_app, tls=tls) as server, http_client(server) as client:
        responses = [client.post("/", content=b"x" * 1_000_000).status_code for _ in range(3)]

    assert responses == [200, 200, 200]


def test_connections_of_the_last_moment_are_closed() -> None:
    for _ in range(20):
        with contextlib.ExitStack() as stack, serving(http_version_app) as server:
            for _ in range(20):
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))

    gc.collect()  # pytest reports a connection that is still open then.
