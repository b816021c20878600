"""A Pigment that fails once or always, on requests for a certain path."""

from __future__ import annotations

import socket
import threading
from contextlib import AbstractContextManager, ExitStack, suppress
from enum import Enum
from typing import TYPE_CHECKING, Self

from tests.faults.exchanges import http1, http2
from tests.support.wire import accepting

if TYPE_CHECKING:
    import ssl

    from tests.faults.exchanges import Exchange
    from tests.faults.faults import Fault
    from tests.support.pigment import Pigment, SentRequest
    from tests.support.wire import Authority

HOST = "127.0.0.1"


class Transport(Enum):
    """How requests travel.

    Attributes:
        label: The name.
        offer: The protocol that TLS offers; None without TLS.
    """

    HTTP_1 = ("HTTP/1.1", None)
    HTTP_1_TLS = ("HTTP/1.1 over TLS", "http/1.1")
    HTTP_2 = ("HTTP/2", "h2")

    def __init__(self, label: str, offer: str | None) -> None:
        self.label = label
        self.offer = offer

    def tls(self, authority: Authority) -> ssl.SSLContext | None:
        """Return the TLS context of a server; None without TLS."""
        return authority.tls(self.offer) if self.offer else None


class FaultyServer(AbstractContextManager["FaultyServer"]):
    """Serves a Pigment with a fault.

    Args:
        pigment: The responses without a fault.
        transport: How requests travel.
        tls: The TLS context; None without TLS.
        fault: The fault; None for none.
        path_part: A part of the path of the requests that meet the fault.
        always: Whether all of them meet it, or only the first.

    Attributes:
        port: The port.
        injected: How often the fault occurred.
    """

    def __init__(  # noqa: PLR0913 - what makes a cell.
        self,
        pigment: Pigment,
        transport: Transport,
        tls: ssl.SSLContext | None,
        *,
        fault: Fault | None = None,
        path_part: str = "",
        always: bool = False,
    ) -> None:
        self._pigment = pigment
        self._transport = transport
        self._tls = tls
        self._fault = fault
        self._path_part = path_part
        self._always = always
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.injected = 0

    @property
    def is_silent(self) -> bool:
        """Whether the fault is silence, for which the tap has to wait."""
        return self._fault is not None and self._fault.is_silent

    @property
    def url(self) -> str:
        """The setting `api_url`."""
        return f"http{'s' if self._tls else ''}://{HOST}:{self.port}/api"

    def __enter__(self) -> Self:
        """Start to serve."""
        if self._is_closed_before("/blocks"):
            self._shut()
        else:
            self._open()
        return self

    def __exit__(self, *_: object) -> None:
        """End all connections."""
        self._stack.close()
        self._listener.close()

    def after_a_wait(self) -> None:
        """Listen again after a refused connection, unless the fault stays."""
        with self._lock:
            if self._listener.fileno() == -1 and not self._always:
                self._listener = socket.create_server((HOST, self.port))
                self._open()

    def _open(self) -> None:
        speak = http2(self._serve) if self._transport is Transport.HTTP_2 else http1(self._serve)
        self._stack.enter_context(accepting(self._listener, speak, self._tls))

    def _shut(self) -> None:
        """Refuse connections from now on, which is the fault."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.injected += 1

    def _is_closed_before(self, path: str) -> bool:
        """Return whether connections are refused before a request for a path."""
        return self._fault is not None and self._fault.refuses and self._path_part in path

    def _serve(self, exchange: Exchange, request: SentRequest) -> None:
        right = self._pigment.answer(request)
        fault = self._fault
        if fault is None or fault.refuses:
            # The listing is the last request before those for exports.
            if fault and not self.injected and not self._is_closed_before("/blocks"):
                self._shut()
            exchange.respond(right)
            if fault and not exchange.is_over:
                exchange.hang_up()
            return
        with self._lock:
            is_hit = self._path_part in request.path and (self._always or not self.injected)
            number = self.injected
            self.injected += is_hit
        if is_hit:
            fault.inject(self._transport)(exchange, right, number)
        else:
            exchange.respond(right)
