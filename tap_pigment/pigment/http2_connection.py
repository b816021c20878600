"""One connection of httpx2, for one request after another, and the body of its response.

Internals in use, seen in httpx2 and httpcore2 2.16.2: the trace events `connect_tcp.complete`, `start_tls.complete`,
`send_connection_init.started`, `send_request_headers.started` and `receive_response_headers.started`, the network
stream's `get_extra_info`, that `timeout` is read with `get`, and the way from a transport to the protocol of its
connection: the attributes `_h11_state` and `_h2_state`.
"""

from __future__ import annotations

import logging
import math
import re
import socket
import threading
import weakref
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    import httpx2
    import requests

_SECONDS_TO_KEEP = 30  # Less than servers and routers usually keep it, so that this side closes first.

# Trailers come after a body, and may say how it ended. These say nothing about that.
_HARMLESS_TRAILERS = frozenset(
    {
        "cache-control",
        "content-digest",
        "content-md5",
        "date",
        "digest",
        "etag",
        "expires",
        "last-modified",
        "repr-digest",
        "server-timing",
    }
)
_NAME_OF_AN_ERROR = re.compile(r"abort|error|exception|fail|incomplete|truncat")
_NO_ERROR = frozenset({"", "0", "false", "no", "none", "null", "ok"})
_MAX_QUOTED_CHARACTERS = 100


class Route(NamedTuple):
    """The host, proxy, trusted certificates (None: no check) and client certificate of a connection."""

    netloc: str
    proxy: str | None
    trusted: str | None
    cert: Any


class Connection:
    """One connection, which is opened by its first request."""

    def __init__(self, route: Route, trust: ssl.SSLContext, proxy_trust: ssl.SSLContext | None) -> None:
        import httpx2  # noqa: PLC0415 - slow; many commands send nothing.

        # At DEBUG they log headers: those of requests hold the API key, and those of responses may repeat it.
        for library in ("hpack", "httpcore2"):
            logging.getLogger(library).setLevel(logging.INFO)
        self.route = route
        self._transport = httpx2.HTTPTransport(
            verify=trust,
            trust_env=False,
            http2=True,
            proxy=httpx2.Proxy(route.proxy, ssl_context=proxy_trust) if route.proxy else None,
            limits=httpx2.Limits(max_keepalive_connections=1, keepalive_expiry=_SECONDS_TO_KEEP),
        )
        # So that the garbage collector closes it too.
        self.close = weakref.finalize(self, self._transport.close)
        self._lock = threading.Lock()
        self._network: Any = None
        self._watch = _Watch()
        self.is_hung_up = False

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """The trailers of the response that was read to its end."""
        return self._watch.trailers

    def send(self, request: requests.PreparedRequest, deadline: ReadDeadline) -> httpx2.Response:
        """Send a request and return the response, once its headers have arrived."""
        import httpx2  # noqa: PLC0415 - see above.

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                self._connected(info["return_value"])
            if event.endswith((".send_connection_init.started", ".send_request_headers.started")):
                self._watch.attach(self._transport)
            if event.endswith(".receive_response_headers.started"):
                deadline.renew()

        self._watch.begin(deadline)
        return self._transport.handle_request(
            httpx2.Request(
                str(request.method),
                str(request.url),
                headers=[(_bytes(name), _bytes(value)) for name, value in request.headers.items()],
                content=request.body,
                extensions={"timeout": deadline, "trace": trace},
            )
        )

    def _connected(self, network: Any) -> None:  # noqa: ANN401 - httpcore2's.
        with self._lock:
            self._network = network
        if self.is_hung_up:
            self.hang_up()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing arrived since the last response; what may arrive is the server's close."""
        return not self._network.get_extra_info("is_readable")

    def hang_up(self) -> None:
        """End the transfer of another thread on this connection."""
        with self._lock:
            self.is_hung_up = True
            if self._network:
                # Not the SSL socket's own method, after which the rest would be read unencrypted.
                with suppress(OSError):
                    socket.socket.shutdown(self._network.get_extra_info("socket"), socket.SHUT_RDWR)


class _Watch:
    """Observes the protocol of a connection, because httpcore2 hides some of it.

    It discards trailers, takes a status of 200 over HTTP/2 if there is none, and does not limit the time between two
    reads over HTTP/1.1.

    It holds no `Connection`, which could then not be collected.
    """

    def __init__(self) -> None:
        self._deadline = ReadDeadline(None)
        self._protocol: Any = None
        self.trailers: list[tuple[str, str]] = []

    def begin(self, deadline: ReadDeadline) -> None:
        """Begin with the next response."""
        self._deadline = deadline
        self.trailers = []

    def attach(self, transport: Any) -> None:  # noqa: ANN401 - its pool is not public.
        """Observe the protocol of the transport's newest connection, each once."""
        http: Any = transport._pool.connections[-1]  # noqa: SLF001 - see the top of the file.
        while not (protocol := getattr(http, "_h2_state", None) or getattr(http, "_h11_state", None)):
            http = http._connection  # noqa: SLF001 - see the top of the file; proxies wrap connections.
        if protocol is self._protocol:
            return
        self._protocol = protocol
        if hasattr(protocol, "next_event"):
            protocol.next_event = self._watched_h11(protocol.next_event)
        else:
            protocol.receive_data = self._watched_h2(protocol.receive_data)

    def _watched_h11(self, next_event: Callable[[], Any]) -> Callable[[], Any]:
        def watched() -> Any:  # noqa: ANN401 - an event, or a constant of h11.
            self._deadline.raise_if_over()
            event = next_event()
            if type(event).__name__ == "EndOfMessage":  # h11 comes with httpx2, and is no dependency of the tap.
                self._keep_trailers(event.headers)
            return event

        return watched

    def _watched_h2(self, receive_data: Callable[[bytes], list[Any]]) -> Callable[[bytes], list[Any]]:
        import h2.events  # noqa: PLC0415 - see Connection.
        import h2.exceptions  # noqa: PLC0415 - see Connection.

        def watched(data: bytes) -> list[Any]:
            self._deadline.raise_if_over()
            events = receive_data(data)
            for event in events:
                match event:
                    case h2.events.TrailersReceived():
                        self._keep_trailers(event.headers or ())
                    case h2.events.ResponseReceived() if not has_valid_status(event.headers or ()):
                        raise h2.exceptions.ProtocolError("the response has no valid status")
            return events

        return watched

    def _keep_trailers(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.trailers += [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]


def has_valid_status(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether the headers of a response over HTTP/2 have one status of three digits."""
    statuses = [value for name, value in headers if name == b":status"]
    return len(statuses) == 1 and re.fullmatch(rb"[1-9][0-9]{2}", statuses[0]) is not None


def trailer_problem(trailers: Iterable[tuple[str, str]], *, is_length_right: bool) -> str | None:
    """Return why trailers make a body incomplete, or None.

    A trailer that names an error makes any body incomplete. An unknown trailer may mean an error too, unless the body
    has the length that was announced.

    Args:
        trailers: Names in lower case, and values.
        is_length_right: Whether Content-Length announced exactly the bytes that arrived.
    """
    for name, value in trailers:
        text = value.strip()
        quoted = f"{name}: {text}"[:_MAX_QUOTED_CHARACTERS]
        if name == "grpc-status":
            if text != "0":
                return f"the server ended it with an error ({quoted})"
        elif _NAME_OF_AN_ERROR.search(name):
            if text.lower() not in _NO_ERROR:
                return f"the server ended it with an error ({quoted})"
        elif name not in _HARMLESS_TRAILERS and not is_length_right:
            return f"the server ended it with a trailer that may be an error ({quoted})"
    return None


class ReadDeadline:
    """The timeouts of a request, as httpcore2 reads them.

    The time to read ends some seconds after the last byte of the response, and some seconds after the request at the
    latest. HTTP/2 pings do not extend it.
    """

    def __init__(self, timeout: Any, total_seconds: float | None = None) -> None:  # noqa: ANN401 - see `send`.
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        self._seconds: dict[str, float | None] = {"connect": connect, "read": read, "write": read}
        self._end = math.inf if total_seconds is None else monotonic() + total_seconds
        self.renew()

    @property
    def timeouts(self) -> Any:  # noqa: ANN401 - see `send`.
        """The seconds to connect and to wait for bytes, as `requests` takes them."""
        return self._seconds["connect"], self._seconds["read"]

    @property
    def is_over(self) -> bool:
        """Whether the time of the whole request has passed."""
        return monotonic() >= self._end

    def raise_if_over(self) -> None:
        """Raise an error if the time of the whole request has passed.

        Raises:
            TimeoutError: If it has.
        """
        if self.is_over:
            raise TimeoutError("the response took too long")

    def shorten(self, seconds: float) -> None:
        """End the time of the whole request after so many seconds at the latest."""
        self._end = min(self._end, monotonic() + seconds)

    def renew(self) -> None:
        """Restart the time to wait for bytes."""
        self._since = monotonic()

    def get(self, what: str, _default: object = None) -> float | None:
        """Return how many seconds are left.

        Raises:
            TimeoutError: If none is.
        """
        seconds = self._seconds.get(what)
        if what != "read" or seconds is None:
            return seconds
        self.raise_if_over()
        left = min(self._since + seconds, self._end) - monotonic()
        if left <= 0:
            raise TimeoutError(f"no bytes arrived for {seconds} s")
        return left


class Body:
    """The body of a response as it was sent, for urllib3 to read."""

    def __init__(
        self,
        response: httpx2.Response,
        connection: Connection,
        deadline: ReadDeadline,
        *,
        keep: Callable[[Connection], None],
        drop: Callable[[Connection], None],
    ) -> None:
        self._response = response
        self._chunks = response.iter_raw()
        self._rest = memoryview(b"")
        self._connection = connection
        self._deadline = deadline
        self._keep = keep
        self._drop = drop
        self._size_bytes = 0
        self.closed = False

    def read(self, size: int | None = None) -> bytes:
        """Return up to `size` bytes as soon as some arrive, all bytes without a size, and none at the end.

        Raises:
            OSError: If the body is truncated, or nothing arrives in time.
        """
        if size is None:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        if not self._rest and not self.closed:
            self._rest = memoryview(self._next_chunk())
        chunk, self._rest = self._rest[:size], self._rest[size:]
        return bytes(chunk)

    def _next_chunk(self) -> bytes:
        self._deadline.renew()
        try:
            chunk = next(self._chunks, b"")
        except failures() as error:
            self.close()
            raise _body_error(error) from reason(error)
        if self._connection.is_hung_up:
            self.close()
            raise ConnectionAbortedError("the connection was closed on this side")
        self._size_bytes += len(chunk)
        if not chunk:
            self._end()
        return chunk

    def _end(self) -> None:
        """Keep the connection of a body that was read to its end, unless its trailers make it incomplete."""
        is_length_right = self._response.headers.get("content-length") == str(self._size_bytes)
        if problem := trailer_problem(self._connection.trailers, is_length_right=is_length_right):
            self.close()
            raise ConnectionResetError(problem)
        self.closed = True
        self._keep(self._connection)

    def close(self) -> None:
        """Close the connection, unless the body was read to its end and the connection is kept."""
        if not self.closed:
            self.closed = True
            # In this order: httpx2 would keep the connection for the next request, although more of this body follows.
            self._drop(self._connection)
            self._response.close()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def failures() -> tuple[type[BaseException], ...]:
    """Return the errors that httpx2 and the libraries below it raise."""
    import h2.exceptions  # noqa: PLC0415 - see Connection.
    import httpx2  # noqa: PLC0415 - see Connection.

    return httpx2.TransportError, httpx2.InvalidURL, h2.exceptions.H2Error, OSError


def _body_error(error: BaseException) -> OSError:
    """Return the error by which urllib3 distinguishes silence from a truncated body."""
    import httpx2  # noqa: PLC0415 - see Connection.

    kind = TimeoutError if isinstance(error, httpx2.TimeoutException | TimeoutError) else ConnectionResetError
    return kind(str(reason(error)))


def reason(error: BaseException) -> BaseException:
    """Return the innermost of errors that wrap each other, in readable words."""
    import h2.events  # noqa: PLC0415 - see Connection.

    # Not only causes: httpcore2's pool raises errors `from None`, which drops theirs.
    while inner := error.__cause__ or error.__context__:
        error = inner
    match error.args[:1]:
        case (h2.events.StreamReset() as event,):
            return ConnectionResetError(f"the server reset the stream ({_name(event.error_code)})")
        case (h2.events.ConnectionTerminated() as event,):
            return ConnectionResetError(f"the server ended the connection ({_name(event.error_code)})")
    return error


def _name(code: int | None) -> str:
    return getattr(code, "name", str(code))
