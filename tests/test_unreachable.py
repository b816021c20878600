"""Servers that cannot be reached, hang up or say nothing: tried again over real sockets, and told in the end."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tap_pigment.client import Client
from tap_pigment.errors import PigmentExportError
from tap_pigment.settings import Settings
from tests.conftest import Clock
from tests.pigment import API_KEY, APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGGER = logging.getLogger("test-unreachable")
NO_APPLICATIONS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"


def client_of(url: str, clock: Clock, **settings: object) -> Client:
    """Return a client that waits as long as it may between tries, on a clock that only waits move."""
    config = {"api_key": API_KEY, "application_id": APPLICATION_ID, "api_url": url, **settings}
    return Client(Settings.from_config(config), LOGGER, clock=clock, sleep=clock.sleep, draw=lambda: 1.0)


@contextmanager
def failing_at_first(fail: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one failure, and an empty list of applications to whoever asks again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []

        def serve() -> None:
            for answer in (fail, lambda connection: connection.sendall(NO_APPLICATIONS)):
                connection, _ = listener.accept()
                connections.append(connection)
                connection.recv(65_536)
                answer(connection)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        server.join()
        for connection in connections:
            connection.close()


def reset(connection: socket.socket) -> None:
    """Reset a connection, as a router that restarts does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_in_the_middle(connection: socket.socket) -> None:
    """Reset a connection after the first bytes of a body."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{")
    reset(connection)


def say_nothing(_: socket.socket) -> None:
    """Leave a connection open."""


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (socket.socket.close, "Remote end closed connection without response"),
        (reset, "Connection reset by peer"),
        (reset_in_the_middle, "Connection reset by peer"),
        (say_nothing, "timed out"),
    ],
)
def test_a_server_that_hangs_up_or_says_nothing_is_asked_again(
    fail: Callable[[socket.socket], None], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()

    with failing_at_first(fail) as url:
        applications = client_of(url, clock, request_timeout_seconds=1).applications()

    assert applications == ()
    assert clock.waits == [1.0]
    [told] = [record.getMessage() for record in caplog.records if record.name == LOGGER.name]
    assert told.startswith("Try 1 of 4 failed. Waiting 1.0 s before the next. ")
    assert reason in told


def test_a_port_where_nothing_listens_is_tried_as_often_as_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clock = Clock()

    with pytest.raises(PigmentExportError) as caught:
        client_of(f"http://127.0.0.1:{port}/api", clock).applications()

    assert f"cannot reach http://127.0.0.1:{port}/api: " in str(caught.value)
    assert "Connection refused (4 tries). Check api_url, the network and the proxy." in str(caught.value)
    assert clock.waits == [1.0, 2.0, 4.0]


def test_a_host_without_an_address_is_tried_as_often_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    clock = Clock()

    with pytest.raises(PigmentExportError) as caught:
        client_of("https://pigment.invalid/api", clock, max_retries=1).applications()

    assert "cannot reach https://pigment.invalid/api: " in str(caught.value)
    assert "(2 tries). Check api_url, the network and the proxy." in str(caught.value)
    assert clock.waits == [1.0]
