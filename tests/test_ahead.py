"""Work done ahead: in order, never further than agreed, and nothing left over."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TypeVar

import pytest

from tap_pigment.ahead import Ahead
from tests.conftest import PATIENCE_SECONDS, eventually

Item = TypeVar("Item")
Result = TypeVar("Result")


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("ahead-")}


@pytest.fixture(autouse=True)
def no_thread_hangs() -> Iterator[None]:
    """Check that each test leaves no thread behind."""
    yield
    assert eventually(lambda: not threads())


def ignore(_: object) -> None:
    """Discard nothing."""


def take(ahead: Ahead[Item, Result], item: Item) -> Result:
    """Take a result, or fail where it never comes: a run that hangs is worse than one that fails."""
    taken: Future[Result] = Future()

    def wait() -> None:
        try:
            taken.set_result(ahead.take(item))
        except BaseException as error:  # noqa: BLE001 - it is raised in the test.
            taken.set_exception(error)

    threading.Thread(target=wait, daemon=True).start()
    return taken.result(PATIENCE_SECONDS)


@pytest.mark.parametrize("depth", [1, 2, 4, 50])
def test_results_come_in_order_and_once(depth: int) -> None:
    with Ahead(lambda item: item * 10, range(20), depth, discard=ignore) as ahead:
        results = [take(ahead, item) for item in range(20)]

    assert results == [item * 10 for item in range(20)]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_no_more_is_begun_than_agreed(depth: int) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item

    with Ahead(work, range(12), depth, discard=ignore) as ahead:
        for taken in range(12):
            allowed = min(taken + depth, 12)
            assert eventually(lambda: len(begun) == allowed)  # noqa: B023 - it is asked at once.
            time.sleep(0.005)
            assert len(begun) == allowed
            take(ahead, taken)

    assert sorted(begun) == list(range(12))


def test_a_result_may_be_asked_for_before_its_work_has_begun() -> None:
    # The threads are kept from starting on an item until it is being waited for.
    go = threading.Event()

    def work(item: int) -> int:
        if not item:
            assert go.wait(PATIENCE_SECONDS)
        return item

    with Ahead(work, range(2), 1, discard=ignore) as ahead:
        late: Future[int] = Future()
        threading.Thread(target=lambda: late.set_result(take(ahead, 1)), daemon=True).start()
        assert eventually(lambda: 1 not in ahead)
        go.set()

        assert take(ahead, 0) == 0
        assert late.result(PATIENCE_SECONDS) == 1


def test_as_much_is_done_at_once_as_agreed() -> None:
    together = threading.Barrier(3, timeout=PATIENCE_SECONDS)

    with Ahead(lambda _: together.wait(), range(3), 3, discard=ignore) as ahead:
        places = {take(ahead, item) for item in range(3)}

    assert places == {0, 1, 2}


def test_a_result_that_is_late_is_waited_for() -> None:
    go = threading.Event()

    def work(item: str) -> str:
        assert go.wait(PATIENCE_SECONDS)
        return item.upper()

    with Ahead(work, ["a"], 1, discard=ignore) as ahead:
        threading.Timer(0.02, go.set).start()
        assert take(ahead, "a") == "A"


def test_an_error_is_raised_where_its_result_is_taken() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise ValueError("one is bad")
        return item

    with Ahead(work, range(3), 1, discard=ignore) as ahead:
        assert take(ahead, 0) == 0
        with pytest.raises(ValueError, match="one is bad"):
            take(ahead, 1)
        assert take(ahead, 2) == 2


def test_what_can_still_be_taken_is_known() -> None:
    with Ahead(str, [1, 2], 1, discard=ignore) as ahead:
        assert 1 in ahead
        assert 3 not in ahead
        take(ahead, 1)
        assert 1 not in ahead
        assert 2 in ahead
        take(ahead, 2)


def test_what_was_not_taken_is_discarded_and_the_rest_never_begun() -> None:
    begun: list[int] = []
    discarded: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item

    with Ahead(work, range(10), 3, discard=discarded.append) as ahead:
        take(ahead, 0)
        assert eventually(lambda: len(begun) == 4)

    assert eventually(lambda: sorted(discarded) == [1, 2, 3])
    assert sorted(begun) == [0, 1, 2, 3]


def test_what_is_under_way_at_the_end_is_discarded_when_it_is_done() -> None:
    started, go = threading.Event(), threading.Event()
    discarded: list[str] = []

    def work(item: str) -> str:
        started.set()
        assert go.wait(PATIENCE_SECONDS)
        return item

    with Ahead(work, ["slow", "never"], 1, discard=discarded.append):
        assert started.wait(PATIENCE_SECONDS)
    assert discarded == []
    go.set()

    assert eventually(lambda: discarded == ["slow"])


def test_errors_that_nobody_took_are_forgotten() -> None:
    def work(item: int) -> int:
        raise ValueError(item)

    with Ahead(work, range(3), 3, discard=ignore):
        pass


def test_an_error_in_the_block_is_not_swallowed_and_discards() -> None:
    discarded: list[int] = []

    def stop_early() -> None:
        with Ahead(int, ["1", "2"], 2, discard=discarded.append) as ahead:
            take(ahead, "1")
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        stop_early()

    assert eventually(lambda: discarded == [2])


def test_no_items_are_no_work() -> None:
    with Ahead(str, list[int](), 4, discard=ignore) as ahead:
        assert 1 not in ahead
        assert not threads()


def test_taking_twice_is_an_error_and_begins_nothing_more() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item

    with Ahead(work, range(10), 1, discard=ignore) as ahead:
        take(ahead, 0)
        with pytest.raises(KeyError):
            take(ahead, 0)
        assert eventually(lambda: begun == [0, 1])
        time.sleep(0.02)

        assert begun == [0, 1]
