"""One connection of httpx2, for one exchange after another, and the body that comes over it."""

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

_SECONDS_TO_KEEP = 30  # Less than servers and routers usually do, so that it is this side that hangs up.


class Route(NamedTuple):
    """Where a connection leads, on which way, whom it trusts (None: anybody), and what it shows of itself."""

    netloc: str
    proxy: str | None
    trusted: str | None
    cert: Any


class Connection:
    """One connection, made when it is first needed."""

    def __init__(self, route: Route, trust: ssl.SSLContext, proxy_trust: ssl.SSLContext | None) -> None:
        import httpx2  # noqa: PLC0415 - slow to import: only who sends has to wait for it.

        # At DEBUG they write out headers: of requests, in which the key is, and of answers, which may say it back.
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
        # Also when it is just forgotten.
        self.close = weakref.finalize(self, self._transport.close)
        self._lock = threading.Lock()
        self._network: Any = None
        self.is_hung_up = False

    def ask(self, request: requests.PreparedRequest, patience: Patience) -> httpx2.Response:
        """Send a request and return the response, once its headers have come."""
        import httpx2  # noqa: PLC0415 - see above.

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                self._connected(info["return_value"])
            if event.endswith(".receive_response_headers.started"):
                patience.renew()

        return self._transport.handle_request(
            httpx2.Request(
                str(request.method),
                str(request.url),
                headers=[(_bytes(name), _bytes(value)) for name, value in request.headers.items()],
                content=request.body,
                extensions={"timeout": patience, "trace": trace},
            )
        )

    def _connected(self, network: Any) -> None:  # noqa: ANN401 - httpcore2's.
        with self._lock:
            self._network = network
        if self.is_hung_up:
            self.hang_up()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come since the last exchange: what may come is that the server hangs up."""
        return not self._network.get_extra_info("is_readable")

    def hang_up(self) -> None:
        """End what another thread does on the connection."""
        with self._lock:
            self.is_hung_up = True
            if self._network:
                # Not the method of an SSL socket, after which the rest would be read as if it were not encrypted.
                with suppress(OSError):
                    socket.socket.shutdown(self._network.get_extra_info("socket"), socket.SHUT_RDWR)


class Patience:
    """The timeouts, as httpcore2 asks for them.

    Reading has until some seconds after the last byte of the answer. A server's pings are no such byte.
    """

    def __init__(self, timeout: Any) -> None:  # noqa: ANN401 - see `send`.
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        self._seconds: dict[str, float | None] = {"connect": connect, "read": read, "write": read}
        self.renew()

    def renew(self) -> None:
        """Start to wait anew."""
        self._since = monotonic()

    def get(self, what: str, _default: object = None) -> float | None:
        """Return how many seconds are left.

        Raises:
            TimeoutError: If none are.
        """
        seconds = self._seconds.get(what)
        if what != "read" or seconds is None:
            return seconds
        left = self._since + seconds - monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing has come for {seconds} s")
        return left


class Body:
    """The body of a response as it came over the wire, for urllib3 to read."""

    def __init__(
        self,
        answer: httpx2.Response,
        connection: Connection,
        patience: Patience,
        *,
        keep: Callable[[Connection], None],
        drop: Callable[[Connection], None],
    ) -> None:
        self._answer = answer
        self._pieces = answer.iter_raw()
        self._rest = memoryview(b"")
        self._connection = connection
        self._patience = patience
        self._keep = keep
        self._drop = drop
        self.closed = False

    def read(self, size: int | None = None) -> bytes:
        """Return up to `size` bytes as soon as some have come, all of them without a size, none at the end.

        Raises:
            OSError: If the body is cut, or does not come.
        """
        if size is None:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        if not self._rest and not self.closed:
            self._rest = memoryview(self._next_piece())
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def _next_piece(self) -> bytes:
        self._patience.renew()
        try:
            piece = next(self._pieces, b"")
        except failures() as error:
            self.close()
            raise _body_error(error) from reason(error)
        if self._connection.is_hung_up:
            self.close()
            raise ConnectionAbortedError("the connection was closed on this side")
        if not piece:
            self.closed = True
            self._keep(self._connection)
        return piece

    def close(self) -> None:
        """Close the connection, unless the body has come to its end and it has been given back."""
        if not self.closed:
            self.closed = True
            # In this order: httpx2 would take the connection for one to be used again, though more is to come.
            self._drop(self._connection)
            self._answer.close()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def failures() -> tuple[type[BaseException], ...]:
    """Return what httpx2 and those below it raise."""
    import h2.exceptions  # noqa: PLC0415 - see Connection.
    import httpx2  # noqa: PLC0415 - see Connection.

    return httpx2.TransportError, httpx2.InvalidURL, h2.exceptions.H2Error, OSError


def _body_error(error: BaseException) -> OSError:
    """Return the error from which urllib3 tells silence from a cut."""
    import httpx2  # noqa: PLC0415 - see Connection.

    kind = TimeoutError if isinstance(error, httpx2.TimeoutException | TimeoutError) else ConnectionResetError
    return kind(str(reason(error)))


def reason(error: BaseException) -> BaseException:
    """Return the innermost of errors that wrap each other, in words that can be read."""
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
