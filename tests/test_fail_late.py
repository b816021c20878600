"""A stream that fails: what becomes of the others, and what the run says in the end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import PigmentExportError, StreamsFailedError
from tests.conftest import of_type, written
from tests.pigment import Answer

if TYPE_CHECKING:
    from tests.conftest import Discover, MakeTap
    from tests.pigment import Pigment


@pytest.fixture
def broken(pigment: Pigment) -> str:
    """The id of the block in the middle of three, whose export always fails."""
    pigment.add_list("First", "Code\r\nA\r\n")
    broken = pigment.add_list("Second", "Code\r\nB\r\n")
    pigment.add_list("Third", "Code\r\nC\r\n")
    return broken


def test_the_other_streams_are_finished_and_the_run_fails(
    pigment: Pigment, discover: Discover, tap: MakeTap, broken: str
) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    running = tap(catalog=catalog, on_stream_error="continue", max_retries=0)

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    messages = written(running)
    assert [message["stream"] for message in of_type(messages, "RECORD")] == ["first", "third"]
    assert messages[-1]["value"]["bookmarks"] == {"first": {"v": 1, "rows": 1}, "third": {"v": 1, "rows": 1}}
    assert str(caught.value).splitlines() == [
        "1 of 3 streams failed. The others are complete.",
        "  second  While exporting second: Pigment failed (500). Run again later.",
    ]


def test_every_stream_that_failed_is_in_the_table(
    pigment: Pigment, discover: Discover, tap: MakeTap, broken: str
) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    pigment.always_answer("/export/", Answer(body=b"Code\r\nA;B\r\n"))
    running = tap(catalog=catalog, on_stream_error="continue", max_retries=0)

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    title, *rows = str(caught.value).splitlines()
    assert title == "3 of 3 streams failed."
    assert [row.split()[0] for row in rows] == ["first", "second", "third"]
    assert written(running) == []


def test_the_state_of_a_failed_stream_stays_as_it_was(
    pigment: Pigment, discover: Discover, tap: MakeTap, broken: str
) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    before = {"bookmarks": {"second": {"v": 1, "rows": 12}}}
    running = tap(catalog=catalog, state=before, on_stream_error="continue", max_retries=0)

    with pytest.raises(StreamsFailedError):
        running.sync_all()

    assert written(running)[-1]["value"]["bookmarks"]["second"] == {"v": 1, "rows": 12}


def test_stop_stops_at_the_first(pigment: Pigment, discover: Discover, tap: MakeTap, broken: str) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    running = tap(catalog=catalog, on_stream_error="stop", max_retries=0)

    with pytest.raises(PigmentExportError, match="While exporting second: Pigment failed"):
        running.sync_all()

    assert [message["value"]["bookmarks"].keys() for message in of_type(written(running), "STATE")] == [{"first"}]
    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["first"]


def test_a_block_that_discovery_could_not_read_is_in_the_table(pigment: Pigment, tap: MakeTap, broken: str) -> None:
    pigment.always_answer(broken, Answer(500))
    running = tap(on_stream_error="continue", max_retries=0)

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["first", "third"]
    assert str(caught.value).splitlines() == [
        "1 of 3 streams failed. The others are complete.",
        "  second  While reading the columns of second: Pigment failed (500). Run again later.",
    ]


def test_stop_stops_before_the_first_where_discovery_could_not_read_a_block(
    pigment: Pigment, tap: MakeTap, broken: str
) -> None:
    pigment.always_answer(broken, Answer(500))
    running = tap(on_stream_error="stop", max_retries=0)

    with pytest.raises(PigmentExportError, match="While reading the columns of second"):
        running.sync_all()

    assert written(running) == []


@pytest.mark.usefixtures("broken")
def test_a_run_that_was_told_to_stop_does_so_though_nothing_came_of_the_signal(tap: MakeTap) -> None:
    running = tap()
    with pytest.raises(SystemExit):  # As where Python frees an object, and drops what is raised meanwhile.
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit) as caught:
        running.sync_all()

    assert caught.value.code == 143
    assert written(running) == []


@pytest.mark.usefixtures("broken")
def test_a_map_that_fails_for_one_stream_does_not_hold_back_the_others(tap: MakeTap) -> None:
    maps = {"second": {"Number": "Cod"}}
    running = tap(on_stream_error="continue", stream_maps=maps)

    with pytest.raises(StreamsFailedError, match="1 of 3 streams failed"):
        running.sync_all()

    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["first", "third"]
