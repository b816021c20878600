"""Runs whose state has not come back: a target may have any part of what they sent, and the next run knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import ShrunkExportError
from tests.conftest import of_type
from tests.nights import CHANGED, COUNTRIES, Nights, rows, snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeTap, Message
    from tests.pigment import Pigment


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where the snapshots are kept."""
    return tmp_path / "snapshots"


@pytest.fixture
def overtaken(pigment: Pigment, tap: MakeTap, store: Path, caplog: pytest.LogCaptureFixture) -> Nights:
    """Nights of which the first went well, and the second has sent CHANGED and left no state."""
    nights = Nights(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store)})
    nights.run()
    before = nights.state
    nights.night(CHANGED)
    nights.state = before
    caplog.clear()
    return nights


def sent(messages: list[Message]) -> list[tuple[str, str | None]]:
    """Return code and name of each row, or None for the name where it is gone."""
    return sorted((row["Code"], row.get("Name")) for row in rows(messages))


def test_an_export_that_is_again_as_the_state_knows_it_is_sent_where_it_differs_from_what_was_sent_since(
    overtaken: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    messages = overtaken.night(COUNTRIES)

    assert sent(messages) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italia")]
    assert "Snapshots that are newer than what the state names: 1." in caplog.text


def test_a_later_run_has_nothing_to_do_with_it_any_more(
    overtaken: Nights, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overtaken.night(COUNTRIES)
    kept = snapshots(store)
    caplog.clear()

    again = overtaken.run()
    changed = overtaken.night(COUNTRIES.replace("Italia", "Italy"))

    assert of_type(again, "RECORD") == []
    assert sent(changed) == [("IT", "Italy")]
    assert "newer than" not in caplog.text
    assert len(kept) == 3


def test_rows_that_only_the_lost_run_has_sent_are_gone_when_they_are_gone(overtaken: Nights) -> None:
    messages = overtaken.night(COUNTRIES.replace("Italia", "Italy"))

    assert sent(messages) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italy")]


@pytest.mark.parametrize("damage", ["truncated", "other columns"])
def test_a_newer_snapshot_that_cannot_be_compared_with_sends_everything(
    overtaken: Nights, store: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    newest = max(store.rglob("*.parquet"))
    if damage == "truncated":
        newest.write_bytes(newest.read_bytes()[:-10])
    else:
        before = overtaken.state
        overtaken.run(stream_overrides={"countries": {"types": {"Size": "text"}}})
        overtaken.state = before
    caplog.clear()

    messages = overtaken.night(COUNTRIES)

    assert [row["Code"] for row in rows(messages) if row["_sdc_deleted_at"] is None] == ["FR", "DE", "IT"]
    assert "All rows are sent" in caplog.text


def test_rows_that_may_be_downstream_count_for_the_guard(overtaken: Nights) -> None:
    # FR, DE, IT and ES may be there.
    with pytest.raises(ShrunkExportError, match="3 of the 4 rows"):
        overtaken.night("Code;Name;Size\r\nFR;France;1.5\r\n")

    assert len(rows(overtaken.run(max_shrink_percent=100))) == 3


def test_a_first_run_that_was_lost_leaves_no_rows_behind(pigment: Pigment, tap: MakeTap, store: Path) -> None:
    nights = Nights(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store)})
    nights.run()
    nights.state = {}

    messages = nights.night(CHANGED)

    assert sent(messages) == [("DE", "Germany"), ("ES", "España"), ("FR", "France"), ("IT", None)]


def test_a_lost_run_counts_though_its_clock_was_behind(pigment: Pigment, tap: MakeTap, store: Path) -> None:
    nights = Nights(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store)})
    nights.run()
    ahead = max(store.rglob("*.parquet"))
    name = f"29990101T000000000000Z-{ahead.stem.partition('-')[2]}"
    ahead.rename(ahead.with_stem(name))
    nights.bookmark["snapshot"] = name
    before = nights.state
    nights.night(CHANGED)
    nights.state = before

    messages = nights.night(COUNTRIES)

    assert sent(messages) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italia")]


def test_a_lost_run_whose_clock_was_ahead_counts_once_only(overtaken: Nights, store: Path) -> None:
    lost = max(store.rglob("*.parquet"))
    lost.rename(lost.with_stem(f"29990101T000000000000Z-{lost.stem.partition('-')[2]}"))
    overtaken.night(COUNTRIES)

    again = overtaken.night(COUNTRIES.replace("Italia", "Italy"))

    assert sent(again) == [("IT", "Italy")]


def test_without_its_snapshot_an_export_is_not_taken_for_unchanged(
    pigment: Pigment, tap: MakeTap, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nights = Nights(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store)})
    nights.run()
    for path in store.rglob("*.parquet"):
        path.unlink()

    messages = nights.run()

    assert sent(messages) == [("DE", "Deutschland"), ("FR", "France"), ("IT", "Italia")]
    assert "All rows are sent" in caplog.text


def test_without_a_key_rows_of_lost_runs_do_not_add_up_for_the_guard(
    pigment: Pigment, tap: MakeTap, store: Path
) -> None:
    settings = {
        "change_detection": "row",
        "snapshot_uri": str(store),
        "stream_overrides": {"countries": {"key_columns": []}},
    }
    nights = Nights(pigment, tap, settings)
    nights.run()
    before = nights.state
    for number in range(4):
        nights.night(f"Code;Name;Size\r\nFR;{number};1.5\r\nDE;{number};2.5\r\nIT;Italia;3.5\r\n")
        nights.state = before

    with pytest.raises(ShrunkExportError, match="2 of the 3 rows of the last run are gone"):
        nights.night("Code;Name;Size\r\nFR;France;1.5\r\n")
