"""The request quota: a maximum number of requests per client in a sliding window of time."""

from collections import defaultdict, deque
from collections.abc import Callable


class Quota:
    """Counts requests per client; rejected requests do not count."""

    def __init__(self, requests: int, window_seconds: float, clock: Callable[[], float]) -> None:
        self._requests = requests
        self._window_seconds = window_seconds
        self._clock = clock
        self._request_times: defaultdict[str, deque[float]] = defaultdict(deque)

    def try_acquire(self, client: str) -> bool:
        """Return whether the client may send another request, and if so, count it."""
        now = self._clock()
        times = self._request_times[client]
        while times and times[0] <= now - self._window_seconds:
            times.popleft()
        if len(times) >= self._requests:
            return False
        times.append(now)
        return True
