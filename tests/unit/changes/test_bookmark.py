"""The bookmark of a stream: what the state keeps, and what it accepts."""

import json
from typing import Any

import pytest

from tap_pigment.changes.bookmark import Bookmark, next_version, read_bookmark
from tap_pigment.columns import ColumnType

DIGEST = "0123456789abcdef" * 4
BODY = "0123456789abcdef" * 2
KEY = "0123456789abcdef"
SNAPSHOT = "20261124T020000000000Z-" + "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("bookmark", "state"),
    [
        (Bookmark(0), {"v": 1, "rows": 0}),
        (Bookmark(12, digest=DIGEST), {"v": 1, "rows": 12, "digest": DIGEST}),
        (Bookmark(12, version=0), {"v": 1, "rows": 12, "version": 0}),
        (Bookmark(12, key=KEY), {"v": 1, "rows": 12, "key": KEY}),
        (
            Bookmark(12, digest=DIGEST, snapshot=SNAPSHOT, body=BODY, version=1795000000000),
            {"v": 1, "rows": 12, "digest": DIGEST, "snapshot": SNAPSHOT, "body": BODY, "version": 1795000000000},
        ),
        (
            Bookmark(12, types={"Rate": ColumnType.NUMBER, "Since": ColumnType.DATE}),
            {"v": 1, "rows": 12, "types": {"Rate": "number", "Since": "date"}},
        ),
        (Bookmark(12, names={"Rate (%)": "rate"}), {"v": 1, "rows": 12, "names": {"Rate (%)": "rate"}}),
    ],
)
def test_bookmark_is_read_as_it_was_written(bookmark: Bookmark, state: dict[str, Any]) -> None:
    assert bookmark.to_state() == state
    assert read_bookmark(json.loads(json.dumps(state))) == bookmark


def test_largest_bookmark_has_less_than_300_bytes() -> None:
    bookmark = Bookmark(10**12, digest=DIGEST, snapshot=SNAPSHOT, body=BODY, version=10**13, key=KEY)

    assert len(json.dumps(bookmark.to_state())) < 300


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"rows": 12},
        {"v": 2, "rows": 12},
        {"v": "1", "rows": 12},
        {"v": 1},
        {"v": 1, "rows": None},
        {"v": 1, "rows": "12"},
        {"v": 1, "rows": 1.5},
        {"v": 1, "rows": -1},
        {"v": 1, "rows": True},
        {"replication_key_value": "2026-01-01"},
    ],
)
def test_state_of_unknown_format_is_no_bookmark(state: dict[str, Any]) -> None:
    assert read_bookmark(state) is None


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", SNAPSHOT + ".parquet", SNAPSHOT.upper(), SNAPSHOT + "\n", f"x{SNAPSHOT}", 7, None]
)
def test_text_of_another_form_names_no_snapshot(name: object) -> None:
    assert read_bookmark({"v": 1, "rows": 12, "snapshot": name}) == Bookmark(12)


@pytest.mark.parametrize(
    "names", [["Code"], "Code", {"A": 7}, {"A": "x", "B": "X"}, {"A": "CONTENTHASH"}, {"A": "occurrence"}]
)
def test_names_that_no_run_leaves_are_ignored(names: object) -> None:
    assert read_bookmark({"v": 1, "rows": 12, "names": names}) == Bookmark(12)


@pytest.mark.parametrize("member", ["digest", "body", "version", "key"])
@pytest.mark.parametrize("value", [f"{DIGEST}0", f"{BODY}0", BODY.upper(), -1, "1", True, None, [], {}])
def test_other_members_of_another_form_are_ignored(member: str, value: object) -> None:
    assert read_bookmark({"v": 1, "rows": 12, member: value}) == Bookmark(12)


@pytest.mark.parametrize(
    ("previous", "version"),
    [
        (None, 1000),
        (Bookmark(1), 1000),
        (Bookmark(1, version=999), 1000),
        (Bookmark(1, version=1000), 1001),
        (Bookmark(1, version=5000), 5001),
    ],
)
def test_versions_increase_by_any_clock(previous: Bookmark | None, version: int) -> None:
    assert next_version(1000, previous) == version
