"""When STATE messages are written: after each stream, and with hundreds of bookmarks less often."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.output import StateWriter
from tests.support.taps import Clock

if TYPE_CHECKING:
    from singer_sdk.singerlib import Message


class Run:
    """A run that writes states.

    Attributes:
        clock: Its clock.
        sizes: The number of bookmarks in each STATE.
        times: When each was written.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.sizes: list[int] = []
        self.times: list[float] = []
        self.states = StateWriter(self._write, clock=self.clock)
        self._state: dict[str, Any] = {"bookmarks": {}}

    def _write(self, message: Message) -> None:
        self.times.append(self.clock.now)
        self.sizes.append(len(message.to_dict()["value"]["bookmarks"]))

    def end_streams(self, count: int, *, seconds: float = 0.0) -> None:
        """End some streams, each after so many seconds."""
        for _ in range(count):
            self.clock.now += seconds
            bookmarks = self._state["bookmarks"]
            bookmarks[f"stream_{len(bookmarks)}"] = {}
            self.states.stream_ended(self._state)


def test_up_to_200_bookmarks_are_written_after_each_stream() -> None:
    run = Run()

    run.end_streams(200)

    assert run.sizes == list(range(1, 201))


def test_more_bookmarks_are_written_as_soon_as_a_millisecond_for_each_has_passed() -> None:
    run = Run()
    step = 1 / 64  # A number that additions keep exact.

    run.end_streams(800, seconds=step)

    gaps = [later - earlier for earlier, later in pairwise(run.times[199:])]
    sizes = run.sizes[199:-1]
    assert len(gaps) > 20
    assert all(size / 1_000 <= gap < size / 1_000 + step for gap, size in zip(gaps, sizes, strict=True))


def test_the_last_state_has_all_streams_and_is_written_once() -> None:
    run = Run()
    run.end_streams(300)

    run.states.write_pending()
    run.states.write_pending()

    assert run.sizes[200:] == [300]


def test_a_state_that_waits_is_written_as_soon_as_it_is_due_and_once() -> None:
    run = Run()
    run.end_streams(300)

    written = []
    for _ in range(4):
        run.clock.now += 0.1
        run.states.write_if_due()
        written.append(len(run.sizes) - 200)

    assert written == [0, 1, 1, 1]
    assert run.sizes[-1] == 300


def test_nothing_waits_before_the_first_stream() -> None:
    run = Run()

    run.states.write_if_due()
    run.states.write_pending()

    assert run.sizes == []


@pytest.mark.parametrize("streams", [500, 1_000, 2_000])
def test_the_bookmarks_in_all_states_grow_with_the_time_and_not_with_its_square(streams: int) -> None:
    run = Run()

    run.end_streams(streams, seconds=0.01)

    first_200 = 200 * 201 / 2
    assert sum(run.sizes) - first_200 < 2 * 1_000 * run.clock.now
