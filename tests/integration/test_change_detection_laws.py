"""Row changes of unusual tables: after each run, the target has the rows of the export."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.memory_target import MemoryTarget
from tests.support.tap_runs import CHANGED, TapRuns, rows
from tests.support.taps import of_type

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """The settings of runs that compare row by row, and may delete all rows."""
    return {
        "change_detection": "row",
        "snapshot_uri": str(tmp_path / "snapshots"),
        "max_shrink_percent": 100,
        "infer_types": False,
    }


def export(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an export as CSV."""
    body = io.StringIO(newline="")
    csv.writer(body, delimiter=";", lineterminator="\r\n").writerows([header, *rows])
    return body.getvalue()


def live(target: MemoryTarget) -> Counter[tuple[str, ...]]:
    """Return the live rows of the table, a blank as the empty text, in the order of the columns."""
    return Counter(tuple(cell or "" for cell in row.values()) for row in target.live("countries"))


HARD = [
    "",
    " ",
    "'",
    '"',
    '""',
    "a;b",
    "a\nb",
    "a\r\nb",
    "\n",
    "\0",
    "a\0b",
    "\x1f",
    "é",
    "e\u0301",
    "💙",
    "NULL",
    "x" * 9_000,
]
# Texts without a line end, but with characters that some readers take for one.
IN_A_LINE = [text for text in HARD if not {"\r", "\n"} & set(text)]
ODD_LINES = [*IN_A_LINE, "a\x01b", "\x01", "a\rb"]


def versions_of(texts: Sequence[str]) -> list[list[list[str]]]:
    """Return versions of a table of texts."""
    return [
        [[text, text] for text in texts],
        [[text, text[::-1]] for text in texts[::2]],
        [[text, text] for text in reversed(texts)],
    ]


VERSIONS: dict[str, tuple[Sequence[str], list[list[list[str]]]]] = {
    "hard texts": (["Code", "Name"], versions_of(HARD)),
    "hard texts on one line": (["Code", "Name"], versions_of(IN_A_LINE)),
    "hard texts that look like line ends": (["Code", "Name"], versions_of(ODD_LINES)),
    "line ends in some versions": (
        ["Code", "Name"],
        [*versions_of(IN_A_LINE), *versions_of(HARD), *versions_of(IN_A_LINE)],
    ),
    "columns with names that the tap uses": (
        [
            "key_0",
            "fingerprint",
            "content_hash",
            "cell_bytes",
            "misfits",
            "rowid",
            "row",
            "occurrence",
            "contentHash",
            "c0",
            "is_new",
            "_sdc_deleted_at",
        ],
        [
            [[f"{number}", *"abcdefghijk"] for number in range(4)],
            [[f"{number}", *"abcdefghijK"] for number in range(2, 6)],
            [[f"{number}", *"Abcdefghijk"] for number in range(1, 5)],
        ],
    ),
    "400 columns": (
        [f"column {number}" for number in range(400)],
        [
            [[f"{number}", *["x"] * 399] for number in range(3)],
            [[f"{number}", *["x"] * 398, "y"] for number in range(1, 4)],
        ],
    ),
    "no rows": (["Code", "Name"], [[], [], [["A", "a"]], [], [["A", "a"]]]),
    "one column": (["Code"], [[["A"], ["B"]], [["B"], ["C"]], [[""]]]),
    "cells that move to the next column": (
        ["Code", "a", "b"],
        [[["1", "x", ""], ["2", "", "xy"]], [["1", "", "x"], ["2", "x", "y"]], [["1", "x", ""], ["2", "xy", ""]]],
    ),
    "very long keys": (["Code", "Name"], [[["k" * 500_000 + end, "a"] for end in "ab"], [["k" * 500_000 + "b", "a"]]]),
}


@pytest.mark.parametrize("key", [1, 0], ids=["keyed", "keyless"])
@pytest.mark.parametrize("name", VERSIONS)
def test_table_has_the_rows_of_the_export_after_each_run(
    name: str, key: int, pigment: Pigment, tap: MakeTap, settings: dict[str, Any]
) -> None:
    header, versions = VERSIONS[name]
    settings["stream_overrides"] = {"countries": {"key_columns": header[:key]}}
    runs = TapRuns(pigment, tap, settings)
    target = MemoryTarget()

    for version in versions:
        target.load(runs.run_with(export(header, version)))

        assert live(target) == Counter(map(tuple, version))
    assert of_type(runs.run_with(export(header, versions[-1][::-1])), "RECORD") == []


# Rows that end in a control character, and the same rows without it.
CONTROL_CHARACTERS = {
    "first with it": ["Code;Name\r\nA;x\x01\nB;y\r\n", "Code;Name\r\nA;x\r\nB;y\r\n"],
    "then with it": ["Code;Name\r\nA;x\r\nB;y\r\n", "Code;Name\r\nA;x\x01\nB;y\r\n"],
    "with it in between": [
        "Code;Name\r\nA;x\r\nB;y\r\n",
        "Code;Name\r\nA;q\x01\nB;y\r\n",
        "Code;Name\r\nA;q\r\nB;y\r\n",
    ],
}


@pytest.mark.parametrize("key", [["Code"], []], ids=["keyed", "keyless"])
@pytest.mark.parametrize("bodies", CONTROL_CHARACTERS.values(), ids=CONTROL_CHARACTERS)
def test_lines_that_differ_in_a_control_character_are_a_change(
    bodies: list[str], key: list[str], pigment: Pigment, tap: MakeTap, settings: dict[str, Any]
) -> None:
    settings["stream_overrides"] = {"countries": {"key_columns": key}}
    runs = TapRuns(pigment, tap, settings)
    target = MemoryTarget()

    for body in bodies:
        target.load(runs.run_with(body))

        assert live(target) == Counter(tuple(line.split(";")) for line in re.split("\r?\n", body)[1:-1])


@pytest.mark.parametrize("before", ["none", "stream"])
def test_change_to_row_mode_causes_a_full_send_without_deletions(
    before: str, pigment: Pigment, tap: MakeTap, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    runs = TapRuns(pigment, tap, settings)
    runs.run(change_detection=before)

    messages = runs.run_with(CHANGED)

    assert [row["Code"] for row in rows(messages)] == ["FR", "DE", "ES"]
    assert (
        "countries: full send, because the last run left no snapshot. Rows deleted since the last run stay in the "
        "target."
    ) in caplog.messages


def test_first_run_warns_of_nothing(
    pigment: Pigment, tap: MakeTap, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    TapRuns(pigment, tap, settings).run()

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == []


def test_catalog_serves_runs_with_and_without_deleted_rows(
    pigment: Pigment, tap: MakeTap, discover: Discover, settings: dict[str, Any]
) -> None:
    runs = TapRuns(pigment, tap, settings)
    plain, by_row = discover(), discover(**settings)

    runs.catalog = plain
    runs.run()
    changes = runs.run_with(CHANGED)
    runs.catalog = by_row
    all_rows = runs.run(change_detection="none")

    assert "_sdc_deleted_at" in of_type(changes, "SCHEMA")[0]["schema"]["properties"]
    assert rows(changes)[0]["Code"] == "IT"
    assert "_sdc_deleted_at" not in of_type(all_rows, "SCHEMA")[0]["schema"]["properties"]
    assert len(rows(all_rows)) == 3


@pytest.mark.parametrize("key", [["Code"], []], ids=["keyed", "keyless"])
def test_changes_of_a_large_table_are_those_of_its_rows(
    key: list[str], pigment: Pigment, tap: MakeTap, settings: dict[str, Any]
) -> None:
    # More rows than DuckDB keeps together (122,880), so that their numbers are not in the order of one thread.
    before = [[f"{number}", "same"] for number in range(130_000)]
    after = [[number, name] if int(number) % 1_000 else [number, "changed"] for number, name in before[10:]]
    runs = TapRuns(pigment, tap, {**settings, "stream_overrides": {"countries": {"key_columns": key}}})
    runs.run_with(export(["Code", "Name"], before))

    messages = runs.run_with(export(["Code", "Name"], after))

    emitted = rows(messages)
    live_rows = sorted((row["Code"], row["Name"]) for row in emitted if row["_sdc_deleted_at"] is None)
    assert live_rows == sorted((f"{number}", "changed") for number in range(1_000, 130_000, 1_000))
    assert len(emitted) == 129 + (10 if key else 10 + 129)
