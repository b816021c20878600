"""Work done ahead by a few threads, in order, and no further ahead than agreed."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ahead(AbstractContextManager["Ahead[Item, Result]"], Generic[Item, Result]):
    """The results of `work` on items that will be taken in order, at most `depth` of them begun and not yet taken.

    The threads are daemons, so that a run that ends with an error does not wait for what is under way.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        depth: int,
        *,
        discard: Callable[[Result], object],
    ) -> None:
        self._work = work
        self._discard = discard
        self._results: dict[Item, Future[Result]] = {item: Future() for item in items}
        self._waiting = deque(self._results.items())
        self._slots = threading.Semaphore(depth)
        self._closing = False
        for number in range(min(depth, len(self._results))):
            threading.Thread(target=self._run, name=f"ahead-{number}", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._slots.acquire()
            try:
                item, future = self._waiting.popleft()
            except IndexError:
                self._slots.release()
                return
            try:
                result = self._work(item)
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken.
                future.set_exception(error)
            else:
                future.set_result(result)
                if self._closing:
                    self._discard(result)

    def __contains__(self, item: Item) -> bool:
        """Return whether an item's result can still be taken."""
        return item in self._results

    def take(self, item: Item) -> Result:
        """Wait for an item's result and return it, once; or raise what its work has raised."""
        future = self._results.pop(item)
        try:
            return future.result()
        finally:
            self._slots.release()

    def __exit__(self, *_: object) -> None:
        """Begin nothing more, and discard what was not taken."""
        self._closing = True
        self._waiting.clear()
        self._slots.release()
        for future in self._results.values():
            if future.done() and future.exception() is None:
                self._discard(future.result())
