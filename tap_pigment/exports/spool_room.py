"""How much of the disk exports take: the bytes of those that are downloaded ahead are limited."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_pigment.errors import SpoolError
from tap_pigment.exports.prefetch import PostponedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_pigment.exports.spool_directory import SpoolDirectory

_MEGABYTE = 1_000_000


class SpoolRoom:
    """The bytes of all exports on disk, by stream.

    The export of the stream that is synced may take any room. Those of later streams together may take `max_mb`, or
    half of the free space when the first one began: beyond that, no other download begins, and one in progress is
    given up until its stream is synced. Nobody knows the size of an export before it has arrived.

    Args:
        spool: The directory for exports.
        max_mb: The most megabytes of the exports ahead; None for half of the free space.

    Attributes:
        peak_bytes: The most bytes that exports took at the same time.
    """

    def __init__(self, spool: SpoolDirectory, max_mb: int | None) -> None:
        self._spool = spool
        self._limit = None if max_mb is None else max_mb * _MEGABYTE
        self._sizes: dict[str, int] = {}
        self._synced: str | None = None
        self._lock = threading.Lock()
        self.peak_bytes = 0

    @contextmanager
    def syncing(self, stream: str) -> Iterator[None]:
        """Let the export of a stream take any room until the block ends, when it is deleted."""
        with self._lock:
            self._synced = stream
        try:
            yield
        finally:
            with self._lock:
                self._synced = None
                self._sizes.pop(stream, None)

    def is_ahead(self, stream: str) -> bool:
        """Return whether a stream is not synced yet, so that its export may be postponed."""
        return stream != self._synced

    def may_begin(self, stream: str) -> bool:
        """Return whether the download of a stream may begin."""
        with self._lock:
            return not self.is_ahead(stream) or self._ahead_bytes() < self._limit_bytes()

    def hold(self, stream: str, size_bytes: int) -> None:
        """Note that so many bytes of the export of a stream are on disk.

        Raises:
            PostponedError: If the exports ahead take too much. This one is to be deleted, and does not count any more.
        """
        with self._lock:
            self._sizes[stream] = size_bytes
            self.peak_bytes = max(self.peak_bytes, sum(self._sizes.values()))
            if self.is_ahead(stream) and self._ahead_bytes() > self._limit_bytes():
                del self._sizes[stream]
                raise PostponedError

    def release(self, stream: str) -> None:
        """Note that the export of a stream was deleted."""
        with self._lock:
            self._sizes.pop(stream, None)

    def _ahead_bytes(self) -> int:
        return sum(size for stream, size in self._sizes.items() if self.is_ahead(stream))

    def _limit_bytes(self) -> int:
        if self._limit is None:
            try:
                self._limit = shutil.disk_usage(self._spool.path()).free // 2
            except (OSError, SpoolError):
                return 0  # The download that comes next says what is wrong with the disk.
        return self._limit
