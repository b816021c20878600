"""A request and its response over HTTP/1.1 or HTTP/2, byte for byte: whole, in part, or broken off."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import suppress
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes

from tests.support.pigment import Answer, SentRequest
from tests.support.wire import CHUNK_BYTES, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.wire import Speak

    Serve = Callable[["Exchange", SentRequest], object]


class Framing(Enum):
    """How HTTP/1.1 marks the end of a body."""

    CHUNKED = "chunked"
    LENGTH = "Content-Length"
    UNKNOWN = "a coding that nobody knows"
    CLOSED = "the connection's end"


class Exchange(Protocol):
    """A request and its response, over any transport.

    Attributes:
        is_over: Whether its connection has ended.
    """

    is_over: bool

    def respond(self, response: Answer) -> None:
        """Send a whole response."""

    def begin(self, response: Answer, end: int) -> None:
        """Send the headers of a response and its body up to a byte, without the mark of its end."""

    def reset(self) -> None:
        """Reset the connection, as a router that restarts does."""

    def hang_up(self) -> None:
        """Close the connection."""

    def stay_silent(self) -> None:
        """Leave the connection open until the client closes it."""

    def end_with_trailer(self, name: str, value: str) -> None:
        """Mark the end of a body, with a trailer."""


class _Connected:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.is_over = False

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()
        self.is_over = True

    def hang_up(self) -> None:
        with suppress(OSError):  # The client may have closed it first.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
        self.is_over = True

    def stay_silent(self) -> None:
        with suppress(OSError):
            while self._connection.recv(CHUNK_BYTES):
                pass
        self.is_over = True


class Http1Exchange(_Connected):
    """A request over HTTP/1.1, after which the connection ends."""

    def respond(self, response: Answer) -> None:
        """Send a whole response."""
        self.begin(response, len(response.body))
        self._connection.sendall(b"0\r\n\r\n")
        self.is_over = True

    def begin(self, response: Answer, end: int, framing: Framing = Framing.CHUNKED) -> None:
        """Send the headers of a response and its body up to a byte, without the mark of its end."""
        headers = {**response.headers, "Connection": "close"}
        body = response.body[:end]
        if framing is Framing.CHUNKED:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        elif framing is Framing.LENGTH:
            headers["Content-Length"] = str(len(response.body))
        elif framing is Framing.UNKNOWN:
            headers["Transfer-Encoding"] = "notchunked"
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def send_raw(self, sent: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(sent)

    def end_with_trailer(self, name: str, value: str) -> None:
        """Mark the end of a body in chunks, with a trailer."""
        self._connection.sendall(f"0\r\n{name}: {value}\r\n\r\n".encode())
        self.is_over = True


class Http2Exchange(_Connected):
    """A request over HTTP/2, on a stream of its own."""

    def __init__(self, connection: socket.socket, protocol: h2.connection.H2Connection, stream_id: int) -> None:
        super().__init__(connection)
        self._protocol = protocol
        self._stream_id = stream_id

    def respond(self, response: Answer) -> None:
        """Send a whole response."""
        self.begin(response, len(response.body))
        self.end()

    def end(self) -> None:
        """Mark the end of a body."""
        self._protocol.end_stream(self._stream_id)
        self._flush()

    def begin(self, response: Answer, end: int, status: str | None = "") -> None:
        """Send the headers of a response and its body up to a byte, without the mark of its end.

        `status` stands instead of the response's, or there is none.
        """
        headers = [] if status is None else [(":status", status or str(response.status))]
        self._protocol.send_headers(
            self._stream_id, headers + [(name.lower(), value) for name, value in response.headers.items()]
        )
        if end:
            self._protocol.send_data(self._stream_id, response.body[:end])
        self._flush()

    def end_with_trailer(self, name: str, value: str) -> None:
        """Mark the end of a body, with a trailer."""
        self._protocol.send_headers(self._stream_id, [(name, value)], end_stream=True)
        self._flush()

    def reset_stream(self, code: ErrorCodes = ErrorCodes.INTERNAL_ERROR) -> None:
        """Reset the stream, as a server does that fails in the middle."""
        self._protocol.reset_stream(self._stream_id, code)
        self._flush()

    def go_away(self) -> None:
        """End the connection for all its streams."""
        self._protocol.close_connection(ErrorCodes.INTERNAL_ERROR)
        self._flush()
        self.hang_up()

    def _flush(self) -> None:
        self._connection.sendall(self._protocol.data_to_send())


def http1(serve: Serve) -> Speak:
    """Return a server of HTTP/1.1, for one request on each connection."""

    def speak(connection: socket.socket) -> None:
        head, _, body = read_request(connection).partition(b"\r\n\r\n")
        if not head:
            return
        line, *lines = head.decode().split("\r\n")
        method, target, _ = line.split(" ")
        headers = dict(header.split(": ", 1) for header in lines)
        serve(Http1Exchange(connection), _request(method, target, headers, body))

    return speak


def http2(serve: Serve) -> Speak:
    """Return a server of HTTP/2, for one request after the other."""

    def speak(connection: socket.socket) -> None:
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        protocol = h2.connection.H2Connection(config)
        protocol.initiate_connection()
        connection.sendall(protocol.data_to_send())
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        while received := connection.recv(CHUNK_BYTES):
            for event in protocol.receive_data(received):
                if isinstance(event, h2.events.RequestReceived):
                    heads[event.stream_id] = dict(event.headers)  # type: ignore[arg-type] # Texts, as configured above.
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                if isinstance(event, h2.events.StreamEnded):
                    head, body = heads.pop(event.stream_id), bodies.pop(event.stream_id, b"")
                    exchange = Http2Exchange(connection, protocol, event.stream_id)
                    serve(exchange, _request(head[":method"], head[":path"], head, body))
                    if exchange.is_over:
                        return
            connection.sendall(protocol.data_to_send())

    return speak


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> SentRequest:
    address = urlsplit(target)
    lower = {name.lower(): value for name, value in headers.items()}
    return SentRequest(method, address.path, parse_qs(address.query), lower, json.loads(body) if body else None)
