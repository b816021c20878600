"""HTTP/2 behind a `requests` session, against real servers."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from h2.errors import ErrorCodes
from urllib3.exceptions import ReadTimeoutError

from tap_pigment.pigment import PigmentClient
from tap_pigment.pigment.http2_adapter import HTTP_2, Http2Adapter
from tap_pigment.sandbox.server import serving
from tap_pigment.settings import Settings
from tests.support.pigment import API_KEY
from tests.support.wire import CHUNK_BYTES, HEAD, OK, http2, listening, proxy, read_request, sending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from pathlib import Path

    import h2.connection

    from tests.support.taps import RunCommand
    from tests.support.wire import Authority, Script

    Scope = MutableMapping[str, Any]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BLOCK = b"0123456789abcdef" * 4096
BLOCKS = 300  # More than the flow control window of a connection: 16 MB.


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def session(authority: Authority) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://", Http2Adapter())
        session.mount("http://", Http2Adapter())
        session.trust_env = False
        session.verify = str(authority.path)
        yield session


class EchoApp:
    """An ASGI app that keeps its requests and sends bodies of several kinds, by the last part of the path.

    Attributes:
        requests: HTTP version, body and headers of each request.
        clients: The addresses that requests came from.
        go_on: Set when the second half of `halves` may be sent.
        left: Set when a response has ended.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes, dict[str, str]]] = []
        self.clients: set[tuple[str, int]] = set()
        self.go_on = threading.Event()
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond."""
        if scope["type"] != "http":
            return
        message = await receive()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["http_version"], message["body"], headers))
        self.clients.add(scope["client"])
        path = scope["path"].rpartition("/")[2]
        try:
            await getattr(self, path)(send)
        finally:
            self.left.set()

    async def _start(self, send: Send, *headers: tuple[bytes, bytes]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})

    async def hello(self, send: Send) -> None:
        """Send a short body."""
        await self._start(send)
        await send({"type": "http.response.body", "body": b"hello"})

    async def packed(self, send: Send) -> None:
        """Send a compressed body."""
        await self._start(send, (b"content-encoding", b"gzip"))
        await send({"type": "http.response.body", "body": gzip.compress(BLOCK)})

    async def blocks(self, send: Send) -> None:
        """Send many blocks."""
        await self._start(send)
        for _ in range(BLOCKS):
            await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def halves(self, send: Send) -> None:
        """Send a block, and the next one when `go_on` is set."""
        await self._start(send)
        await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
        await asyncio.to_thread(self.go_on.wait, timeout=30)
        await send({"type": "http.response.body", "body": BLOCK})


@pytest.fixture
def app() -> EchoApp:
    return EchoApp()


@pytest.fixture
def url(app: EchoApp, session: requests.Session) -> Iterator[str]:
    with serving(app, tls=True) as server:
        session.verify = str(server.ca_file)
        yield server.url


def dead_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


# Requests and responses


@pytest.mark.parametrize(
    ("tls", "offered", "versions"), [(True, True, (20, "2")), (True, False, (11, "1.1")), (False, True, (11, "1.1"))]
)
def test_http_2_is_used_if_the_server_offers_it(
    session: requests.Session, app: EchoApp, *, tls: bool, offered: bool, versions: tuple[int, str]
) -> None:
    with serving(app, tls=tls, http2=offered) as server:
        session.verify = server.ca_file is None or str(server.ca_file)
        response = session.get(f"{server.url}/hello", stream=True)
        text = response.text

    assert (response.status_code, text) == (200, "hello")
    assert (response.raw.version, app.requests[0][0]) == versions


def test_a_request_arrives_as_requests_prepared_it(session: requests.Session, app: EchoApp, url: str) -> None:
    session.headers = {"User-Agent": "tap", "Accept-Encoding": "gzip", "Authorization": "Bearer x"}

    session.post(f"{url}/hello", json={"a": "\u00e9"})

    _, body, headers = app.requests[0]
    assert body == b'{"a": "\\u00e9"}'
    assert headers.keys() - {"host"} == {
        "user-agent", "accept-encoding", "authorization", "content-length", "content-type"
    }  # fmt: skip
    assert (headers["user-agent"], headers["accept-encoding"]) == ("tap", "gzip")


def test_path_and_query_arrive_unchanged(session: requests.Session) -> None:
    lines: list[bytes] = []

    def speak(connection: socket.socket) -> None:
        lines.append(read_request(connection).partition(b"\r\n")[0])
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    with listening(speak) as port:
        session.get(f"http://127.0.0.1:{port}/a%2Fb'c?d=%3B;%5Be%5D")

    assert lines == [b"GET /a%2Fb'c?d=%3B;%5Be%5D HTTP/1.1"]


def test_a_compressed_body_is_decompressed_and_counted_as_sent(session: requests.Session, url: str) -> None:
    response = session.get(f"{url}/packed", stream=True)

    assert b"".join(response.iter_content(1000)) == BLOCK
    assert 0 < response.raw.tell() < 1000


def test_the_first_bytes_arrive_before_the_last_are_sent(session: requests.Session, app: EchoApp, url: str) -> None:
    chunks = session.get(f"{url}/halves", stream=True).iter_content(1 << 14)

    begin = next(chunks)
    app.go_on.set()
    rest = b"".join(chunks)

    assert begin + rest == BLOCK * 2


# Connections


def test_a_connection_is_reused(session: requests.Session, app: EchoApp, url: str) -> None:
    for _ in range(3):
        session.get(f"{url}/hello")

    assert len(app.requests) == 3
    assert len(app.clients) == 1


def test_a_body_closed_early_stops_the_server(session: requests.Session, app: EchoApp, url: str) -> None:
    with session.get(f"{url}/blocks", stream=True) as response:
        next(response.iter_content(1000))

    assert app.left.wait(timeout=10)
    assert session.get(f"{url}/hello").text == "hello"
    assert len(app.clients) == 2


def test_an_unread_body_does_not_delay_others(session: requests.Session, app: EchoApp, url: str) -> None:
    sizes: list[int] = []

    def read() -> None:
        with session.get(f"{url}/blocks", stream=True) as response:
            sizes.append(sum(map(len, response.iter_content(1 << 18))))

    with session.get(f"{url}/blocks", stream=True):
        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()

    assert sizes == [BLOCKS * len(BLOCK)] * 4
    assert len(app.requests) == 5


@pytest.mark.parametrize("offered", [True, False])
def test_closing_ends_transfers_in_other_threads(session: requests.Session, app: EchoApp, *, offered: bool) -> None:
    errors: list[BaseException] = []
    begun = threading.Event()

    def read(url: str) -> None:
        with session.get(f"{url}/halves", stream=True) as response:
            try:
                for _ in response.iter_content(1000):
                    begun.set()
            except requests.RequestException as error:
                errors.append(error)

    with serving(app, tls=True, http2=offered) as server:
        session.verify = str(server.ca_file)
        reader = threading.Thread(target=read, args=[server.url])
        reader.start()
        assert begun.wait(timeout=10)
        session.close()
        reader.join(timeout=10)
        assert not reader.is_alive()
        app.go_on.set()

    assert len(errors) == 1
    assert isinstance(errors[0], requests.exceptions.ChunkedEncodingError)


def test_closing_truncates_a_body_without_a_length(session: requests.Session) -> None:
    def speak(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(HEAD + b"\r\na;b\n")
        connection.recv(1)

    with listening(speak) as port:
        response = session.get(f"http://127.0.0.1:{port}/", stream=True)
        chunks = response.iter_content(4)
        next(chunks)
        session.close()

        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="closed on this side"):
            next(chunks)


def responding(protocol: h2.connection.H2Connection, stream_id: int) -> None:
    protocol.send_headers(stream_id, OK)
    protocol.send_data(stream_id, b"whole", end_stream=True)


def closing_after_the_response(protocol: h2.connection.H2Connection, stream_id: int) -> None:
    responding(protocol, stream_id)
    protocol.close_connection()


def closing_without_a_response(protocol: h2.connection.H2Connection, _stream_id: int) -> None:
    protocol.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)


def closing_in_the_middle(protocol: h2.connection.H2Connection, stream_id: int) -> None:
    protocol.send_headers(stream_id, OK)
    protocol.send_data(stream_id, b"half")
    protocol.close_connection(ErrorCodes.INTERNAL_ERROR)


def resetting_in_the_middle(protocol: h2.connection.H2Connection, stream_id: int) -> None:
    protocol.send_headers(stream_id, OK)
    protocol.send_data(stream_id, b"half")
    protocol.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)


def test_a_connection_that_the_server_ends_is_not_reused(session: requests.Session, authority: Authority) -> None:
    with listening(http2(closing_after_the_response), authority.tls("h2")) as port:
        texts = [session.get(f"https://localhost:{port}/").text for _ in range(3)]

    assert texts == ["whole"] * 3


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_an_idle_connection_that_the_server_closes_is_not_reused(
    session: requests.Session, authority: Authority, protocol: str
) -> None:
    left = threading.Semaphore(0)

    def speak(connection: socket.socket) -> None:
        if protocol == "h2":
            http2(responding, requests=1)(connection)
        else:
            read_request(connection)
            connection.sendall(HEAD + b"Content-Length: 5\r\n\r\nwhole")
        # Not closed at once: with bytes left to read, that would be a reset, which can overtake the response.
        socket.socket.shutdown(connection, socket.SHUT_WR)
        left.release()
        while connection.recv(CHUNK_BYTES):
            pass

    with listening(speak, authority.tls(protocol)) as port:
        texts = []
        for _ in range(3):
            texts.append(session.get(f"https://localhost:{port}/").text)
            left.acquire()

    assert texts == ["whole"] * 3


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        (closing_without_a_response, requests.ConnectionError, "the server ended the connection (ENHANCE_YOUR_CALM)"),
        (
            closing_in_the_middle,
            requests.exceptions.ChunkedEncodingError,
            "the server ended the connection (INTERNAL_ERROR)",
        ),
        (
            resetting_in_the_middle,
            requests.exceptions.ChunkedEncodingError,
            "the server reset the stream (INTERNAL_ERROR)",
        ),
    ],
)
def test_a_response_that_http_2_ends_early_is_an_error(
    session: requests.Session,
    authority: Authority,
    script: Script,
    error: type[Exception],
    message: str,
) -> None:
    with listening(http2(script), authority.tls("h2")) as port, pytest.raises(error) as caught:
        _ = session.get(f"https://localhost:{port}/").content

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param(b"", requests.ConnectionError, id="nothing"),
        pytest.param(b"HTTP/1.1 20", requests.ConnectionError, id="half a line"),
        pytest.param(b"nonsense\r\n\r\n", requests.ConnectionError, id="another protocol"),
        pytest.param(
            HEAD + b"Content-Length: 9\r\n\r\na;b", requests.exceptions.ChunkedEncodingError, id="less than announced"
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\na;b\r\n",
            requests.exceptions.ChunkedEncodingError,
            id="no last chunk",
        ),
    ],
)
@pytest.mark.parametrize("tls", [True, False])
def test_a_response_that_http_1_1_ends_early_is_an_error(
    session: requests.Session, authority: Authority, sent: bytes, error: type[Exception], *, tls: bool
) -> None:
    with (
        listening(sending(sent), authority.tls("http/1.1") if tls else None) as port,
        pytest.raises(error),
    ):
        _ = session.get(f"http{'s' if tls else ''}://localhost:{port}/").content


def test_invalid_frames_are_a_connection_error(session: requests.Session, authority: Authority) -> None:
    def speak(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9)
        connection.recv(1000)

    with listening(speak, authority.tls("h2")) as port, pytest.raises(requests.ConnectionError):
        session.get(f"https://localhost:{port}/")


# Timeouts


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_silence_before_a_response_is_a_timeout_that_disconnects(
    session: requests.Session, authority: Authority, protocol: str
) -> None:
    disconnected = threading.Event()

    def speak(connection: socket.socket) -> None:
        while connection.recv(1000):
            pass
        disconnected.set()

    with listening(speak, authority.tls(protocol)) as port:
        with pytest.raises(requests.ReadTimeout):
            session.get(f"https://localhost:{port}/", timeout=0.2)
        assert disconnected.wait(timeout=10)


@pytest.mark.parametrize("offered", [True, False])
def test_silence_within_a_body_is_a_timeout_and_no_truncation(
    session: requests.Session, app: EchoApp, *, offered: bool
) -> None:
    with serving(app, tls=True, http2=offered) as server:
        session.verify = str(server.ca_file)
        response = session.get(f"{server.url}/halves", stream=True, timeout=0.3)
        with pytest.raises(requests.ConnectionError) as caught:
            list(response.iter_content(1000))
        app.go_on.set()

    assert isinstance(caught.value.args[0], ReadTimeoutError)


def test_pings_do_not_extend_the_timeout(session: requests.Session, authority: Authority) -> None:
    def speak(connection: socket.socket) -> None:
        def begin(protocol: h2.connection.H2Connection, stream_id: int) -> None:
            protocol.send_headers(stream_id, OK)
            protocol.send_data(stream_id, b"half")
            connection.sendall(protocol.data_to_send())
            for _ in range(100):
                time.sleep(0.03)
                protocol.ping(b"are you?")
                connection.sendall(protocol.data_to_send())
            protocol.send_data(stream_id, b"half", end_stream=True)

        http2(begin)(connection)

    with listening(speak, authority.tls("h2")) as port:
        response = session.get(f"https://localhost:{port}/", stream=True, timeout=0.2)
        with pytest.raises(requests.ConnectionError) as caught:
            list(response.iter_content(1000))

    assert isinstance(caught.value.args[0], ReadTimeoutError)


def test_a_connection_that_is_not_made_in_time_is_a_timeout(session: requests.Session) -> None:
    with (
        listening(lambda connection: connection.recv(1) and connection.recv(9999) and connection.recv(9999)) as port,
        pytest.raises(requests.ConnectTimeout),
    ):
        session.get(f"https://localhost:{port}/", timeout=0.2)


# Addresses and certificates


def test_a_refused_connection_is_a_connection_error(session: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError, match="Connection refused"):
        session.get(f"https://127.0.0.1:{dead_port()}/")


def test_an_unknown_host_name_is_a_connection_error(session: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError, match=r"(?i)name|address"):
        session.get("https://pigment.invalid/")


def test_a_certificate_that_is_not_trusted_is_refused(
    session: requests.Session, url: str, authority: Authority
) -> None:
    session.verify = str(authority.path)

    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        session.get(f"{url}/hello")


def test_a_certificate_for_another_name_is_refused(session: requests.Session, authority: Authority) -> None:
    with (
        listening(sending(), authority.tls("h2", names=("pigment.test",))) as port,
        pytest.raises(requests.exceptions.SSLError, match="Hostname mismatch"),
    ):
        session.get(f"https://localhost:{port}/")


def test_certificates_are_not_checked_without_verify(session: requests.Session, url: str) -> None:
    assert session.get(f"{url}/hello", verify=False).text == "hello"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_names_trusted_certificates(
    session: requests.Session, url: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(session.verify))
    session.verify = True
    session.trust_env = True

    assert session.get(f"{url}/hello").text == "hello"


def test_trusted_certificates_may_be_in_a_directory(session: requests.Session, url: str, tmp_path: Path) -> None:
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        session.get(f"{url}/hello", verify=str(tmp_path))


def test_a_missing_file_of_certificates_is_named(session: requests.Session, url: str) -> None:
    with pytest.raises(requests.RequestException, match=r"no certificates in /not/there.pem: No such file"):
        session.get(f"{url}/hello", verify="/not/there.pem")


@pytest.mark.parametrize("content", [None, "garbage"])
def test_a_wrong_file_of_certificates_is_the_error_of_the_command(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "trusted.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    address = f"https://127.0.0.1:{dead_port()}/api"

    result = run_command("--check", config={"api_key": API_KEY, "application_id": "app-1", "api_url": address})

    assert result.returncode == 1
    failure = result.stdout.splitlines()[0]
    assert failure.startswith(f"FAIL Listing the applications: cannot reach {address}: no certificates in {path}: ")
    assert failure.endswith(". Correct REQUESTS_CA_BUNDLE or SSL_CERT_FILE.")


def test_a_client_certificate_is_sent(session: requests.Session, authority: Authority, tmp_path: Path) -> None:
    own = authority.file_of_client(tmp_path)
    context = authority.tls("h2")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.path)

    with listening(http2(closing_after_the_response), context) as port:
        assert session.get(f"https://localhost:{port}/", cert=str(own)).text == "whole"
        with pytest.raises(requests.ConnectionError):
            session.get(f"https://localhost:{port}/")


# Proxies


def test_a_proxy_of_the_environment_gets_its_password_only(
    session: requests.Session, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests_seen: list[bytes] = []
    authorization = b"Proxy-Authorization: Basic dXNlcjpwQHNz"  # user:p@ss
    session.trust_env = True

    with (
        listening(http2(closing_after_the_response), authority.tls("h2", names=("pigment.test",))) as server,
        listening(proxy(server, requests_seen, authorization=authorization)) as port,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@127.0.0.1:{port}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
        response = session.get("https://pigment.test/", headers={"Authorization": "Bearer pgmt_Abc"})

    assert (response.text, response.raw.version) == ("whole", HTTP_2)
    assert len(requests_seen) == 1
    assert requests_seen[0].startswith(b"CONNECT pigment.test:443 HTTP/1.1\r\n")
    assert b"pgmt_" not in requests_seen[0]


def test_a_proxy_that_refuses_is_a_proxy_error(session: requests.Session) -> None:
    with listening(proxy(dead_port(), [], authorization=b"Basic other")) as port:
        session.proxies = {"https": f"127.0.0.1:{port}"}
        with pytest.raises(requests.exceptions.ProxyError, match="407 Proxy Authentication Required"):
            session.get("https://pigment.test/")


def test_an_unreachable_proxy_is_a_proxy_error(session: requests.Session) -> None:
    session.proxies = {"https": f"http://user:secret@127.0.0.1:{dead_port()}"}

    with pytest.raises(requests.exceptions.ProxyError, match="Connection refused") as caught:
        session.get("https://pigment.test/")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://user:secret@127.0.0.1", "http://user:secret@", "user:secret@127.0.0.1:x", "//"])
def test_an_invalid_proxy_address_is_an_error(session: requests.Session, url: str) -> None:
    session.proxies = {"https": url}

    with pytest.raises(requests.exceptions.InvalidProxyURL) as caught:
        session.get("https://pigment.test/")

    assert "secret" not in str(caught.value)


def test_the_certificate_of_a_proxy_is_checked(session: requests.Session, authority: Authority) -> None:
    with (
        listening(http2(closing_after_the_response), authority.tls("h2", names=("pigment.test",))) as server,
        listening(proxy(server, []), authority.tls("http/1.1")) as port,
    ):
        session.proxies = {"https": f"https://localhost:{port}"}
        assert session.get("https://pigment.test/").text == "whole"
        session.verify = True
        with pytest.raises(requests.exceptions.SSLError):
            session.get("https://pigment.test/")


def test_no_proxy_is_used_for_hosts_in_no_proxy(session: requests.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{dead_port()}")
    session.trust_env = True

    with pytest.raises(requests.exceptions.ProxyError):
        session.get("https://pigment.invalid/")
    monkeypatch.setenv("NO_PROXY", "pigment.invalid")
    with pytest.raises(requests.ConnectionError, match=r"(?i)name|address") as caught:
        session.get("https://pigment.invalid/")
    assert not isinstance(caught.value, requests.exceptions.ProxyError)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_no_proxy_is_used_for_this_machine(
    session: requests.Session, url: str, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{dead_port()}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(session.verify))
    session.trust_env = True

    assert session.get(f"{url.replace('localhost', host)}/hello").text == "hello"


# The warning about HTTP/1.1

NO_APPLICATIONS = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n[]"


def no_applications(protocol: h2.connection.H2Connection, stream_id: int) -> None:
    protocol.send_headers(stream_id, [(":status", "200"), ("content-type", "application/json")])
    protocol.send_data(stream_id, b"[]", end_stream=True)


@pytest.mark.parametrize(
    ("host", "version", "warnings"),
    [("pigment.test", "http/1.1", 1), ("pigment.test", "h2", 0), ("localhost", "http/1.1", 0)],
)
def test_http_1_1_over_a_network_is_warned_of_once(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    host: str,
    version: str,
    warnings: int,
) -> None:
    speak = http2(no_applications) if version == "h2" else sending(*[NO_APPLICATIONS] * 2)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))

    with (
        listening(speak, authority.tls(version, names=(host,))) as server,
        listening(proxy(server, [])) as port,
    ):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        address = f"localhost:{server}" if host == "localhost" else host  # No proxy is used for this machine.
        settings = {"api_key": "pgmt_Abc", "application_id": "app-1", "api_url": f"https://{address}/api"}
        client = PigmentClient(Settings.from_config(settings), logging.getLogger("test-http2"))
        found = [client.applications() for _ in range(2)]
        client.close()

    assert found == [(), ()]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        (
            f"https://{host}/api answers over HTTP/1.1, over which Pigment may truncate an export without an error. "
            "The tap checks the end of each export. If you use a proxy, let HTTP/2 pass through it."
        )
    ] * warnings


# Logs, and the time of imports


def test_no_log_shows_the_api_key(session: requests.Session, url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        session.get(f"{url}/hello", headers={"Authorization": "Bearer pgmt_Abc123DEF"})

    names = {record.name.partition(".")[0] for record in caplog.records}
    assert names.isdisjoint({"hpack", "httpcore2"})
    assert "hpack" not in names
    assert "Abc123" not in caplog.text


def test_http_2_libraries_are_imported_when_they_are_needed() -> None:
    program = "import sys, tap_pigment.tap; sys.exit(len({'httpx2', 'httpcore2', 'h2'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
