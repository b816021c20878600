"""A Pigment in which each block has a fault of its own, and which says the key back wherever it can."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.faults.faults import FAULTS, Column
from tests.faults.server import HOST, Carrier
from tests.faults.wires import http1, http2
from tests.pigment import API_KEY, Answer, Pigment, SentRequest
from tests.wire import accepting

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.faults.faults import Fault
    from tests.faults.wires import Wire

# In one frame of HTTP/2, and more than Python keeps back before it writes.
LONG = "Code;Name\r\n" + "".join(f"{number};Name {number}\r\n" for number in range(900))
SECONDS_TO_HOLD = 20


class EchoingWire:
    """An exchange whose answers say back the key that came with the request, in headers and in bodies of errors."""

    def __init__(self, wire: Wire, key: str) -> None:
        self._wire = wire
        self._key = key

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a wire has.
        """Return what the wire has."""
        return getattr(self._wire, name)

    def answer(self, answer: Answer) -> None:
        """Send an answer, and the key in it; nothing is to be waited for."""
        headers = {name: value.replace(API_KEY, quote(self._key, safe="")) for name, value in answer.headers.items()}
        headers |= {"X-Echo": f"Bearer {self._key}", "Retry-After": "0", "Set-Cookie": f"key={self._key}"}
        body = answer.body.replace(API_KEY.encode(), self._key.encode()) if answer.status != 200 else answer.body
        self._wire.answer(replace(answer, headers=headers, body=body))


@dataclass
class Everything:
    """The server.

    Attributes:
        carrier: What carries the requests.
        is_right: Whether all blocks are without their faults.
        listing: What to answer to whoever lists the blocks; None for the list.
        looked: Set when the export that is held half-way may go on.
    """

    carrier: Carrier
    is_right: bool = True
    listing: Answer | None = None
    looked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Add the blocks."""
        self._pigment = Pigment()
        self._held = self._pigment.add_list("Held", LONG)
        self._faults: dict[str, Fault] = {
            self._pigment.add_list(f"Fault {number}", "Code;Name\r\nA;Anna\r\nB;Bo\r\n"): fault
            for number, fault in enumerate(FAULTS)
            if fault.is_possible(self.carrier, Column.FIRST) and not fault.refuses
        }

    @contextmanager
    def serving(self, tls: ssl.SSLContext | None) -> Iterator[int]:
        """Serve until the block ends, and yield the port."""
        speak = http2(self._serve) if self.carrier is Carrier.HTTP_2 else http1(self._serve)
        with socket.create_server((HOST, 0)) as listener, accepting(listener, speak, tls):
            yield listener.getsockname()[1]

    def _serve(self, wire: Wire, request: SentRequest) -> None:
        key = request.headers["authorization"].removeprefix("Bearer ")
        # Any key is a right one.
        right = self._pigment.answer(
            replace(request, headers={**request.headers, "authorization": f"Bearer {API_KEY}"})
        )
        block_id = request.path.rpartition("/")[2]
        echoing = EchoingWire(wire, key)
        if self.listing and block_id == "blocks":
            echoing.answer(self.listing)
        elif block_id == self._held and not self.looked.is_set():
            wire.begin(right, len(right.body) - 100)
            self.looked.wait(SECONDS_TO_HOLD)
            wire.hang_up()
        elif self.is_right or block_id not in self._faults:
            echoing.answer(right)
        else:
            self._faults[block_id].show(self.carrier)(echoing, right, 0)
