"""The requests of the last 5 minutes, of one run or, in a file, of all runs on a machine."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, cast

from tap_pigment.errors import SettingsError
from tap_pigment.pigment.api import WINDOW_SECONDS

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from filelock import FileLock
    from pyrate_limiter import AbstractBucket, Decision, Rate

    from tap_pigment.settings import Settings

COUNTED_SECONDS = WINDOW_SECONDS * 1.01
"""How long a request counts: Pigment counts it when it arrives, which takes longer for some than for others."""
MAX_LOCK_SECONDS = 60.0
"""How long to wait for another run that counts a request, which takes it milliseconds."""

_MILLISECONDS = 1_000
_MAX_CLOCK_DIFFERENCE_SECONDS = 5


class RequestQuota:
    """Counts requests, at most `requests_per_window` of them in any 5 minutes.

    pyrate-limiter's buckets count: in memory, or with `quota_file` in an SQLite database that processes lock. The
    kernel releases the lock of a run that is killed.

    Args:
        settings: The settings.
        logger: Reports that the counts in the file were dropped.
        clock: Returns the time in seconds. In place of the system's monotonic clock, which sandboxed containers do not
            share, the counts in a file have the time of day.
        max_lock_seconds: How long to wait for the lock of the file.

    Attributes:
        limit: The most requests in 5 minutes.
    """

    def __init__(
        self,
        settings: Settings,
        logger: logging.Logger,
        *,
        clock: Callable[[], float],
        max_lock_seconds: float = MAX_LOCK_SECONDS,
    ) -> None:
        self.limit = settings.requests_per_window
        self._path = settings.quota_file
        self._logger = logger
        self._max_lock_seconds = max_lock_seconds
        self._now = time if self._path and clock is monotonic else clock
        self._bucket: AbstractBucket | None = None
        self._file_lock: FileLock | None = None

    def open(self) -> None:
        """Open the file, if there is one.

        Raises:
            SettingsError: If it cannot be used.
        """
        with self._file_errors():
            self._opened()

    def take(self) -> float:
        """Count one more request and return 0; or, if it may not be sent yet, return how many seconds to wait.

        Raises:
            SettingsError: If the file cannot be used.
        """
        from pyrate_limiter import RateItem  # noqa: PLC0415 - see `_opened`.

        with self._locked_bucket() as bucket:
            # The moment is noted with the lock: to wait for it may take long, and the request is sent after that.
            request = RateItem("request", self._milliseconds())
            bucket.leak(request.timestamp)
            decision = cast("Decision", bucket.put_decision(request))  # Only other buckets are asynchronous.
        return 0 if decision.allowed else max(decision.retry_after_ms or 0, 1) / _MILLISECONDS

    def used(self) -> int:
        """Return how many requests count now.

        Raises:
            SettingsError: If the file cannot be used.
        """
        with self._locked_bucket() as bucket:
            bucket.leak(self._milliseconds())
            return cast("int", bucket.count())

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._path and self._bucket:
            with suppress(SettingsError), self._locked_bucket() as bucket:
                bucket.close()
            self._bucket = None

    @contextmanager
    def _locked_bucket(self) -> Iterator[AbstractBucket]:
        """Give the bucket, which no other run can use until the block ends.

        Raises:
            SettingsError: If the file cannot be used.
        """
        with self._file_errors():
            bucket = self._opened()
            # Not the lock's own limit, which it keeps for each thread.
            lock = self._file_lock.acquire(timeout=self._max_lock_seconds) if self._file_lock else nullcontext()
            with lock:
                yield bucket

    def _milliseconds(self) -> int:
        return int(self._now() * _MILLISECONDS)

    def _opened(self) -> AbstractBucket:
        if self._bucket is None:
            from pyrate_limiter import InMemoryBucket, Rate  # noqa: PLC0415 - slow; many commands send nothing.

            rates = [Rate(self.limit, int(COUNTED_SECONDS * _MILLISECONDS))]
            self._bucket = self._file_bucket(rates) if self._path else InMemoryBucket(rates)
        return self._bucket

    def _file_bucket(self, rates: list[Rate]) -> AbstractBucket:
        from filelock import FileLock  # noqa: PLC0415 - only for files.
        from pyrate_limiter import SQLiteBucket  # noqa: PLC0415 - only for files.

        # The bucket would wait without end for a lock that it cannot make, or that a suspended run keeps.
        Path(self._path).touch()
        with FileLock(f"{self._path}.lock", timeout=self._max_lock_seconds):
            pass
        bucket = SQLiteBucket.init_from_file(rates, db_path=self._path, use_file_lock=True)
        self._file_lock = cast("FileLock", bucket.lock)
        newest = bucket.peek(0)
        if newest and newest.timestamp > self._milliseconds() + _MAX_CLOCK_DIFFERENCE_SECONDS * _MILLISECONDS:
            self._logger.warning(
                "quota_file: it has requests of the future, because the clock was set back. Counting starts again."
            )
            bucket.flush()
        return bucket

    @contextmanager
    def _file_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SettingsError(self._problem(error)) from None

    def _problem(self, error: sqlite3.Error | OSError) -> str:
        """Return the message about a file that cannot be used."""
        path = self._path
        if isinstance(error, TimeoutError):
            return (
                f"quota_file: another run has kept {path}.lock for {self._max_lock_seconds:.0f} s. Look for a run that "
                "is suspended, and resume or end it."
            )
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            return (
                f"quota_file: {path} holds no counts of requests: {error}. Set it to a file that the tap may make, or "
                "remove that one."
            )
        cause = error.strerror if isinstance(error, OSError) else error
        return (
            f"quota_file: cannot use {path}: {cause}. Set it to a file in an existing directory that can be written, "
            "on a disk of this machine."
        )
