"""Counts of a run's requests to Pigment, over all threads."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

_MEGABYTE = 1_000_000


class RequestStats:
    """Requests, retries, bytes and waits of one client.

    Waits of several threads at the same time count once: `wait_seconds` is the time in which any thread waited.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests = 0
        self._retries = 0
        self._received_bytes = 0
        self._open_bodies: dict[Response, Callable[[], int]] = {}
        self._wait_seconds = 0.0
        self._waiting_threads = 0
        self._waiting_since = 0.0

    def count_request(self, *, is_retry: bool = False) -> None:
        """Count a request before it is sent."""
        with self._lock:
            self._requests += 1
            self._retries += is_retry

    @contextmanager
    def counted_body(self, response: Response) -> Iterator[None]:
        """Count the bytes of a body as they were sent, and close the response when the block ends."""

        def size_bytes() -> int:
            # urllib3 does not count the bytes of a body that arrives in chunks.
            return response.raw.tell() or chunk_bytes

        chunk_bytes = 0
        iter_content = response.iter_content

        def counted_content(*args: Any, **kwargs: Any) -> Iterator[bytes]:  # noqa: ANN401 - passed on unchanged.
            nonlocal chunk_bytes
            for chunk in iter_content(*args, **kwargs):
                chunk_bytes += len(chunk)
                yield chunk

        response.iter_content = counted_content  # type: ignore[method-assign] # Every way to read a body calls it.
        with response:
            with self._lock:
                self._open_bodies[response] = size_bytes
            try:
                yield
            finally:
                with self._lock:
                    self._received_bytes += self._open_bodies.pop(response)()

    @contextmanager
    def counted_wait(self) -> Iterator[None]:
        """Count the time until the block ends as waited."""
        with self._lock:
            if not self._waiting_threads:
                self._waiting_since = self._clock()
            self._waiting_threads += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting_threads -= 1
                if not self._waiting_threads:
                    self._wait_seconds += self._clock() - self._waiting_since

    @property
    def requests(self) -> int:
        """The number of requests sent."""
        return self._requests

    def __str__(self) -> str:
        """Return the counts in one line, such as `13 requests (0 retries), 0.5 MB received, 0.0 s waiting`.

        Transfers and waits that have not ended count so far: a run that is stopped does not wait for their end.
        """
        with self._lock:
            received_bytes = self._received_bytes + sum(size_bytes() for size_bytes in self._open_bodies.values())
            wait_seconds = self._wait_seconds
            if self._waiting_threads:
                wait_seconds += self._clock() - self._waiting_since
            return (
                f"{counted(self._requests, 'request')} ({counted(self._retries, 'retry', 'retries')}), "
                f"{received_bytes / _MEGABYTE:,.1f} MB received, {wait_seconds:,.1f} s waiting"
            )
