"""Servers on localhost whose bytes or frames a test scripts, and a proxy."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Speak = Callable[[socket.socket], object]
    Script = Callable[[h2.connection.H2Connection, int], object]

CHUNK_BYTES = 65_536
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n"


class Authority:
    """A certificate authority: signs the certificates of servers and clients.

    Attributes:
        path: The file of its own certificate.
    """

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.path = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.path)

    def tls(self, *protocols: str, names: tuple[str, ...] = ("localhost", "127.0.0.1")) -> ssl.SSLContext:
        """Return the TLS context of a server that offers some protocols."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(list(protocols))
        self._authority.issue_cert(*names).configure_cert(context)
        return context

    def file_of_client(self, folder: Path) -> Path:
        """Return a file with a client's certificate and its key."""
        path = folder / "client.pem"
        self._authority.issue_cert("client@pigment.test").private_key_and_cert_chain_pem.write_to_path(path)
        return path


@contextmanager
def listening(speak: Speak, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Call `speak` on each connection, in a thread of its own, until the block ends; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, accepting(listener, speak, tls):
        yield listener.getsockname()[1]


@contextmanager
def accepting(listener: socket.socket, speak: Speak, tls: ssl.SSLContext | None = None) -> Iterator[None]:
    """Call `speak` on each connection of a listening socket, until the block ends or the socket is closed."""
    connections: list[socket.socket] = []

    def converse(plain: socket.socket) -> None:
        # The client may close the connection, or not trust the certificate.
        with suppress(OSError), plain if tls is None else tls.wrap_socket(plain, server_side=True) as connection:
            connections.append(connection)
            speak(connection)

    def accept() -> None:
        with suppress(OSError):  # The block has ended.
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=converse, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        for connection in (listener, *connections):
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    """Return the next request with its body; nothing if the client closed the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(CHUNK_BYTES)
        if not chunk:
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(CHUNK_BYTES)
    return received


def sending(*answers: bytes) -> Speak:
    """Return a server that sends one of the responses on each connection, in turn, and closes it."""
    left = list(answers)

    def speak(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(left.pop(0))

    return speak


def http2(script: Script, *, requests: int = sys.maxsize) -> Speak:
    """Return a server of HTTP/2 that calls `script` with the protocol and the stream's id, for so many requests."""

    def speak(connection: socket.socket) -> None:
        left = requests
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        protocol.initiate_connection()
        connection.sendall(protocol.data_to_send())
        while left and (received := connection.recv(CHUNK_BYTES)):
            with suppress(h2.exceptions.ProtocolError):  # Frames that arrive after a script has ended the connection.
                for event in protocol.receive_data(received):
                    if isinstance(event, h2.events.StreamEnded) and event.stream_id is not None:
                        script(protocol, event.stream_id)
                        left -= 1
            connection.sendall(protocol.data_to_send())

    return speak


OK = [(":status", "200"), ("content-type", "text/csv")]


def proxy(port: int, requests: list[bytes], *, authorization: bytes = b"") -> Speak:
    """Return a proxy that tunnels to a port of localhost, whatever the host, and appends its requests to a list."""

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def speak(connection: socket.socket) -> None:
        request = read_request(connection)
        requests.append(request)
        if authorization not in request:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port)) as server:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=pass_on, args=[server, connection], daemon=True).start()
            pass_on(connection, server)

    return speak
