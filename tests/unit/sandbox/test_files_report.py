"""The report of the files that a command wrote."""

import os
from pathlib import Path

import duckdb
import pytest

from tap_pigment.sandbox.files_report import file_stamps, files_report


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder `output` of an empty working directory."""
    monkeypatch.chdir(tmp_path)
    Path("output").mkdir()
    return Path("output")


def create_database(path: Path, *statements: str) -> None:
    """Run the SQL statements in a new database file."""
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)


def test_report_has_row_counts_and_the_first_rows_of_large_tables(folder: Path) -> None:
    create_database(
        folder / "warehouse.duckdb",
        "CREATE SCHEMA finance",
        "CREATE TABLE finance.gl AS SELECT 'FR' AS country, 12.5 AS amount, NULL AS memo FROM range(1234)",
        "CREATE TABLE finance.\"P&L\" AS SELECT 'a' AS line, 'x' AS _sdc_extracted_at, 'y' AS contentHash",
        "CREATE TABLE finance.projects (name TEXT)",
    )

    text = files_report(folder, {})

    assert text == (
        "\nWhat landed where:\n"
        "output/warehouse.duckdb\n"
        '  finance."P&L"               1 rows\n'
        "  finance.gl              1,234 rows\n"
        "  finance.projects            0 rows\n"
        "\n"
        "  finance.gl, first rows:\n"
        "    country  amount  memo\n"
        "    FR       12.5\n"
        "    FR       12.5\n"
        "    FR       12.5\n"
        "\n"
        '  finance."P&L", first rows:\n'
        "    line\n"
        "    a"
    )


def test_report_has_first_rows_of_at_most_three_tables(folder: Path) -> None:
    create_database(folder / "a.duckdb", *(f"CREATE TABLE t{number} AS SELECT 1 AS a" for number in range(5)))

    text = files_report(folder, {})

    assert text.count("first rows:") == 3


def test_wide_cells_and_lines_are_shortened_with_an_ellipsis(folder: Path) -> None:
    columns = ", ".join(f"'{'wide; ' * 4}\n{'x' * 40}' AS column_{number}" for number in range(9))
    create_database(folder / "a.duckdb", f"CREATE TABLE t AS SELECT {columns}")

    lines = files_report(folder, {}).splitlines()

    assert lines[-2:] == [
        "    column_0                      column_1                      column_2                      …",
        "    wide; wide; wide; wide; xxx…  wide; wide; wide; wide; xxx…  wide; wide; wide; wide; xxx…  …",
    ]
    assert max(map(len, lines)) <= 110


def test_columns_beyond_the_line_width_are_omitted(folder: Path) -> None:
    create_database(
        folder / "a.duckdb", f"CREATE TABLE t AS SELECT {', '.join(f'1 AS c{number:02}' for number in range(60))}"
    )

    header, row = files_report(folder, {}).splitlines()[-2:]

    assert header.split() == [*(f"c{number:02}" for number in range(21)), "…"]
    assert len(header) == len(row) == 110


def test_lines_of_json_lines_files_are_counted(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "countries.jsonl").write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    (folder / "notes.txt").write_text("Another file.\n", encoding="utf-8")

    text = files_report(folder, {})

    assert text == "\nWhat landed where:\noutput/deep/countries.jsonl: 2 lines"


def test_unchanged_files_are_marked(folder: Path) -> None:
    for name in ("old.jsonl", "grown.jsonl", "rewritten.jsonl"):
        (folder / name).write_text("{}\n", encoding="utf-8")
        os.utime(folder / name, (0, 0))
    before = file_stamps(folder)

    with (folder / "grown.jsonl").open("a", encoding="utf-8") as grown:
        grown.write("{}\n")
    os.utime(folder / "grown.jsonl", (0, 0))
    (folder / "rewritten.jsonl").write_text("{}\n", encoding="utf-8")
    text = files_report(folder, before)

    assert text.splitlines()[2:] == [
        "output/grown.jsonl: 2 lines",
        "output/old.jsonl: 1 lines (unchanged)",
        "output/rewritten.jsonl: 1 lines",
    ]


def test_an_unchanged_database_is_reported_with_its_rows(folder: Path) -> None:
    create_database(folder / "a.duckdb", "CREATE TABLE t AS SELECT 'x' AS name")

    text = files_report(folder, file_stamps(folder))

    assert text.splitlines()[2:] == [
        "output/a.duckdb (unchanged)",
        "  main.t            1 rows",
        "",
        "  main.t, first rows:",
        "    name",
        "    x",
    ]


def test_report_is_empty_without_files(folder: Path) -> None:
    assert files_report(folder, {}) == ""
    assert files_report(folder / "missing", {}) == ""


def test_a_database_that_cannot_be_opened_is_reported(folder: Path) -> None:
    (folder / "broken.duckdb").write_text("This is not a database." * 100, encoding="utf-8")

    lines = files_report(folder, {}).splitlines()

    assert lines[2] == "output/broken.duckdb"
    assert lines[3].startswith("  cannot be opened: ")
    assert len(lines) == 4
