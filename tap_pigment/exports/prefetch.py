"""Downloads exports ahead of the one that is being emitted or described, a few at a time and in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_WAIT_SECONDS = 0.25

Item = TypeVar("Item")
Result = TypeVar("Result")


class PostponedError(Exception):
    """The work on an item was given up, to be done when its result is taken."""


class Prefetcher(Generic[Item, Result]):
    """Runs `work` on items in a few threads, and hands out the results.

    At most `depth` results are in progress or not yet taken. The threads are daemons, so that a run that ends with an
    error does not wait for them.

    Args:
        work: Returns the result of an item.
        depth: How many items to work on ahead.
        discard: Called with each result that is not taken.
        threads: In how many threads; by default in as many as the depth.
        may_begin: Returns whether work on an item may begin ahead.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        depth: int,
        *,
        discard: Callable[[Result], object],
        threads: int | None = None,
        may_begin: Callable[[Item], bool] = lambda _: True,
    ) -> None:
        self._work = work
        self._depth = depth
        self._discard = discard
        self._threads = threads or depth
        self._may_begin = may_begin
        self._results: dict[Item, Future[Result]] = {}
        self._waiting: deque[tuple[Item, Future[Result]]] = deque()
        self._slots = threading.Semaphore(depth)
        self._lock = threading.Lock()  # So that a result that arrives at the end is discarded once.
        self._is_running = False

    @contextmanager
    def started(self, items: Iterable[Item]) -> Iterator[None]:
        """Work on items, in the order in which they will be taken, until the block ends."""
        self._slots = threading.Semaphore(self._depth)
        self._results = {item: Future() for item in items}
        self._waiting.extend(self._results.items())
        self._is_running = True
        for number in range(min(self._threads, len(self._results))):
            threading.Thread(target=self._run, name=f"prefetch-{number}", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._is_running = False
                untaken = [future for future in self._results.values() if future.done()]
                self._waiting.clear()
            self._slots.release()
            for future in untaken:
                if future.exception() is None:
                    self._discard(future.result())
            self._results.clear()

    def _run(self) -> None:
        while True:
            self._slots.acquire()
            begun = self._next()
            if begun is None:
                self._slots.release()
                return
            item, future = begun
            try:
                result = self._work(item)
            except BaseException as error:  # noqa: BLE001 - raised where the result is taken.
                future.set_exception(error)
            else:
                with self._lock:
                    future.set_result(result)
                    is_late = not self._is_running
                if is_late:
                    self._discard(result)

    def _next(self) -> tuple[Item, Future[Result]] | None:
        """Return the next item, as soon as work on it may begin; None if there is none."""
        while True:
            with self._lock:
                if not self._waiting:
                    return None
                if self._may_begin(self._waiting[0][0]):
                    return self._waiting.popleft()
            time.sleep(_WAIT_SECONDS / 5)

    def take(self, item: Item, *, on_wait: Callable[[], object] = lambda: None) -> Result:
        """Return an item's result, once it is there, or raise the error of its work.

        An item is worked on now if it was not among those to begin with, or its work was postponed.

        Args:
            item: The item.
            on_wait: Called again and again while the result is not there.
        """
        future = self._results.pop(item, None)
        if future is None:
            return self._work(item)
        try:
            # Python handles a signal that arrives right before a wait only after it, so the wait is short.
            while not wait([future], _WAIT_SECONDS).done:
                on_wait()
            return future.result()
        except PostponedError:
            return in_thread(lambda: self._work(item), on_wait=on_wait)
        finally:
            self._slots.release()


def in_thread(work: Callable[[], Result], *, on_wait: Callable[[], object] = lambda: None) -> Result:
    """Return the result of work in a thread of its own: a signal ends the wait for it.

    Args:
        work: Returns the result.
        on_wait: Called again and again while it is not there.
    """
    prefetcher = Prefetcher[None, Result](lambda _: work(), 1, discard=lambda _: None)
    with prefetcher.started([None]):
        return prefetcher.take(None, on_wait=on_wait)
