"""One connection of httpx2, for one request after another, and the body of its response.

Internals in use, seen in httpx2 and httpcore2 2.16.2: the trace events `connect_tcp.complete`, `start_tls.complete` and
`receive_response_headers.started`, the network stream's `get_extra_info`, and that `timeout` is read with `get`.
"""

from __future__ import annotations

import logging
import socket
import threading
import weakref
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    import httpx2
    import requests

_SECONDS_TO_KEEP = 30  # Less than servers and routers usually keep it, so that this side closes first.


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
        # Closed by the garbage collector too, should nobody close it.
        self.close = weakref.finalize(self, self._transport.close)
        self._lock = threading.Lock()
        self._network: Any = None
        self.is_hung_up = False

    def send(self, request: requests.PreparedRequest, deadline: ReadDeadline) -> httpx2.Response:
        """Send a request and return the response, once its headers have arrived."""
        import httpx2  # noqa: PLC0415 - see above.

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                self._connected(info["return_value"])
            if event.endswith(".receive_response_headers.started"):
                deadline.renew()

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


class ReadDeadline:
    """The timeouts of a request, as httpcore2 reads them.

    The time to read ends some seconds after the last byte of the response. HTTP/2 pings do not extend it.
    """

    def __init__(self, timeout: Any) -> None:  # noqa: ANN401 - see `send`.
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        self._seconds: dict[str, float | None] = {"connect": connect, "read": read, "write": read}
        self.renew()

    def renew(self) -> None:
        """Restart the time to read."""
        self._since = monotonic()

    def get(self, what: str, _default: object = None) -> float | None:
        """Return how many seconds are left.

        Raises:
            TimeoutError: If none is.
        """
        seconds = self._seconds.get(what)
        if what != "read" or seconds is None:
            return seconds
        left = self._since + seconds - monotonic()
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
        if not chunk:
            self.closed = True
            self._keep(self._connection)
        return chunk

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
