"""Row changes of keys that are not text, and of keys that themselves change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tap_runs import TapRuns, rows, snapshots
from tests.support.taps import of_type

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap

TYPED = [
    ("integer", ("1", "2"), 2),
    ("boolean", ("TRUE", "FALSE"), False),
    ("date", ("2025-01-31", "2025-02-28"), "2025-02-28"),
]


@pytest.fixture(autouse=True)
def _log_of_all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store of snapshots."""
    return tmp_path / "snapshots"


@pytest.fixture
def by_row(pigment: Pigment, tap: MakeTap, store: Path) -> TapRuns:
    """Runs that compare row by row, and may delete all rows."""
    settings = {"change_detection": "row", "snapshot_uri": str(store), "max_shrink_percent": 100}
    return TapRuns(pigment, tap, settings)


def typed(kind: str) -> dict[str, Any]:
    """Return the setting that gives the key a type."""
    return {"stream_overrides": {"countries": {"types": {"Code": kind}}}}


@pytest.mark.parametrize("ways", [{}, {"stream_maps": {"countries": {"Other": "Name"}}}, {"flattening_enabled": True}])
@pytest.mark.parametrize(("kind", "codes", "deleted"), TYPED, ids=[kind for kind, _, _ in TYPED])
def test_deleted_row_has_the_key_that_it_was_emitted_with(
    by_row: TapRuns, ways: dict[str, Any], kind: str, codes: tuple[str, str], deleted: object
) -> None:
    settings = typed(kind) | ({**ways, "flattening_max_depth": 1} if "flattening_enabled" in ways else ways)
    kept, lost = codes
    first = by_row.run_with(f"Code;Name\r\n{kept};a\r\n{lost};b\r\n", **settings)

    messages = by_row.run_with(f"Code;Name\r\n{kept};a\r\n", **settings)

    [row] = rows(messages)
    assert json.dumps(row["Code"]) == json.dumps(deleted) == json.dumps(rows(first)[1]["Code"])
    assert row["_sdc_deleted_at"]


@pytest.mark.parametrize(("kind", "code"), [("integer", "1"), ("boolean", "TRUE"), ("date", "2025-01-31")])
def test_deleted_rows_are_unknown_after_the_type_of_the_key_changed(
    by_row: TapRuns, caplog: pytest.LogCaptureFixture, kind: str, code: str
) -> None:
    by_row.run_with(f"Code;Name\r\n{code};a\r\nFR;b\r\n")

    messages = by_row.run_with(f"Code;Name\r\n{code};a\r\n", **typed(kind))

    assert [row["_sdc_deleted_at"] for row in rows(messages)] == [None]
    assert (
        "countries: full send, because columns have other types (Code). Rows deleted since the last run stay in the "
        "target under their former key; load the table again from scratch."
    ) in caplog.messages


@pytest.mark.parametrize(("before", "after"), [("-0", "0"), ("0", "-0")])
def test_minus_zero_and_zero_are_the_same_integer_key(by_row: TapRuns, before: str, after: str) -> None:
    by_row.run_with(f"Code;Name\r\n{before};a\r\n7;b\r\n", **typed("integer"))

    messages = by_row.run_with(f"Code;Name\r\n{after};a\r\n7;b\r\n", **typed("integer"))

    assert [(row["Code"], row["_sdc_deleted_at"]) for row in rows(messages)] == [(0, None)]


def test_deleted_integer_key_keeps_digits_that_a_float_lacks(by_row: TapRuns) -> None:
    by_row.run_with("Code;Name\r\n9007199254740992;a\r\n9007199254740993;b\r\n", **typed("integer"))

    messages = by_row.run_with("Code;Name\r\n9007199254740992;a\r\n", **typed("integer"))

    assert [row["Code"] for row in rows(messages)] == [9007199254740993]
    assert rows(messages)[0]["_sdc_deleted_at"]


def test_deleted_integer_key_may_have_more_than_64_bits(by_row: TapRuns) -> None:
    by_row.run_with(f"Code;Name\r\n{10**30};a\r\n{10**30 + 1};b\r\n", **typed("integer"))

    messages = by_row.run_with(f"Code;Name\r\n{10**30};a\r\n", **typed("integer"))

    assert [row["Code"] for row in rows(messages)] == [1000000000000000000000000000001]


def test_text_keys_that_are_equal_as_numbers_are_different_keys(by_row: TapRuns) -> None:
    by_row.run_with("Code;Name\r\n1.5;a\r\n7;b\r\n", **typed("text"))

    messages = by_row.run_with("Code;Name\r\n1.50;a\r\n7;b\r\n", **typed("text"))

    assert [(row["Code"], bool(row["_sdc_deleted_at"])) for row in rows(messages)] == [("1.5", True), ("1.50", False)]


def test_key_columns_in_another_order_are_the_same_key(
    by_row: TapRuns, caplog: pytest.LogCaptureFixture, store: Path
) -> None:
    by_row.run_with(
        "Code;Month;Amount\r\nFR;Jan;1\r\nDE;Feb;2\r\n",
        stream_overrides={"countries": {"key_columns": ["Code", "Month"], "types": {"Amount": "number"}}},
    )

    messages = by_row.run_with(
        "Month;Code;Amount\r\nJan;FR;1\r\n",
        stream_overrides={"countries": {"key_columns": ["Month", "Code"], "types": {"Amount": "number"}}},
    )

    assert [(row["Code"], row["Month"], bool(row["_sdc_deleted_at"])) for row in rows(messages)] == [
        ("DE", "Feb", True)
    ]
    assert "full send, because the key" not in caplog.text
    assert len(snapshots(store)) == 2


def test_cells_that_move_between_key_columns_are_other_keys(by_row: TapRuns) -> None:
    settings = {"stream_overrides": {"countries": {"key_columns": ["Code", "Month"]}}}
    by_row.run_with("Code;Month;Name\r\nab;c;x\r\n;abc;y\r\n", **settings)

    messages = by_row.run_with("Code;Month;Name\r\na;bc;x\r\nabc;;y\r\n", **settings)

    keys = [(row["Code"], row["Month"], bool(row["_sdc_deleted_at"])) for row in rows(messages)]
    assert sorted(keys) == [("", "abc", True), ("a", "bc", False), ("ab", "c", True), ("abc", "", False)]
    assert len(of_type(messages, "RECORD")) == 4
