"""Prefetching: results in order, never more ahead than agreed, and none left over."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TypeVar

import pytest

from tap_pigment.exports import PostponedError, Prefetcher, in_thread
from tests.support.taps import TIMEOUT_SECONDS, eventually

Item = TypeVar("Item")
Result = TypeVar("Result")


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("prefetch-")}


@pytest.fixture(autouse=True)
def no_thread_hangs() -> Iterator[None]:
    """Check that each test leaves no thread behind."""
    yield
    assert eventually(lambda: not threads())


def ignore(_: object) -> None:
    """Discard nothing."""


def take(prefetcher: Prefetcher[Item, Result], item: Item) -> Result:
    """Take a result, or fail if it never comes: a test that hangs is worse than one that fails."""
    taken: Future[Result] = Future()

    def wait() -> None:
        try:
            taken.set_result(prefetcher.take(item))
        except BaseException as error:  # noqa: BLE001 - raised in the test.
            taken.set_exception(error)

    threading.Thread(target=wait, daemon=True).start()
    return taken.result(TIMEOUT_SECONDS)


class CountedWork:
    """Work that counts how far it is ahead of what was taken; work in the thread that takes is not ahead.

    Attributes:
        begun: The items on which work began ahead, in order.
        taken: How many results were taken, or are being taken.
        most_ahead: The most results that were begun and not taken.
    """

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.taken = 0
        self.most_ahead = 0
        self._lock = threading.Lock()

    def __call__(self, item: int) -> int:
        """Return the item."""
        if threading.current_thread() not in threads():
            return item
        with self._lock:
            self.begun.append(item)
            self.most_ahead = max(self.most_ahead, len(self.begun) - self.taken)
        return item


@pytest.mark.parametrize("depth", [1, 2, 4, 50])
def test_results_come_in_order_and_once(depth: int) -> None:
    prefetcher = Prefetcher[int, int](lambda item: item * 10, depth, discard=ignore)

    with prefetcher.started(range(20)):
        results = [take(prefetcher, item) for item in range(20)]

    assert results == [item * 10 for item in range(20)]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_work_is_as_far_ahead_as_agreed_and_no_further(depth: int) -> None:
    work = CountedWork()
    prefetcher = Prefetcher(work, depth, discard=ignore)

    with prefetcher.started(range(12)):
        for item in range(12):
            allowed = min(item + depth, 12)
            assert eventually(lambda: len(work.begun) == allowed)  # noqa: B023 - called at once.
            work.taken += 1
            take(prefetcher, item)

    assert sorted(work.begun) == list(range(12))
    assert work.most_ahead == depth


def test_a_result_can_be_taken_before_its_work_began() -> None:
    go, waiting = threading.Event(), threading.Event()

    def work(item: int) -> int:
        if not item:
            assert go.wait(TIMEOUT_SECONDS)
        return item

    prefetcher = Prefetcher(work, 1, discard=ignore)
    late: Future[int] = Future()

    def take_late() -> None:
        waiting.set()
        late.set_result(prefetcher.take(1))

    with prefetcher.started(range(2)):
        threading.Thread(target=take_late, daemon=True).start()
        assert waiting.wait(TIMEOUT_SECONDS)
        was_done = late.done()
        go.set()

        assert take(prefetcher, 0) == 0
        assert late.result(TIMEOUT_SECONDS) == 1
    assert not was_done


def test_work_runs_in_as_many_threads_as_agreed() -> None:
    together = threading.Barrier(3, timeout=TIMEOUT_SECONDS)
    prefetcher = Prefetcher[int, int](lambda _: together.wait(), 3, discard=ignore)

    with prefetcher.started(range(3)):
        places = {take(prefetcher, item) for item in range(3)}

    assert places == {0, 1, 2}


def test_a_result_that_is_not_there_yet_is_waited_for() -> None:
    go = threading.Event()

    def work(item: str) -> str:
        assert go.wait(TIMEOUT_SECONDS)
        return item.upper()

    prefetcher = Prefetcher(work, 1, discard=ignore)

    with prefetcher.started(["a"]):
        threading.Timer(0.02, go.set).start()
        assert take(prefetcher, "a") == "A"


def test_an_error_is_raised_where_its_result_is_taken() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise ValueError("one is bad")
        return item

    prefetcher = Prefetcher(work, 1, discard=ignore)

    with prefetcher.started(range(3)):
        assert take(prefetcher, 0) == 0
        with pytest.raises(ValueError, match="one is bad"):
            take(prefetcher, 1)
        assert take(prefetcher, 2) == 2


def test_an_item_that_was_not_started_is_worked_on_when_it_is_taken() -> None:
    workers: list[threading.Thread] = []

    def work(item: int) -> int:
        workers.append(threading.current_thread())
        return item * 10

    prefetcher = Prefetcher(work, 2, discard=ignore)

    assert prefetcher.take(7) == 70
    with prefetcher.started(list[int]()):
        assert prefetcher.take(8) == 80
    assert workers == [threading.current_thread()] * 2


def test_untaken_results_are_discarded_and_the_rest_never_begins() -> None:
    begun: list[int] = []
    discarded: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item

    prefetcher = Prefetcher(work, 3, discard=discarded.append)

    with prefetcher.started(range(10)):
        take(prefetcher, 0)
        assert eventually(lambda: len(begun) == 4)

    assert eventually(lambda: sorted(discarded) == [1, 2, 3])
    assert sorted(begun) == [0, 1, 2, 3]


def test_work_in_progress_at_the_end_is_discarded_when_it_is_done() -> None:
    started, go = threading.Event(), threading.Event()
    discarded: list[str] = []

    def work(item: str) -> str:
        started.set()
        assert go.wait(TIMEOUT_SECONDS)
        return item

    prefetcher = Prefetcher(work, 1, discard=discarded.append)

    with prefetcher.started(["slow", "never"]):
        assert started.wait(TIMEOUT_SECONDS)
    discarded_at_the_end = list(discarded)
    go.set()

    assert discarded_at_the_end == []
    assert eventually(lambda: discarded == ["slow"])


def test_errors_that_nobody_takes_are_ignored() -> None:
    def work(item: int) -> int:
        raise ValueError(item)

    prefetcher = Prefetcher(work, 3, discard=ignore)

    with prefetcher.started(range(3)):
        pass


def test_an_error_in_the_block_is_raised_and_results_are_discarded() -> None:
    discarded: list[int] = []
    prefetcher = Prefetcher[str, int](int, 2, discard=discarded.append)

    def stop_early() -> None:
        with prefetcher.started(["1", "2"]):
            take(prefetcher, "1")
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        stop_early()

    assert eventually(lambda: discarded == [2])


def test_no_items_need_no_threads() -> None:
    prefetcher = Prefetcher[int, str](str, 4, discard=ignore)

    with prefetcher.started([]):
        assert not threads()


def test_an_item_that_is_taken_again_begins_no_more_than_agreed() -> None:
    work = CountedWork()
    prefetcher = Prefetcher(work, 1, discard=ignore)

    with prefetcher.started(range(20)):
        work.taken = 1
        assert [take(prefetcher, 0) for _ in range(100)] == [0] * 100
        assert eventually(lambda: work.begun == [0, 1])

    assert work.most_ahead == 1


def test_work_in_a_thread_returns_its_result_or_raises_its_error() -> None:
    workers: list[threading.Thread] = []

    def work() -> int:
        workers.append(threading.current_thread())
        return 7

    def fail() -> int:
        raise ValueError("it is bad")

    assert in_thread(work) == 7
    assert workers != [threading.current_thread()]
    with pytest.raises(ValueError, match="it is bad"):
        in_thread(fail)


def test_work_runs_in_fewer_threads_than_its_depth() -> None:
    together = threading.Barrier(2, timeout=TIMEOUT_SECONDS)
    workers: list[str] = []

    def work(item: int) -> int:
        together.wait()
        workers.append(threading.current_thread().name)
        return item

    prefetcher = Prefetcher(work, 8, discard=ignore, threads=2)

    with prefetcher.started(range(8)):
        assert eventually(lambda: len(workers) == 8)
    assert set(workers) == {"prefetch-0", "prefetch-1"}


def test_postponed_work_is_done_when_its_result_is_taken() -> None:
    worked_on: list[int] = []

    def work(item: int) -> int:
        worked_on.append(item)
        if item == 1 and worked_on.count(1) == 1:
            raise PostponedError
        return item * 10

    prefetcher = Prefetcher(work, 3, discard=ignore)

    with prefetcher.started(range(3)):
        assert eventually(lambda: len(worked_on) == 3)
        assert [take(prefetcher, item) for item in range(3)] == [0, 10, 20]
    assert sorted(worked_on) == [0, 1, 1, 2]


def test_work_begins_no_sooner_than_it_may() -> None:
    begun: list[int] = []
    allowed = {0}

    def work(item: int) -> int:
        begun.append(item)
        return item

    prefetcher = Prefetcher(work, 4, discard=ignore, may_begin=lambda item: item in allowed)

    with prefetcher.started(range(4)):
        assert eventually(lambda: begun == [0])
        assert take(prefetcher, 0) == 0
        was_begun = list(begun)
        allowed.update({1, 2})

        assert eventually(lambda: sorted(begun) == [0, 1, 2])
    assert was_begun == [0]
