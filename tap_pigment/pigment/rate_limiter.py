"""Limits the requests in any 5 minutes, over all threads, and holds all of them back after a 429."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING

from tap_pigment.pigment.request_stats import RequestStats

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_pigment.pigment.quota import RequestQuota

QUOTA = "the quota"
"""What a request waits for, in lines of progress."""

_MIN_REPORTED_SECONDS = 1


class RateLimiter:
    """Delays requests so that any window of 5 minutes holds at most `requests_per_window` of them.

    The waiting happens here, because it must end when the run is stopped, and tests give it a clock of their own.

    Args:
        quota: Counts the requests.
        logger: Reports waits: one line for all threads that wait at the same time.
        clock: Returns the time in seconds.
        sleep: Waits for some seconds, by the same clock.
        is_cancelled: Returns whether waiting has no purpose any more.

    Attributes:
        stats: The counts of requests and waits.
        now: Returns the time in seconds.
    """

    def __init__(
        self,
        quota: RequestQuota,
        logger: logging.Logger,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._quota = quota
        self._logger = logger
        self.stats = RequestStats(clock)
        self.now = clock
        self._sleep = sleep
        self._is_cancelled = is_cancelled
        self._lock = threading.Lock()
        self._held_until = self._reported_until = -math.inf

    def wait_for_turn(self, on_wait: Callable[[str], object] = lambda _: None) -> None:
        """Wait until one more request may be sent, and count it as sent; return early if the run is cancelled.

        Args:
            on_wait: Called before each wait, with what is waited for.
        """
        while not self._is_cancelled() and (seconds := self._seconds_to_wait()):
            on_wait(QUOTA)
            self.wait(seconds)

    def wait(self, seconds: float) -> None:
        """Wait for some seconds, or until the run is cancelled."""
        with self.stats.counted_wait():
            self._sleep(seconds)

    def hold(self, seconds: float) -> None:
        """Hold back every request for some seconds: the quota is shared by all threads."""
        with self._lock:
            self._held_until = max(self._held_until, self.now() + seconds)

    def windows_to_wait(self, requests: int) -> int:
        """Return how many windows of 5 minutes at least pass before so many more requests are sent.

        Raises:
            SettingsError: If `quota_file` cannot be used.
        """
        with self._lock:
            return max(math.ceil((self._quota.used() + requests) / self._quota.limit) - 1, 0)

    def _seconds_to_wait(self) -> float:
        """Return 0 if the request may be sent, and was counted; else how long to wait before the next attempt."""
        with self._lock:
            now = self.now()
            if now < self._held_until:
                reason = "Pigment's quota is used up (429), for all requests"
                seconds = self._held_until - now
            else:
                seconds = self._quota.take()
                if not seconds:
                    return 0
                reason = f"requests_per_window allows {self._quota.limit:,} in 5 minutes"
            self._report(now, seconds, reason)
            return seconds

    def _report(self, now: float, seconds: float, reason: str) -> None:
        """Log a wait, unless it is short or part of one that was logged."""
        level = logging.DEBUG
        if seconds >= _MIN_REPORTED_SECONDS and now >= self._reported_until:
            level = logging.INFO
            self._reported_until = now + seconds
        self._logger.log(level, "Waiting %.1f s: %s", seconds, reason)
