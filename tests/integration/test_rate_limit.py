"""The rate limit over real requests: what counts, what holds back whom, and how waits end."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import RunStoppedError, StreamsFailedError
from tap_pigment.pigment import PigmentClient
from tap_pigment.settings import Settings
from tests.support.pigment import Answer
from tests.support.taps import TIMEOUT_SECONDS, Clock, eventually, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import ThreadPoolExecutor

    from tests.support.pigment import Pigment
    from tests.support.shared_clock import SharedClock
    from tests.support.taps import RunTap

LOGGER = logging.getLogger("test-rate-limit")
ITEMS = [f"fa000000-0000-4000-8000-00000000000{number}" for number in range(3)]


def test_two_clients_in_one_process_have_limits_of_their_own(config: Mapping[str, Any], pigment: Pigment) -> None:
    settings = Settings.from_config({**config, "requests_per_window": 1})
    clocks = [Clock(), Clock()]

    for clock in clocks:
        PigmentClient(settings, LOGGER, clock=clock, sleep=clock.sleep).applications()

    assert len(pigment.requests) == 2
    assert [clock.waits for clock in clocks] == [[], []]


def test_listings_samples_exports_and_retries_all_count(pigment: Pigment, run_tap: RunTap, clock: Clock) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    pigment.answer_next_exports(Answer(503, headers={"Retry-After": "0"}))

    messages = run_tap(requests_per_window=1)

    assert records(messages, "countries") == [{"Code": "FR", "Name": "France"}]
    assert len(pigment.requests) == 4
    assert clock.now == pytest.approx(909, abs=0.1)


def test_a_run_over_the_quota_is_told_before_it_waits(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(5):
        pigment.add_list(f"List {number}", "Code;Name\r\nFR;France\r\n")

    run_tap(requests_per_window=3, parallel_exports=1)

    lines = [message for message in caplog.messages if "requests_per_window" in message]
    waiting = "Waiting 303.0 s: requests_per_window allows 3 in 5 minutes"
    ending = "and requests_per_window allows 3 in 5 minutes: it takes at least {} minutes. To extract fewer blocks, set"
    assert lines[0].startswith(f"Discovery needs 5 requests, {ending.format(5)} include or exclude.")
    assert lines[1] == waiting
    assert lines[2].startswith(f"The sync needs 5 requests, {ending.format(10)} include or exclude.")
    assert lines[3:] == [waiting, waiting]


def test_a_run_within_the_quota_is_told_nothing(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")

    run_tap(requests_per_window=3)

    assert "requests_per_window" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "requests"),
    [
        ({"column_titles": True}, [4, 2]),
        ({"metadata_streams": True}, [2, 4]),
        ({"stream_overrides": {"countries": {"slices": [{"listFilter": [item]} for item in ITEMS]}}}, [2, 4]),
    ],
    ids=["column titles", "views of two blocks", "slices"],
)
def test_all_requests_of_a_run_are_counted_beforehand(
    pigment: Pigment,
    run_tap: RunTap,
    caplog: pytest.LogCaptureFixture,
    settings: Mapping[str, Any],
    requests: list[int],
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    pigment.add_list("Months", "Month\r\nJan\r\n")

    with suppress(StreamsFailedError):  # The slices overlap.
        run_tap(requests_per_window=1, **{"on_stream_error": "continue", **settings})

    assert [
        int(message.split(" needs ")[1].split()[0]) for message in caplog.messages if " needs " in message
    ] == requests


def test_a_429_holds_back_the_other_threads(
    pigment: Pigment, config: Mapping[str, Any], shared_clock: SharedClock, pool: ThreadPoolExecutor
) -> None:
    client = PigmentClient(Settings.from_config(config), LOGGER, clock=shared_clock, sleep=shared_clock.sleep)
    pigment.answer_next_listings(Answer(429, headers={"Retry-After": "17"}))

    refused = pool.submit(client.applications)
    assert eventually(lambda: shared_clock.sleepers == 1)
    other = pool.submit(client.applications)
    assert eventually(lambda: shared_clock.sleepers == 2)
    requests_while_held = len(pigment.requests)
    shared_clock.advance(17)

    assert refused.result(TIMEOUT_SECONDS) == other.result(TIMEOUT_SECONDS)
    assert (requests_while_held, len(pigment.requests)) == (1, 3)


def test_another_failure_holds_back_only_its_own_request(
    pigment: Pigment, config: Mapping[str, Any], shared_clock: SharedClock, pool: ThreadPoolExecutor
) -> None:
    client = PigmentClient(Settings.from_config(config), LOGGER, clock=shared_clock, sleep=shared_clock.sleep)
    pigment.answer_next_listings(Answer(503, headers={"Retry-After": "17"}))

    failed = pool.submit(client.applications)
    assert eventually(lambda: shared_clock.sleepers == 1)
    other = pool.submit(client.applications).result(TIMEOUT_SECONDS)
    was_waiting = not failed.done()
    shared_clock.advance(17)

    assert was_waiting
    assert failed.result(TIMEOUT_SECONDS) == other


def test_cancelling_the_client_ends_every_wait(
    pigment: Pigment, config: Mapping[str, Any], pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = PigmentClient(Settings.from_config({**config, "requests_per_window": 1}), LOGGER)
    client.applications()
    waiting = [pool.submit(client.applications) for _ in range(3)]
    assert eventually(lambda: "Waiting" in caplog.text)

    client.cancel()

    for each in waiting:
        with pytest.raises(RunStoppedError, match="Listing the applications: the run was stopped"):
            each.result(TIMEOUT_SECONDS)
    assert len(pigment.requests) == 1
