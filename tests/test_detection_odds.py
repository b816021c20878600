"""Change detection of tables that are out of the ordinary: after each night, the target has what the export has."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import of_type
from tests.consumer import Consumer
from tests.nights import CHANGED, Nights, rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Discover, MakeTap
    from tests.pigment import Pigment


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Return the settings of runs that compare row by row, and may delete everything."""
    return {
        "change_detection": "row",
        "snapshot_uri": str(tmp_path / "snapshots"),
        "max_shrink_percent": 100,
        "infer_types": False,
    }


def export(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an export."""
    body = io.StringIO(newline="")
    csv.writer(body, delimiter=";", lineterminator="\r\n").writerows([header, *rows])
    return body.getvalue()


def live(consumer: Consumer) -> Counter[tuple[str, ...]]:
    """Return the rows of the table, blanks as empty texts, in the order of the columns."""
    return Counter(tuple(cell or "" for cell in row.values()) for row in consumer.live("countries"))


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
# Rows that are a line each, and those that only look like it.
IN_A_LINE = [text for text in HARD if not {"\r", "\n"} & set(text)]
ODD_LINES = [*IN_A_LINE, "a\x01b", "\x01", "a\rb"]


def nights_of(texts: Sequence[str]) -> list[list[list[str]]]:
    """Return versions of a table of texts."""
    return [
        [[text, text] for text in texts],
        [[text, text[::-1]] for text in texts[::2]],
        [[text, text] for text in reversed(texts)],
    ]


NIGHTS: dict[str, tuple[Sequence[str], list[list[list[str]]]]] = {
    "hard texts": (["Code", "Name"], nights_of(HARD)),
    "hard texts in a line": (["Code", "Name"], nights_of(IN_A_LINE)),
    "hard texts that only look like lines": (["Code", "Name"], nights_of(ODD_LINES)),
    "a line end that comes and goes": (
        ["Code", "Name"],
        [*nights_of(IN_A_LINE), *nights_of(HARD), *nights_of(IN_A_LINE)],
    ),
    "columns that are called as ours are": (
        [
            "key_0",
            "fingerprint_1",
            "fingerprint_2",
            "content",
            "copies",
            "before",
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
    "cells that move from a column to its neighbour": (
        ["Code", "a", "b"],
        [[["1", "x", ""], ["2", "", "xy"]], [["1", "", "x"], ["2", "x", "y"]], [["1", "x", ""], ["2", "xy", ""]]],
    ),
    "very long keys": (["Code", "Name"], [[["k" * 500_000 + end, "a"] for end in "ab"], [["k" * 500_000 + "b", "a"]]]),
}


@pytest.mark.parametrize("key", [1, 0], ids=["keyed", "keyless"])
@pytest.mark.parametrize("name", NIGHTS)
def test_the_table_has_what_the_export_has_after_each_night(
    name: str, key: int, pigment: Pigment, tap: MakeTap, settings: dict[str, Any]
) -> None:
    header, versions = NIGHTS[name]
    settings["stream_overrides"] = {"countries": {"key_columns": header[:key]}}
    nights = Nights(pigment, tap, settings)
    consumer = Consumer()

    for version in versions:
        consumer.take(nights.night(export(header, version)))

        assert live(consumer) == Counter(map(tuple, version))
    assert of_type(nights.night(export(header, versions[-1][::-1])), "RECORD") == []


# DuckDB drops the byte that separates nothing from the end of a line, which makes up for the other line end.
UNLIKE = {
    "first with it": ["Code;Name\r\nA;x\x01\nB;y\r\n", "Code;Name\r\nA;x\r\nB;y\r\n"],
    "then with it": ["Code;Name\r\nA;x\r\nB;y\r\n", "Code;Name\r\nA;x\x01\nB;y\r\n"],
    "with it in between": [
        "Code;Name\r\nA;x\r\nB;y\r\n",
        "Code;Name\r\nA;q\x01\nB;y\r\n",
        "Code;Name\r\nA;q\r\nB;y\r\n",
    ],
}


@pytest.mark.parametrize("key", [["Code"], []], ids=["keyed", "keyless"])
@pytest.mark.parametrize("bodies", UNLIKE.values(), ids=UNLIKE)
def test_lines_that_duckdb_reads_alike_are_told_apart(
    bodies: list[str], key: list[str], pigment: Pigment, tap: MakeTap, settings: dict[str, Any]
) -> None:
    settings["stream_overrides"] = {"countries": {"key_columns": key}}
    nights = Nights(pigment, tap, settings)
    consumer = Consumer()

    for body in bodies:
        consumer.take(nights.night(body))

        assert live(consumer) == Counter(tuple(line.split(";")) for line in re.split("\r?\n", body)[1:-1])


@pytest.mark.parametrize("before", ["none", "stream"])
def test_a_table_that_was_loaded_otherwise_before_is_sent_whole_and_what_is_gone_cannot_be_told(
    before: str, pigment: Pigment, tap: MakeTap, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    nights = Nights(pigment, tap, settings)
    nights.run(change_detection=before)

    messages = nights.night(CHANGED)

    assert [row["Code"] for row in rows(messages)] == ["FR", "DE", "ES"]
    assert "Rows that have gone since the last run cannot be told from here" in caplog.text


def test_the_first_run_has_nothing_to_warn_of(
    pigment: Pigment, tap: MakeTap, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    Nights(pigment, tap, settings).run()

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == []


def test_a_catalog_of_a_run_that_told_no_deletions_serves_one_that_does_and_the_other_way_round(
    pigment: Pigment, tap: MakeTap, discover: Discover, settings: dict[str, Any]
) -> None:
    nights = Nights(pigment, tap, settings)
    plain, by_row = discover(), discover(**settings)

    nights.catalog = plain
    nights.run()
    deleting = nights.night(CHANGED)
    nights.catalog = by_row
    sending_all = nights.run(change_detection="none")

    assert "_sdc_deleted_at" in of_type(deleting, "SCHEMA")[0]["schema"]["properties"]
    assert rows(deleting)[-1]["Code"] == "IT"
    assert "_sdc_deleted_at" not in of_type(sending_all, "SCHEMA")[0]["schema"]["properties"]
    assert len(rows(sending_all)) == 3


def test_more_changes_than_are_picked_out_one_by_one_are_all_sent(
    pigment: Pigment, tap: MakeTap, settings: dict[str, Any]
) -> None:
    before, after = ([[f"{number}", text] for number in range(200_002)] for text in ("before", "after"))
    nights = Nights(pigment, tap, {**settings, "stream_overrides": {"countries": {"key_columns": ["Code"]}}})
    consumer = Consumer()
    consumer.take(nights.night(export(["Code", "Name"], before)))

    consumer.take(nights.night(export(["Code", "Name"], after)))

    assert live(consumer) == Counter(map(tuple, after))
