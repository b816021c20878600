"""The rate limiter: at most so many requests in any 5 minutes over all threads, and none while they are held back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.pigment.quota import RequestQuota
from tap_pigment.pigment.rate_limiter import RateLimiter
from tap_pigment.settings import Settings
from tests.support.taps import TIMEOUT_SECONDS, Clock, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from tests.support.shared_clock import SharedClock

LOGGER = logging.getLogger("test-rate-limiter")


def limiter_of(
    requests: int, clock: Clock | SharedClock, is_cancelled: Callable[[], bool] = lambda: False
) -> RateLimiter:
    """Return a rate limiter of so many requests in 5 minutes."""
    settings = Settings.from_config({"api_key": "pgmt_Abc", "application_id": "app-1", "requests_per_window": requests})
    quota = RequestQuota(settings, LOGGER, clock=clock)
    return RateLimiter(quota, LOGGER, clock=clock, sleep=clock.sleep, is_cancelled=is_cancelled)


# The window


def test_as_many_requests_as_allowed_pass_without_a_wait() -> None:
    clock = Clock()
    limiter = limiter_of(500, clock)

    for _ in range(500):
        limiter.wait_for_turn()

    assert clock.waits == []


def test_the_next_request_waits_until_the_first_has_surely_been_counted_5_minutes_ago() -> None:
    clock = Clock()
    limiter = limiter_of(2, clock)

    times = []
    for pause in (0, 100, 50, 0, 0):
        clock.now += pause
        limiter.wait_for_turn()
        times.append(clock.now)

    assert times == [0.0, 100.0, 303.001, 403.001, pytest.approx(606.002)]


def test_the_window_slides_and_has_no_fixed_buckets() -> None:
    clock = Clock()
    limiter = limiter_of(3, clock)

    clock.now = 299.0
    for _ in range(6):
        limiter.wait_for_turn()

    assert clock.waits == [pytest.approx(303.001)]


@given(st.integers(1, 6), st.lists(st.floats(0, 400), min_size=1, max_size=40))
def test_no_5_minutes_have_more_requests_than_allowed(requests: int, pauses: list[float]) -> None:
    clock = Clock()
    limiter = limiter_of(requests, clock)

    times = []
    for pause in pauses:
        clock.now += pause
        limiter.wait_for_turn()
        times.append(clock.now)

    assert all(later - earlier > 303 for earlier, later in zip(times, times[requests:], strict=False))


@given(st.lists(st.floats(0, 400), min_size=1, max_size=40))
def test_no_request_waits_longer_than_necessary(pauses: list[float]) -> None:
    clock = Clock()
    limiter = limiter_of(1, clock)

    limiter.wait_for_turn()
    for pause in pauses:
        before = clock.now
        clock.now += pause
        limiter.wait_for_turn()
        assert clock.now == pytest.approx(before + max(pause, 303), abs=0.01)


def test_all_threads_share_the_window(shared_clock: SharedClock, pool: ThreadPoolExecutor) -> None:
    limiter = limiter_of(5, shared_clock)

    turns = [pool.submit(limiter.wait_for_turn) for _ in range(8)]
    assert eventually(lambda: shared_clock.sleepers == 3)
    passed_at_once = sum(turn.done() for turn in turns)
    shared_clock.advance(304)
    for turn in turns:
        turn.result(TIMEOUT_SECONDS)

    assert passed_at_once == 5


@pytest.mark.parametrize(("sent", "more", "windows"), [(0, 3, 0), (0, 4, 1), (3, 0, 0), (3, 1, 1), (2, 8, 3)])
def test_the_windows_that_pass_before_so_many_requests_are_known(sent: int, more: int, windows: int) -> None:
    limiter = limiter_of(3, Clock())

    for _ in range(sent):
        limiter.wait_for_turn()

    assert limiter.windows_to_wait(more) == windows


def test_requests_that_do_not_count_any_more_delay_no_others() -> None:
    clock = Clock()
    limiter = limiter_of(3, clock)
    for _ in range(3):
        limiter.wait_for_turn()

    clock.now += 304

    assert limiter.windows_to_wait(3) == 0


# Holding back


def test_no_request_passes_while_requests_are_held() -> None:
    clock = Clock()
    limiter = limiter_of(500, clock)

    limiter.hold(20)
    limiter.hold(5)
    limiter.wait_for_turn()
    limiter.wait_for_turn()

    assert clock.waits == [20.0]


def test_a_cancelled_run_does_not_wait() -> None:
    clock = Clock()
    limiter = limiter_of(500, clock, is_cancelled=lambda: bool(clock.waits))
    limiter.hold(20)
    limiter.wait_for_turn()

    limiter.hold(1000)
    limiter.wait_for_turn()

    assert clock.waits == [20.0]


# Log lines


def test_a_wait_is_logged_with_its_reason_and_length(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    limiter = limiter_of(1, Clock())

    limiter.wait_for_turn()
    limiter.wait_for_turn()
    limiter.hold(20)
    limiter.hold(1000)
    limiter.wait_for_turn()

    assert caplog.messages == [
        "Waiting 303.0 s: requests_per_window allows 1 in 5 minutes",
        "Waiting 1000.0 s: Pigment's quota is used up (429), for all requests",
    ]


def test_each_wait_for_a_turn_is_reported_to_the_request() -> None:
    limiter = limiter_of(1, Clock())
    awaited: list[str] = []

    for pause in (0, 0, 20):
        limiter.hold(pause)
        limiter.wait_for_turn(awaited.append)

    assert awaited == ["the quota"] * 3


def test_a_wait_of_many_threads_is_logged_once(
    shared_clock: SharedClock, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    limiter = limiter_of(8, shared_clock)
    limiter.hold(60)

    turns = [pool.submit(limiter.wait_for_turn) for _ in range(8)]
    assert eventually(lambda: shared_clock.sleepers == 8)
    shared_clock.advance(60)
    for turn in turns:
        turn.result(TIMEOUT_SECONDS)

    assert caplog.messages == ["Waiting 60.0 s: Pigment's quota is used up (429), for all requests"]


def test_a_wait_of_less_than_a_second_is_logged_as_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger=LOGGER.name)
    limiter = limiter_of(500, Clock())

    limiter.hold(0.4)
    limiter.wait_for_turn()

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "Waiting 0.4 s: Pigment's quota is used up (429), for all requests")
    ]
