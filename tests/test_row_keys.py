"""Change detection, row by row: keys that are no text, and keys that change themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.nights import Nights, rows, snapshots
from tests.pigment import API_KEY, APPLICATION_ID

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeTap
    from tests.pigment import Pigment

TYPED = [
    ("integer", ("1", "2"), 2),
    ("number", ("1.5", "2.5"), 2.5),
    ("boolean", ("TRUE", "FALSE"), False),
    ("date", ("2025-01-31", "2025-02-28"), "2025-02-28"),
]


@pytest.fixture(autouse=True)
def _what_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where the snapshots are kept."""
    return tmp_path / "snapshots"


@pytest.fixture
def by_row(pigment: Pigment, tap: MakeTap, store: Path) -> Nights:
    """Nights that compare row by row, and let everything go."""
    settings = {"change_detection": "row", "snapshot_uri": str(store), "max_shrink_percent": 100}
    return Nights(pigment, tap, settings)


def typed(kind: str) -> dict[str, Any]:
    """Return the setting by which the key has a type."""
    return {"stream_overrides": {"countries": {"types": {"Code": kind}}}}


@pytest.mark.parametrize("ways", [{}, {"stream_maps": {"countries": {"Other": "Name"}}}, {"flattening_enabled": True}])
@pytest.mark.parametrize(("kind", "codes", "gone"), TYPED, ids=[kind for kind, _, _ in TYPED])
def test_what_is_gone_has_the_key_that_it_had(
    by_row: Nights, ways: dict[str, Any], kind: str, codes: tuple[str, str], gone: object
) -> None:
    settings = typed(kind) | ({**ways, "flattening_max_depth": 1} if "flattening_enabled" in ways else ways)
    kept, lost = codes
    first = by_row.night(f"Code;Name\r\n{kept};a\r\n{lost};b\r\n", **settings)

    messages = by_row.night(f"Code;Name\r\n{kept};a\r\n", **settings)

    [row] = rows(messages)
    assert json.dumps(row["Code"]) == json.dumps(gone) == json.dumps(rows(first)[1]["Code"])
    assert row["_sdc_deleted_at"]


@pytest.mark.parametrize(("kind", "code"), [("number", "1"), ("boolean", "TRUE"), ("date", "2025-01-31")])
def test_where_the_keys_type_has_changed_what_is_gone_cannot_be_told(
    by_row: Nights, caplog: pytest.LogCaptureFixture, kind: str, code: str
) -> None:
    by_row.night(f"Code;Name\r\n{code};a\r\nFR;b\r\n")

    messages = by_row.night(f"Code;Name\r\n{code};a\r\n", **typed(kind))

    assert [row["_sdc_deleted_at"] for row in rows(messages)] == [None]
    assert "All rows are sent: columns have other types (Code)" in caplog.text
    assert "Load the table anew" in caplog.text


@pytest.mark.parametrize(
    ("kind", "before", "after", "sent"),
    [
        ("number", "1.5", "1.50", 1.5),
        ("number", "100", "1e2", 100),
        ("number", "-0", "0.0", 0),
        ("number", "-1.5", "-15e-1", -1.5),
        ("number", "0.00001", "1E-05", 0.00001),
        ("number", "1e20", "100000000000000000000", 1e20),
        ("number", "9007199254740993.0", "9007199254740993", 9007199254740993),
        ("integer", "-0", "0", 0),
    ],
)
def test_a_number_that_is_written_otherwise_is_the_same_key(
    by_row: Nights, kind: str, before: str, after: str, sent: float
) -> None:
    by_row.night(f"Code;Name\r\n{before};a\r\n7;b\r\n", **typed(kind))

    messages = by_row.night(f"Code;Name\r\n{after};a\r\n7;b\r\n", **typed(kind))

    assert [(row["Code"], row["_sdc_deleted_at"]) for row in rows(messages)] == [(sent, None)]


def test_a_decimal_of_more_digits_than_a_float_holds_is_told_whole_when_it_is_gone(
    pigment: Pigment, tmp_path: Path
) -> None:
    config = {
        "api_url": pigment.url,
        "api_key": API_KEY,
        "application_id": APPLICATION_ID,
        "change_detection": "row",
        "snapshot_uri": str(tmp_path / "snapshots"),
        **typed("number"),
    }
    block = pigment.add_list("Countries", "Code;Name\r\n0.12345678901234567890;a\r\n0.1234567890123456788;b\r\n7;c\r\n")
    (tmp_path / "config.json").write_text(json.dumps(config))
    tap = [sys.executable, "-m", "tap_pigment", "--config", str(tmp_path / "config.json")]
    first = subprocess.run(tap, capture_output=True, check=True).stdout
    (tmp_path / "state.json").write_text(json.dumps(json.loads(first.splitlines()[-1])["value"]))
    pigment.exports[block] = b"Code;Name\r\n0.1234567890123456788;b\r\n7;c\r\n"

    second = subprocess.run([*tap, "--state", str(tmp_path / "state.json")], capture_output=True, check=True).stdout

    assert [line.count(b'"Code":0.12345678901234567890,') for line in first.splitlines()] == [0, 1, 0, 0, 0]
    assert [line.count(b'"Code":0.1234567890123456789,') for line in second.splitlines()] == [0, 0, 1, 0]


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_a_key_of_more_digits_than_a_float_holds_is_told_whole_when_it_is_gone(by_row: Nights, kind: str) -> None:
    by_row.night("Code;Name\r\n9007199254740992;a\r\n9007199254740993;b\r\n", **typed(kind))

    messages = by_row.night("Code;Name\r\n9007199254740992;a\r\n", **typed(kind))

    assert [row["Code"] for row in rows(messages)] == [9007199254740993]
    assert rows(messages)[0]["_sdc_deleted_at"]


@pytest.mark.parametrize("code", ["1e300", "1E-300", "-2.5e21", "1e-7"])
def test_a_key_with_an_exponent_is_the_number_that_it_was_when_it_is_gone(by_row: Nights, code: str) -> None:
    first = by_row.night(f"Code;Name\r\n{code};a\r\n7;b\r\n", **typed("number"))

    messages = by_row.night("Code;Name\r\n7;b\r\n", **typed("number"))

    assert [row["Code"] for row in rows(messages)] == [float(code)] == [rows(first)[0]["Code"]]


def test_columns_of_a_key_that_change_places_are_the_same_key(
    by_row: Nights, caplog: pytest.LogCaptureFixture, store: Path
) -> None:
    by_row.night(
        "Code;Month;Amount\r\nFR;Jan;1\r\nDE;Feb;2\r\n",
        stream_overrides={"countries": {"key_columns": ["Code", "Month"], "types": {"Amount": "number"}}},
    )

    messages = by_row.night(
        "Month;Code;Amount\r\nJan;FR;1\r\n",
        stream_overrides={"countries": {"key_columns": ["Month", "Code"], "types": {"Amount": "number"}}},
    )

    assert [(row["Code"], row["Month"], bool(row["_sdc_deleted_at"])) for row in rows(messages)] == [
        ("DE", "Feb", True)
    ]
    assert "All rows are sent: the key" not in caplog.text
    assert len(snapshots(store)) == 2
