"""ACTIVATE_VERSION: when targets are told to delete what an export does not hold, and when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import PigmentError, ShrunkExportError
from tests.conftest import of_type, written
from tests.nights import Nights
from tests.pigment import Answer

if TYPE_CHECKING:
    from tests.conftest import Discover, MakeTap, Message, RunTap
    from tests.pigment import Pigment

FOUR = "Code\r\nA\r\nB\r\nC\r\nD\r\n"


def kinds(messages: list[Message]) -> list[str]:
    """Return the types of the messages."""
    return [message["type"] for message in messages]


def state(rows: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
    """Return a state that holds a bookmark of the countries."""
    return {"bookmarks": {"countries": {"v": 1, "rows": rows, **more}}}


def test_it_is_sent_after_the_last_record_and_before_the_state(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap(emit_activate_version_messages=True)

    version = messages[-2]["version"]
    assert kinds(messages) == ["SCHEMA", *["RECORD"] * 4, "ACTIVATE_VERSION", "STATE"]
    assert {message["version"] for message in of_type(messages, "RECORD")} == {version}
    assert messages[-1]["value"] == state(4, version=version)


def test_it_is_sent_after_records_that_pass_a_map_too_and_under_their_name(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap(emit_activate_version_messages=True, stream_maps={"countries": {"__alias__": "land"}})

    assert kinds(messages) == ["SCHEMA", *["RECORD"] * 4, "ACTIVATE_VERSION", "STATE"]
    assert messages[-2]["stream"] == "land"


def test_it_is_not_sent_unasked(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap()

    assert "ACTIVATE_VERSION" not in kinds(messages)
    assert "version" not in of_type(messages, "RECORD")[0]


def test_its_versions_increase_though_the_clock_goes_back(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)
    far_future = 32503680000000

    messages = run_tap(emit_activate_version_messages=True, state=state(4, version=far_future))

    assert of_type(messages, "ACTIVATE_VERSION")[0]["version"] == far_future + 1


def test_the_last_version_stays_in_the_state_of_runs_without_it(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap(state=state(3, version=7))

    assert messages[-1]["value"] == state(4, version=7)


@pytest.mark.parametrize("body", ["Code\r\nA\r\n", "Code\r\n"], ids=["shrunk", "empty"])
def test_an_export_that_shrank_too_much_fails_before_anything_is_written(
    pigment: Pigment, tap: MakeTap, body: str
) -> None:
    pigment.add_list("Countries", body)
    running = tap(emit_activate_version_messages=True, state=state(4))

    with pytest.raises(ShrunkExportError, match="of the 4 rows of the last run are gone"):
        running.sync_all()

    assert kinds(written(running)) == ["STATE"]  # The one it began with.


def test_half_of_the_rows_may_go(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\nA\r\nB\r\n")

    messages = run_tap(emit_activate_version_messages=True, state=state(4))

    assert len(of_type(messages, "ACTIVATE_VERSION")) == 1


def test_all_of_them_may_go_if_the_user_says_so(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\n")

    messages = run_tap(emit_activate_version_messages=True, state=state(4), max_shrink_percent=100)

    assert kinds(messages) == ["STATE", "SCHEMA", "ACTIVATE_VERSION", "STATE"]


def test_an_empty_export_deletes_nothing_where_no_row_count_is_known(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code\r\n")

    messages = run_tap(emit_activate_version_messages=True)

    assert kinds(messages) == ["SCHEMA", "STATE"]
    assert "The export is empty and the state knows no row count" in caplog.text


def test_where_nothing_would_be_deleted_an_export_may_shrink(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\n")

    messages = run_tap(state=state(4))

    assert messages[-1]["value"] == state(0)


def test_a_failed_export_activates_nothing(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    block = pigment.add_list("Countries", FOUR)
    catalog = discover()
    pigment.always_answer(block, Answer(500))
    running = tap(catalog=catalog, emit_activate_version_messages=True)

    with pytest.raises(PigmentError, match="Pigment failed"):
        running.sync_all()

    assert written(running) == []


def test_a_test_of_the_connection_activates_nothing(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code\r\nA\r\n")
    running = tap(emit_activate_version_messages=True)

    running.run_connection_test()

    assert "ACTIVATE_VERSION" not in kinds(written(running))


# With change_detection: stream


@pytest.fixture
def by_stream(pigment: Pigment, tap: MakeTap) -> Nights:
    """Nights that compare whole streams."""
    return Nights(pigment, tap, {"change_detection": "stream"})


@pytest.mark.parametrize(
    "earlier",
    [[("Code\r\n", True)], [(FOUR, True), ("Code\r\n", False), ("Code\r\n", True)]],
    ids=["nothing ever was", "rows stayed when a run did not ask for it"],
)
def test_what_was_not_activated_is_not_taken_for_unchanged(by_stream: Nights, earlier: list[tuple[str, bool]]) -> None:
    for body, activates in earlier:
        by_stream.night(body, emit_activate_version_messages=activates)

    allowed = by_stream.run(emit_activate_version_messages=True, max_shrink_percent=100)
    again = by_stream.run(emit_activate_version_messages=True, max_shrink_percent=100)

    assert kinds(allowed) == ["SCHEMA", "ACTIVATE_VERSION", "STATE"]
    assert kinds(again) == ["SCHEMA"]


def test_an_unchanged_stream_is_activated_where_that_is_asked_for_anew(by_stream: Nights) -> None:
    by_stream.night(FOUR, emit_activate_version_messages=True)
    by_stream.night("Code\r\nA\r\nB\r\nC\r\n")

    asked_for = by_stream.run(emit_activate_version_messages=True)
    again = by_stream.run(emit_activate_version_messages=True)

    assert kinds(asked_for) == ["SCHEMA", *["RECORD"] * 3, "ACTIVATE_VERSION", "STATE"]
    assert kinds(again) == ["SCHEMA"]
