"""A clock that several threads share."""

from __future__ import annotations

import threading

from tests.support.taps import TIMEOUT_SECONDS


class SharedClock:
    """A clock that stands still until it is advanced; whoever sleeps by it does so until then.

    Attributes:
        sleepers: How many threads sleep.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._advanced = threading.Condition()
        self.sleepers = 0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Sleep until the clock has been advanced by so many seconds."""
        with self._advanced:
            until = self._now + seconds
            self.sleepers += 1
            assert self._advanced.wait_for(lambda: self._now >= until, TIMEOUT_SECONDS)
            self.sleepers -= 1

    def advance(self, seconds: float) -> None:
        """Let some seconds pass."""
        with self._advanced:
            self._now += seconds
            self._advanced.notify_all()
