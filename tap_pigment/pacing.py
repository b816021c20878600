"""At most so many requests in any 5 minutes, over all threads; none while Pigment wants none."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, cast

from tap_pigment.failures import WINDOW_SECONDS
from tap_pigment.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_pigment.settings import Settings

_MILLISECONDS = 1_000
_SECONDS_WORTH_TELLING = 1


class Pacer:
    """Lets requests pass, each when its time has come.

    What was sent is kept in pyrate-limiter's bucket, whose window slides exactly, so that the limit holds for any 5
    minutes. The waiting is not left to its `Limiter`, whose waits cannot be cut short or be given another clock.

    Args:
        settings: The settings.
        logger: Where waits are told: one line for all threads that wait at once.
        clock: The time in seconds, from whenever.
        sleep: Waits for some seconds, by the same clock.
        is_cancelled: Whether there is nothing to wait for any more.
    """

    def __init__(
        self,
        settings: Settings,
        logger: logging.Logger,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        is_cancelled: Callable[[], bool],
    ) -> None:
        from pyrate_limiter import InMemoryBucket, Rate, RateItem  # noqa: PLC0415 - only who sends has to wait for it.

        self._limit = settings.requests_per_window
        self._item = RateItem
        self._sent = InMemoryBucket([Rate(self._limit, WINDOW_SECONDS * _MILLISECONDS)])
        self._logger = logger
        self.tally = Tally(clock)
        self.now = clock
        self._sleep = sleep
        self._is_cancelled = is_cancelled
        self._lock = threading.Lock()
        self._held_until = self._told_until = -math.inf

    def wait_for_turn(self) -> None:
        """Wait until one request more may be sent, and count it as sent; or until the run is cancelled."""
        while not self._is_cancelled() and (seconds := self._seconds_to_wait()):
            self.wait(seconds)

    def wait(self, seconds: float) -> None:
        """Wait for some seconds, or until the run is cancelled."""
        with self.tally.counted_wait():
            self._sleep(seconds)

    def hold(self, seconds: float) -> None:
        """Let no request pass for some seconds: what Pigment says of its quota to one thread, it would say to all."""
        with self._lock:
            self._held_until = max(self._held_until, self.now() + seconds)

    def _seconds_to_wait(self) -> float:
        """Return 0 for a request that has been let pass, else how long to wait before asking again."""
        with self._lock:
            now = self.now()
            if now < self._held_until:
                reason = "Pigment's quota is used up (429), for all requests"
                seconds = self._held_until - now
            else:
                request = self._item("request", int(now * _MILLISECONDS))
                self._sent.leak(request.timestamp)
                if self._sent.put(request):
                    return 0
                reason = f"requests_per_window allows {self._limit:,} in 5 minutes"
                # It is no awaitable: this bucket keeps its items in memory.
                seconds = cast("int", self._sent.waiting(request)) / _MILLISECONDS
            self._tell(now, seconds, reason)
            return seconds

    def _tell(self, now: float, seconds: float, reason: str) -> None:
        """Tell a wait, unless it is part of one that has been told or too short to be noticed."""
        level = logging.DEBUG
        if seconds >= _SECONDS_WORTH_TELLING and now >= self._told_until:
            level = logging.INFO
            self._told_until = now + seconds
        self._logger.log(level, "Waiting %.1f s: %s.", seconds, reason)
