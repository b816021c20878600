"""One exchange over HTTP/1.1 or HTTP/2, byte for byte: an answer, a part of one, or what breaks it."""

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

from tests.pigment import Answer, SentRequest
from tests.wire import PIECE_BYTES, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.wire import Speak

    Serve = Callable[["Wire", SentRequest], object]


class Framing(Enum):
    """How HTTP/1.1 says where a body ends."""

    CHUNKED = "chunked"
    LENGTH = "Content-Length"
    CLOSED = "the connection's end"


class Wire(Protocol):
    """One exchange, whatever carries it; once it is over, its connection is of no further use."""

    is_over: bool

    def answer(self, answer: Answer) -> None:
        """Send an answer, whole."""

    def begin(self, answer: Answer, end: int) -> None:
        """Send an answer's headers and its body up to a byte, and nothing that ends it."""

    def reset(self) -> None:
        """Reset the connection, as a router that restarts does."""

    def hang_up(self) -> None:
        """Close the connection."""

    def say_nothing(self) -> None:
        """Leave the connection open until the client has had enough."""


class _Wire:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.is_over = False

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()
        self.is_over = True

    def hang_up(self) -> None:
        with suppress(OSError):  # It may be the client who was first.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
        self.is_over = True

    def say_nothing(self) -> None:
        with suppress(OSError):
            while self._connection.recv(PIECE_BYTES):
                pass
        self.is_over = True


class Http1Wire(_Wire):
    """An exchange over HTTP/1.1, after which the connection ends."""

    def answer(self, answer: Answer) -> None:
        """Send an answer, whole."""
        self.begin(answer, len(answer.body))
        self._connection.sendall(b"0\r\n\r\n")
        self.is_over = True

    def begin(self, answer: Answer, end: int, framing: Framing = Framing.CHUNKED) -> None:
        """Send an answer's headers and its body up to a byte, and nothing that ends it."""
        headers = {**answer.headers, "Connection": "close"}
        body = answer.body[:end]
        if framing is Framing.CHUNKED:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        elif framing is Framing.LENGTH:
            headers["Content-Length"] = str(len(answer.body))
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


class Http2Wire(_Wire):
    """A stream of HTTP/2."""

    def __init__(self, connection: socket.socket, protocol: h2.connection.H2Connection, stream_id: int) -> None:
        super().__init__(connection)
        self._protocol = protocol
        self._stream_id = stream_id

    def answer(self, answer: Answer) -> None:
        """Send an answer, whole."""
        self.begin(answer, len(answer.body))
        self._protocol.end_stream(self._stream_id)
        self._flush()

    def begin(self, answer: Answer, end: int) -> None:
        """Send an answer's headers and its body up to a byte, and nothing that ends it."""
        headers = [(":status", str(answer.status))]
        self._protocol.send_headers(
            self._stream_id, headers + [(name.lower(), value) for name, value in answer.headers.items()]
        )
        if end:
            self._protocol.send_data(self._stream_id, answer.body[:end])
        self._flush()

    def reset_stream(self, code: ErrorCodes = ErrorCodes.INTERNAL_ERROR) -> None:
        """Reset the stream, as a server does that fails half-way."""
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
    """Return what speaks HTTP/1.1 and serves one request for each connection."""

    def speak(connection: socket.socket) -> None:
        head, _, body = read_request(connection).partition(b"\r\n\r\n")
        if not head:
            return
        line, *lines = head.decode().split("\r\n")
        method, target, _ = line.split(" ")
        headers = dict(header.split(": ", 1) for header in lines)
        serve(Http1Wire(connection), _request(method, target, headers, body))

    return speak


def http2(serve: Serve) -> Speak:
    """Return what speaks HTTP/2 and serves its requests one after the other."""

    def speak(connection: socket.socket) -> None:
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        protocol.initiate_connection()
        connection.sendall(protocol.data_to_send())
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        while received := connection.recv(PIECE_BYTES):
            for event in protocol.receive_data(received):
                if isinstance(event, h2.events.RequestReceived):
                    heads[event.stream_id] = dict(event.headers)  # type: ignore[arg-type] # Texts, as configured above.
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                if isinstance(event, h2.events.StreamEnded):
                    head, body = heads.pop(event.stream_id), bodies.pop(event.stream_id, b"")
                    wire = Http2Wire(connection, protocol, event.stream_id)
                    serve(wire, _request(head[":method"], head[":path"], head, body))
                    if wire.is_over:
                        return
            connection.sendall(protocol.data_to_send())

    return speak


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> SentRequest:
    address = urlsplit(target)
    lower = {name.lower(): value for name, value in headers.items()}
    return SentRequest(method, address.path, parse_qs(address.query), lower, json.loads(body) if body else None)
