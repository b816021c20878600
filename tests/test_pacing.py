"""At most so many requests in any 5 minutes, over all threads; none while Pigment wants none."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.client import Client
from tap_pigment.errors import PigmentError
from tap_pigment.pacing import Pacer
from tap_pigment.settings import Settings
from tests.conftest import PATIENCE_SECONDS, Clock, eventually, records
from tests.pigment import API_KEY, Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import RunTap
    from tests.pigment import Pigment

LOGGER = logging.getLogger("test-pacing")


class SharedClock:
    """A clock that stands still until it is set; whoever sleeps by it does so until then."""

    def __init__(self) -> None:
        self._now = 0.0
        self._set = threading.Condition()
        self.sleepers = 0

    def __call__(self) -> float:
        """Return the time it is set to."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Sleep until the clock has been set to the time of waking."""
        with self._set:
            until = self._now + seconds
            self.sleepers += 1
            assert self._set.wait_for(lambda: self._now >= until, PATIENCE_SECONDS)
            self.sleepers -= 1

    def advance(self, seconds: float) -> None:
        """Set the clock forward."""
        with self._set:
            self._now += seconds
            self._set.notify_all()


def pacer_of(requests: int, clock: Clock | SharedClock) -> Pacer:
    """Return a pacer that nothing cancels."""
    settings = Settings.from_config({"api_key": API_KEY, "application_id": "app-1", "requests_per_window": requests})
    return Pacer(settings, LOGGER, clock=clock, sleep=clock.sleep, is_cancelled=lambda: False)


@pytest.fixture
def shared_clock() -> SharedClock:
    return SharedClock()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(8)
    yield pool
    pool.shutdown(wait=False, cancel_futures=True)


# The window


def test_as_many_requests_as_allowed_pass_at_once() -> None:
    clock = Clock()
    pacer = pacer_of(500, clock)

    for _ in range(500):
        pacer.wait_for_turn()

    assert clock.waits == []


def test_the_next_request_waits_until_the_first_is_more_than_5_minutes_old() -> None:
    clock = Clock()
    pacer = pacer_of(2, clock)

    times = []
    for pause in (0, 100, 50, 0, 0):
        clock.now += pause
        pacer.wait_for_turn()
        times.append(clock.now)

    assert times == [0.0, 100.0, 300.001, 400.001, pytest.approx(600.002)]


def test_the_window_slides_where_fixed_buckets_would_let_twice_as_many_pass() -> None:
    clock = Clock()
    pacer = pacer_of(3, clock)

    clock.now = 299.0
    for _ in range(6):
        pacer.wait_for_turn()

    assert clock.waits == [pytest.approx(300.001)]


@given(st.integers(1, 6), st.lists(st.floats(0, 400), min_size=1, max_size=40))
def test_no_5_minutes_ever_see_more_requests_than_allowed(requests: int, pauses: list[float]) -> None:
    clock = Clock()
    pacer = pacer_of(requests, clock)

    times = []
    for pause in pauses:
        clock.now += pause
        pacer.wait_for_turn()
        times.append(clock.now)

    assert all(later - earlier > 300 for earlier, later in zip(times, times[requests:], strict=False))


@given(st.lists(st.floats(0, 400), min_size=1, max_size=40))
def test_no_request_waits_longer_than_it_must(pauses: list[float]) -> None:
    clock = Clock()
    pacer = pacer_of(1, clock)

    pacer.wait_for_turn()
    for pause in pauses:
        before = clock.now
        clock.now += pause
        pacer.wait_for_turn()
        assert clock.now == pytest.approx(before + max(pause, 300), abs=0.01)


def test_all_threads_share_the_window(shared_clock: SharedClock, pool: ThreadPoolExecutor) -> None:
    pacer = pacer_of(5, shared_clock)

    turns = [pool.submit(pacer.wait_for_turn) for _ in range(8)]
    assert eventually(lambda: shared_clock.sleepers == 3)
    passed_at_once = sum(turn.done() for turn in turns)
    shared_clock.advance(301)
    for turn in turns:
        turn.result(PATIENCE_SECONDS)

    assert passed_at_once == 5


def test_two_clients_in_one_process_do_not_meet(config: Mapping[str, Any], pigment: Pigment) -> None:
    settings = Settings.from_config({**config, "requests_per_window": 1})
    clocks = [Clock(), Clock()]

    for clock in clocks:
        Client(settings, LOGGER, clock=clock, sleep=clock.sleep).applications()

    assert len(pigment.requests) == 2
    assert [clock.waits for clock in clocks] == [[], []]


def test_listing_sampling_exports_and_retries_all_count(pigment: Pigment, run_tap: RunTap, clock: Clock) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    pigment.answer_next_exports(Answer(503, headers={"Retry-After": "0"}))

    messages = run_tap(requests_per_window=1)

    assert records(messages, "countries") == [{"Code": "FR", "Name": "France"}]
    assert len(pigment.requests) == 4
    assert clock.now == pytest.approx(900, abs=0.1)


# Holding back


def test_nothing_passes_while_requests_are_held() -> None:
    clock = Clock()
    pacer = pacer_of(500, clock)

    pacer.hold(20)
    pacer.hold(5)
    pacer.wait_for_turn()
    pacer.wait_for_turn()

    assert clock.waits == [20.0]


def test_a_refusal_for_quota_holds_back_the_other_threads(
    pigment: Pigment, config: Mapping[str, Any], shared_clock: SharedClock, pool: ThreadPoolExecutor
) -> None:
    client = Client(Settings.from_config(config), LOGGER, clock=shared_clock, sleep=shared_clock.sleep)
    pigment.answer_next_listings(Answer(429, headers={"Retry-After": "17"}))

    refused = pool.submit(client.applications)
    assert eventually(lambda: shared_clock.sleepers == 1)
    other = pool.submit(client.applications)
    assert eventually(lambda: shared_clock.sleepers == 2)
    requests_while_held = len(pigment.requests)
    shared_clock.advance(17)

    assert refused.result(PATIENCE_SECONDS) == other.result(PATIENCE_SECONDS)
    assert (requests_while_held, len(pigment.requests)) == (1, 3)


def test_another_failure_holds_back_only_its_own_request(
    pigment: Pigment, config: Mapping[str, Any], shared_clock: SharedClock, pool: ThreadPoolExecutor
) -> None:
    client = Client(Settings.from_config(config), LOGGER, clock=shared_clock, sleep=shared_clock.sleep)
    pigment.answer_next_listings(Answer(503, headers={"Retry-After": "17"}))

    failed = pool.submit(client.applications)
    assert eventually(lambda: shared_clock.sleepers == 1)
    other = pool.submit(client.applications).result(PATIENCE_SECONDS)
    was_waiting = not failed.done()
    shared_clock.advance(17)

    assert was_waiting
    assert failed.result(PATIENCE_SECONDS) == other


# Ending


def test_closing_the_client_ends_every_wait(
    pigment: Pigment, config: Mapping[str, Any], pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = Client(Settings.from_config({**config, "requests_per_window": 1}), LOGGER)
    client.applications()
    waiting = [pool.submit(client.applications) for _ in range(3)]
    assert eventually(lambda: "Waiting" in caplog.text)

    client.close()

    for each in waiting:
        with pytest.raises(PigmentError, match="the run was stopped"):
            each.result(PATIENCE_SECONDS)
    assert len(pigment.requests) == 1


# Telling


def test_a_wait_is_told_with_its_reason_and_length(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pacer = pacer_of(1, Clock())

    pacer.wait_for_turn()
    pacer.wait_for_turn()
    pacer.hold(20)
    pacer.hold(1000)
    pacer.wait_for_turn()

    assert caplog.messages == [
        "Waiting 300.0 s: requests_per_window allows 1 in 5 minutes.",
        "Waiting 1000.0 s: Pigment's quota is used up (429), for all requests.",
    ]


def test_what_many_threads_wait_for_at_once_is_told_once(
    shared_clock: SharedClock, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pacer = pacer_of(8, shared_clock)
    pacer.hold(60)

    turns = [pool.submit(pacer.wait_for_turn) for _ in range(8)]
    assert eventually(lambda: shared_clock.sleepers == 8)
    shared_clock.advance(60)
    for turn in turns:
        turn.result(PATIENCE_SECONDS)

    assert caplog.messages == ["Waiting 60.0 s: Pigment's quota is used up (429), for all requests."]


def test_a_wait_too_short_to_be_noticed_is_told_to_those_who_look_for_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger=LOGGER.name)
    pacer = pacer_of(500, Clock())

    pacer.hold(0.4)
    pacer.wait_for_turn()

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "Waiting 0.4 s: Pigment's quota is used up (429), for all requests.")
    ]
