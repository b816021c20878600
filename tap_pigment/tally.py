"""What a run has asked of Pigment: counted over all threads, and said in one line."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

_MEGABYTE = 1_000_000


class Tally:
    """The counts of one client.

    Waits of several threads at once count once: what is counted is the time in which anything waited.

    Args:
        clock: The time in seconds, from whenever.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests = 0
        self._again = 0
        self._received_bytes = 0
        self._waited_seconds = 0.0
        self._waiting = 0
        self._waiting_since = 0.0

    def count_request(self) -> None:
        """Count a request that is sent."""
        with self._lock:
            self._requests += 1

    def count_again(self) -> None:
        """Count a request that is about to be sent again."""
        with self._lock:
            self._again += 1

    @contextmanager
    def counted_body(self, response: Response) -> Iterator[None]:
        """Close a response at the end of the block, and count the bytes of its body that came over the wire."""
        pieces_bytes = 0
        pieces = response.iter_content

        def counted_pieces(*args: Any, **kwargs: Any) -> Iterator[bytes]:  # noqa: ANN401 - as it is called, so it calls.
            nonlocal pieces_bytes
            for piece in pieces(*args, **kwargs):
                pieces_bytes += len(piece)
                yield piece

        response.iter_content = counted_pieces  # type: ignore[method-assign] # All reading of a body ends up there.
        with response:
            try:
                yield
            finally:
                with self._lock:
                    # urllib3 does not count what comes in chunks.
                    self._received_bytes += response.raw.tell() or pieces_bytes

    @contextmanager
    def counted_wait(self) -> Iterator[None]:
        """Count the time until the block ends as waited."""
        with self._lock:
            if not self._waiting:
                self._waiting_since = self._clock()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._waited_seconds += self._clock() - self._waiting_since

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._requests

    def __str__(self) -> str:
        """Return the line that reports a run."""
        with self._lock:
            times = "once" if self._requests == 1 else f"{self._requests:,} times"
            megabytes = self._received_bytes / _MEGABYTE
            return (
                f"Pigment was asked {times} ({self._again:,} of them again), {megabytes:,.1f} MB received, "
                f"{self._waited_seconds:,.1f} s waited."
            )
