"""A Pigment in which each block has another fault, and whose responses repeat the API key."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.faults.exchanges import http1, http2
from tests.faults.faults import FAULTS, Phase
from tests.faults.server import HOST, Transport
from tests.support.pigment import API_KEY, Answer, Pigment, SentRequest
from tests.support.wire import accepting

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.faults.exchanges import Exchange
    from tests.faults.faults import Fault

# It fits into one frame of HTTP/2, and is longer than the buffer of a file in Python.
LONG = "Code;Name\r\n" + "".join(f"{number};Name {number}\r\n" for number in range(900))
SECONDS_TO_HOLD = 20


class EchoingExchange:
    """An exchange whose responses repeat the API key of the request, in headers and in bodies of errors."""

    def __init__(self, exchange: Exchange, key: str) -> None:
        self._exchange = exchange
        self._key = key

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute.
        """Return an attribute of the exchange."""
        return getattr(self._exchange, name)

    def respond(self, response: Answer) -> None:
        """Send a response with the API key in it; no retry has to wait."""
        headers = {name: value.replace(API_KEY, quote(self._key, safe="")) for name, value in response.headers.items()}
        headers |= {"X-Echo": f"Bearer {self._key}", "Retry-After": "0", "Set-Cookie": f"key={self._key}"}
        body = response.body.replace(API_KEY.encode(), self._key.encode()) if response.status != 200 else response.body
        self._exchange.respond(replace(response, headers=headers, body=body))


@dataclass
class AllFaultsServer:
    """Serves a block for each fault, and one whose export stops in the middle until it was searched.

    Attributes:
        transport: How requests travel.
        is_right: Whether no block has its fault.
        listing: The response to a listing of the blocks; None for the list.
        searched: Set when the export that stops in the middle was searched and may go on.
    """

    transport: Transport
    is_right: bool = True
    listing: Answer | None = None
    searched: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Add the blocks."""
        self._pigment = Pigment()
        self._held = self._pigment.add_list("Held", LONG)
        self._faults: dict[str, Fault] = {
            self._pigment.add_list(f"Fault {number}", "Code;Name\r\nA;Anna\r\nB;Bo\r\n"): fault
            for number, fault in enumerate(FAULTS)
            if fault.is_possible(self.transport, Phase.FIRST) and not fault.refuses
        }

    @contextmanager
    def serving(self, tls: ssl.SSLContext | None) -> Iterator[int]:
        """Serve until the block ends, and yield the port."""
        speak = http2(self._serve) if self.transport is Transport.HTTP_2 else http1(self._serve)
        with socket.create_server((HOST, 0)) as listener, accepting(listener, speak, tls):
            yield listener.getsockname()[1]

    def _serve(self, exchange: Exchange, request: SentRequest) -> None:
        key = request.headers["authorization"].removeprefix("Bearer ")
        # Any API key is accepted.
        right = self._pigment.answer(
            replace(request, headers={**request.headers, "authorization": f"Bearer {API_KEY}"})
        )
        block_id = request.path.rpartition("/")[2]
        echoing = EchoingExchange(exchange, key)
        if self.listing and block_id == "blocks":
            echoing.respond(self.listing)
        elif block_id == self._held and not self.searched.is_set():
            exchange.begin(right, len(right.body) - 100)
            self.searched.wait(SECONDS_TO_HOLD)
            exchange.hang_up()
        elif self.is_right or block_id not in self._faults:
            echoing.respond(right)
        else:
            self._faults[block_id].inject(self.transport)(echoing, right, 0)
