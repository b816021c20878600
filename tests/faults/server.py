"""A Pigment that shows a fault, once or always, when it is asked for something in particular."""

from __future__ import annotations

import socket
import threading
from contextlib import AbstractContextManager, ExitStack, suppress
from enum import Enum
from typing import TYPE_CHECKING, Self

from tests.faults.wires import http1, http2
from tests.wire import accepting

if TYPE_CHECKING:
    import ssl

    from tests.faults.faults import Fault
    from tests.faults.wires import Wire
    from tests.pigment import Pigment, SentRequest
    from tests.wire import Authority

HOST = "127.0.0.1"


class Carrier(Enum):
    """What carries the requests: its name, and what TLS offers."""

    HTTP_1 = ("HTTP/1.1", None)
    HTTP_1_TLS = ("HTTP/1.1 over TLS", "http/1.1")
    HTTP_2 = ("HTTP/2", "h2")

    def __init__(self, label: str, offer: str | None) -> None:
        self.label = label
        self.offer = offer

    def tls(self, authority: Authority) -> ssl.SSLContext | None:
        """Return what encrypts its connections, if anything does."""
        return authority.tls(self.offer) if self.offer else None


class FaultyServer(AbstractContextManager["FaultyServer"]):
    """Serves a Pigment with a fault.

    Args:
        pigment: What to answer where there is no fault.
        carrier: What carries the requests.
        tls: What encrypts them, if anything does.
        fault: The fault; None for none.
        path_part: What the path of a request holds that meets it.
        always: Whether it stays, or comes only once.
    """

    def __init__(  # noqa: PLR0913 - what makes a cell.
        self,
        pigment: Pigment,
        carrier: Carrier,
        tls: ssl.SSLContext | None,
        *,
        fault: Fault | None = None,
        path_part: str = "",
        always: bool = False,
    ) -> None:
        self._pigment = pigment
        self._carrier = carrier
        self._tls = tls
        self._fault = fault
        self._path_part = path_part
        self._always = always
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.shown = 0

    @property
    def is_silent(self) -> bool:
        """Whether the fault is that nothing more comes."""
        return self._fault is not None and self._fault.is_silent

    @property
    def url(self) -> str:
        """What the tap takes as `api_url`."""
        return f"http{'s' if self._tls else ''}://{HOST}:{self.port}/api"

    def __enter__(self) -> Self:
        """Begin to serve."""
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
        """Listen again, if the fault was that nobody did, and it is over."""
        with self._lock:
            if self._listener.fileno() == -1 and not self._always:
                self._listener = socket.create_server((HOST, self.port))
                self._open()

    def _open(self) -> None:
        speak = http2(self._serve) if self._carrier is Carrier.HTTP_2 else http1(self._serve)
        self._stack.enter_context(accepting(self._listener, speak, self._tls))

    def _shut(self) -> None:
        """Refuse connections from now on, and count that as the fault."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.shown += 1

    def _is_closed_before(self, path: str) -> bool:
        """Return whether nobody listens when a request for a path comes."""
        return self._fault is not None and self._fault.refuses and self._path_part in path

    def _serve(self, wire: Wire, request: SentRequest) -> None:
        right = self._pigment.answer(request)
        fault = self._fault
        if fault is None or fault.refuses:
            # The listing is the last request before the exports.
            if fault and not self.shown and not self._is_closed_before("/blocks"):
                self._shut()
            wire.answer(right)
            if fault and not wire.is_over:
                wire.hang_up()
            return
        with self._lock:
            is_struck = self._path_part in request.path and (self._always or not self.shown)
            number = self.shown
            self.shown += is_struck
        if is_struck:
            fault.show(self._carrier)(wire, right, number)
        else:
            wire.answer(right)
