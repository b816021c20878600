"""The look at what a command has written."""

import os
from pathlib import Path

import duckdb
import pytest

from tap_pigment.sandbox.report import report, stamps


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder `output` of an empty working directory."""
    monkeypatch.chdir(tmp_path)
    Path("output").mkdir()
    return Path("output")


def load(path: Path, *statements: str) -> None:
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)


def test_tables_come_with_their_row_counts_and_the_fullest_with_their_first_rows(folder: Path) -> None:
    load(
        folder / "warehouse.duckdb",
        "CREATE SCHEMA finance",
        "CREATE TABLE finance.gl AS SELECT 'FR' AS country, 12.5 AS amount, NULL AS memo FROM range(1234)",
        "CREATE TABLE finance.\"P&L\" AS SELECT 'a' AS line, 'x' AS _sdc_extracted_at, 'y' AS contentHash",
        "CREATE TABLE finance.projects (name TEXT)",
    )

    text = report(folder, {})

    assert text == (
        "\nWhat landed where:\n"
        "output/warehouse.duckdb\n"
        '  finance."P&L"               1 rows\n'
        "  finance.gl              1,234 rows\n"
        "  finance.projects            0 rows\n"
        "\n"
        "  finance.gl, the first rows:\n"
        "    country  amount  memo\n"
        "    FR       12.5\n"
        "    FR       12.5\n"
        "    FR       12.5\n"
        "\n"
        '  finance."P&L", the first rows:\n'
        "    line\n"
        "    a"
    )


def test_only_three_tables_are_shown(folder: Path) -> None:
    load(folder / "a.duckdb", *(f"CREATE TABLE t{number} AS SELECT 1 AS a" for number in range(5)))

    text = report(folder, {})

    assert text.count("the first rows:") == 3


def test_lines_stay_short_and_say_where_something_was_left_out(folder: Path) -> None:
    columns = ", ".join(f"'{'wide; ' * 4}\n{'x' * 40}' AS column_{number}" for number in range(9))
    load(folder / "a.duckdb", f"CREATE TABLE t AS SELECT {columns}")

    lines = report(folder, {}).splitlines()

    assert lines[-2:] == [
        "    column_0                      column_1                      column_2                      …",
        "    wide; wide; wide; wide; xxx…  wide; wide; wide; wide; xxx…  wide; wide; wide; wide; xxx…  …",
    ]
    assert max(map(len, lines)) <= 110


def test_many_narrow_columns_are_left_out_too(folder: Path) -> None:
    load(folder / "a.duckdb", f"CREATE TABLE t AS SELECT {', '.join(f'1 AS c{number:02}' for number in range(60))}")

    header, row = report(folder, {}).splitlines()[-2:]

    assert header.split() == [*(f"c{number:02}" for number in range(21)), "…"]
    assert len(header) == len(row) == 110


def test_json_lines_are_counted(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "countries.jsonl").write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    (folder / "notes.txt").write_text("Not ours.\n", encoding="utf-8")

    text = report(folder, {})

    assert text == "\nWhat landed where:\noutput/deep/countries.jsonl: 2 lines"


def test_what_was_there_before_is_not_mentioned(folder: Path) -> None:
    for name in ("old.jsonl", "grown.jsonl", "rewritten.jsonl"):
        (folder / name).write_text("{}\n", encoding="utf-8")
        os.utime(folder / name, (0, 0))
    before = stamps(folder)

    with (folder / "grown.jsonl").open("a", encoding="utf-8") as grown:
        grown.write("{}\n")
    os.utime(folder / "grown.jsonl", (0, 0))
    (folder / "rewritten.jsonl").write_text("{}\n", encoding="utf-8")
    text = report(folder, before)

    assert text.splitlines()[2:] == ["output/grown.jsonl: 2 lines", "output/rewritten.jsonl: 1 lines"]


def test_nothing_written_is_nothing_said(folder: Path) -> None:
    assert report(folder, {}) == ""
    assert report(folder / "nowhere", {}) == ""


def test_a_database_that_cannot_be_opened_is_named(folder: Path) -> None:
    (folder / "broken.duckdb").write_text("This is no database, though it is long enough." * 100, encoding="utf-8")

    lines = report(folder, {}).splitlines()

    assert lines[2] == "output/broken.duckdb"
    assert lines[3].startswith("  cannot be opened: ")
    assert len(lines) == 4
