"""The quota: so many requests of one client in a window of time."""

from collections import defaultdict, deque
from collections.abc import Callable


class Quota:
    """Counts requests by client; a request that is refused does not count."""

    def __init__(self, requests: int, window_seconds: float, clock: Callable[[], float]) -> None:
        self._requests = requests
        self._window_seconds = window_seconds
        self._clock = clock
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, client: str) -> bool:
        """Return whether the client may send one request more, and count it if so."""
        now = self._clock()
        taken = self._taken[client]
        while taken and taken[0] <= now - self._window_seconds:
            taken.popleft()
        if len(taken) >= self._requests:
            return False
        taken.append(now)
        return True
