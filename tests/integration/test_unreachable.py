"""Servers that cannot be reached, disconnect, stay silent or are not trusted, over real sockets."""

from __future__ import annotations

import logging
import re
import socket
import struct
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import PigmentError, PigmentExportError, RequestRefusedError
from tap_pigment.pigment import PigmentClient
from tap_pigment.settings import Settings
from tests.support.pigment import API_KEY, APPLICATION_ID
from tests.support.taps import Clock
from tests.support.wire import CHUNK_BYTES, listening, read_request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.support.taps import MakeTap
    from tests.support.wire import Authority

LOGGER = logging.getLogger("test-unreachable")
NO_APPLICATIONS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"


def client_of(url: str, clock: Clock, **settings: object) -> PigmentClient:
    """Return a client that waits as long as it may between tries, on a clock that only waits move."""
    config = {"api_key": API_KEY, "application_id": APPLICATION_ID, "api_url": url, **settings}
    return PigmentClient(Settings.from_config(config), LOGGER, clock=clock, sleep=clock.sleep, draw=lambda: 1.0)


@contextmanager
def failing_at_first(fail: Callable[[socket.socket], object]) -> Iterator[str]:
    """Fail on the first request, respond to the next one with an empty list, and yield the address."""
    failures = [fail]

    def speak(connection: socket.socket) -> None:
        read_request(connection)
        if failures:
            failures.pop()(connection)
        else:
            connection.sendall(NO_APPLICATIONS)

    with listening(speak) as port:
        yield f"http://127.0.0.1:{port}/api"


def reset(connection: socket.socket) -> None:
    """Reset a connection, as a router that restarts does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_in_the_middle(connection: socket.socket) -> None:
    """Reset a connection after the first bytes of a body."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{")
    reset(connection)


def stay_silent(connection: socket.socket) -> None:
    """Leave a connection open until the client closes it."""
    while connection.recv(CHUNK_BYTES):
        pass


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (socket.socket.close, "Server disconnected without sending a response"),
        (reset, "Connection reset by peer"),
        (reset_in_the_middle, "Connection reset by peer"),
        (stay_silent, "timed out"),
    ],
)
def test_a_server_that_disconnects_or_stays_silent_is_retried(
    fail: Callable[[socket.socket], object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()

    with failing_at_first(fail) as url:
        client = client_of(url, clock, request_timeout_seconds=1)
        applications = client.applications()
        client.close()

    assert applications == ()
    assert clock.waits == [1.0]
    [warning] = [record.getMessage() for record in caplog.records if record.name == LOGGER.name]
    assert warning.startswith("Listing the applications: try 1 of 4 failed, waiting 1.0 s: ")
    assert reason in warning


def test_a_refused_connection_is_tried_as_often_as_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clock = Clock()

    with pytest.raises(PigmentExportError) as caught:
        client_of(f"http://127.0.0.1:{port}/api", clock).applications()

    assert str(caught.value) == (
        f"Listing the applications: cannot reach http://127.0.0.1:{port}/api: [Errno 111] Connection refused "
        "(4 tries). Check api_url, the network and the proxy."
    )
    assert clock.waits == [1.0, 2.0, 4.0]


def test_a_host_without_an_address_is_tried_as_often_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    clock = Clock()

    with pytest.raises(PigmentExportError) as caught:
        client_of("https://pigment.invalid/api", clock, max_retries=1).applications()

    assert str(caught.value).startswith("Listing the applications: cannot reach https://pigment.invalid/api: ")
    assert str(caught.value).endswith(" (2 tries). Check api_url, the network and the proxy.")
    assert clock.waits == [1.0]


@pytest.mark.parametrize(
    ("scheme", "reason"),
    [
        ("http", " through the proxy http://***@127.0.0.1:{port}: [Errno 111] Connection refused (1 try). "),
        ("socks5", ": SOCKS needs the package PySocks. Install it in the tap's environment: pip install "),
    ],
)
def test_a_connection_through_a_proxy_that_fails_names_the_cause(
    monkeypatch: pytest.MonkeyPatch, scheme: str, reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:secret@127.0.0.1:{port}")
    monkeypatch.setenv("https_proxy", f"{scheme}://user:secret@127.0.0.1:{port}")

    with pytest.raises(PigmentExportError) as caught:
        client_of("https://pigment.invalid/api", Clock(), max_retries=0).applications()

    expected = f"Listing the applications: cannot reach https://pigment.invalid/api{reason.format(port=port)}"
    assert str(caught.value).startswith(expected)


def test_silence_behind_a_proxy_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")

    with listening(stay_silent) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
        with pytest.raises(PigmentExportError) as caught:
            client_of("https://pigment.invalid/api", Clock(), max_retries=0, request_timeout_seconds=1).applications()

    assert f"no bytes arrived for 1 s through the proxy http://127.0.0.1:{port} (1 try)" in str(caught.value)


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{"])
def test_silence_is_reported_wherever_it_begins(tap: MakeTap, beginning: bytes) -> None:
    def speak(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(beginning)
        stay_silent(connection)

    with (
        listening(speak) as port,
        pytest.raises(PigmentError) as caught,
    ):
        tap(api_url=f"http://127.0.0.1:{port}/api", request_timeout_seconds=1, max_retries=0)

    assert str(caught.value) == (
        f"Listing the blocks of application {APPLICATION_ID}: no bytes arrived for 1 s (1 try). Run again later, or "
        "raise request_timeout_seconds."
    )


# Certificates


@contextmanager
def counting_connections(context: ssl.SSLContext) -> Iterator[tuple[int, list[str]]]:
    """Accept connections over TLS; yield the port, and a list that gets the outcome of each handshake."""
    handshakes: list[str] = []

    def speak(connection: socket.socket) -> None:
        handshakes.append("failed")
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as encrypted:
            # In TLS 1.3 the client's refusal arrives only now.
            if read_request(encrypted):
                handshakes[-1] = "complete"
                encrypted.sendall(NO_APPLICATIONS)

    with listening(speak) as port:
        yield port, handshakes


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@pytest.mark.parametrize(
    ("is_trusted", "names", "reason"),
    [
        pytest.param(False, ("localhost",), "certificate verify failed", id="unknown authority"),
        pytest.param(True, ("pigment.test",), "Hostname mismatch", id="another host"),
    ],
)
def test_a_certificate_error_is_not_retried(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    is_trusted: bool,  # noqa: FBT001 - a parameter of the test.
    names: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    if is_trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    else:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    clock = Clock()

    with counting_connections(authority.tls(protocol, names=names)) as (port, handshakes):
        client = client_of(f"https://localhost:{port}/api", clock, max_retries=3)
        with pytest.raises(RequestRefusedError) as caught:
            client.applications()

    assert handshakes == ["failed"]
    assert clock.waits == []
    assert str(client.stats).startswith("1 request (0 retries), ")
    assert re.fullmatch(
        rf"Listing the applications: no trusted connection to https://localhost:{port}/api: .*{reason}.*\. Check "
        r"api_url; behind a proxy with a certificate of its own, set REQUESTS_CA_BUNDLE to its file\.",
        str(caught.value),
    )


def test_a_tls_handshake_that_the_server_breaks_off_is_retried(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    clock = Clock()
    context = authority.tls("http/1.1")
    connections: list[socket.socket] = []

    def speak(connection: socket.socket) -> None:
        connections.append(connection)
        if len(connections) == 1:
            connection.recv(CHUNK_BYTES)
            return
        with context.wrap_socket(connection, server_side=True) as encrypted:
            read_request(encrypted)
            encrypted.sendall(NO_APPLICATIONS)

    with listening(speak) as port:
        client = client_of(f"https://localhost:{port}/api", clock)
        applications = client.applications()
        client.close()

    assert applications == ()
    assert clock.waits == [1.0]
