"""RECORD lines that DuckDB makes: equal to the records that Python makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib.json import serialize_json

from tap_pigment.columns import ColumnType, RowKey
from tap_pigment.errors import InvariantError
from tap_pigment.output import (
    DeletedRows,
    RecordSet,
    RowSelection,
    deletion_blocks,
    number_identical_rows,
    record_blocks,
    with_exact_numbers,
)
from tests.support.export_files import (
    columns_of,
    csv_bytes,
    export_file,
    record_set,
    stream_database,
    validated_export,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tap_pigment.exports import DuckDBSession

FEW = settings(max_examples=60, deadline=None)
BEFORE, AFTER = '{"type":"RECORD","stream":"50 %d","record":', ',"time_extracted":"50 %d"}'

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=8),
    st.sampled_from(["", "NULL", "null", "\x01\x1f\x7f\t\\", "\u2028\u2029", "</script>", "'", '"', "%d", "%"]),
)
NUMBERS = st.one_of(
    st.just(""),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["-0", "-0.0", "1.10", "1E-05", "1e5", "12345678901234567890", "0.1234567890123456789", "4.9E-324"]
    ),
)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        NUMBERS,
        st.integers().map(str) | st.sampled_from(["", "-0"]),
        st.sampled_from(["", "TRUE", "FALSE"]),
        st.dates().map(str) | st.just(""),
    ),
    max_size=8,
)
HEADER = ["code", 'Wörd "x"\\y', "number", "whole", "flag", "day"]
TYPES = {
    "number": ColumnType.NUMBER,
    "whole": ColumnType.INTEGER,
    "flag": ColumnType.BOOLEAN,
    "day": ColumnType.DATE,
}


def with_digits(line: str) -> dict[str, Any]:
    """Return a line of JSON in which each number is the text that was written."""
    found: dict[str, Any] = json.loads(line, parse_float="number {}".format, parse_int="number {}".format)
    return found


def lines(
    blocks: Iterable[tuple[bytes, int]], read: Callable[[str], dict[str, Any]] = json.loads
) -> list[dict[str, Any]]:
    """Return the lines of blocks as JSON, after a check of their number."""
    found = []
    for block, count in blocks:
        assert block.endswith(b"\n")
        # Not splitlines, for which other characters end a line too.
        block_lines = block.decode().split("\n")[:-1]
        assert len(block_lines) == count
        found += [read(line) for line in block_lines]
    return found


def as_text(records: Iterable[dict[str, Any]]) -> list[str]:
    """Return records as text, in which 1, 1.0 and true differ."""
    return [json.dumps(record) for record in records]


@FEW
@given(ROWS, st.sampled_from([1, 25]), st.booleans(), st.booleans(), st.booleans())
def test_both_record_paths_give_equal_records(  # noqa: PLR0913, PLR0917 - drawn by Hypothesis.
    session: DuckDBSession,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    repeats: int,
    is_keyed: bool,  # noqa: FBT001 - drawn by Hypothesis.
    is_selected: bool,  # noqa: FBT001 - drawn by Hypothesis.
    marks_deletions: bool,  # noqa: FBT001 - drawn by Hypothesis.
) -> None:
    # Many columns are written by another expression.
    names = {f"{name}{repeat or ''}": TYPES.get(name) for repeat in range(repeats) for name in HEADER[1:]}
    header = [HEADER[0], *names]
    types = {name: column_type for name, column_type in names.items() if column_type}
    # Without a key, every row is there twice.
    copies = [number for number in range(len(rows)) for _ in range(1 if is_keyed else 2)]
    table = [header, *[[str(number) if is_keyed else "", *rows[number] * repeats] for number in copies]]
    file = export_file(tmp_path_factory.mktemp("law"), csv_bytes(table))
    key = RowKey(("code",) if is_keyed else ())
    columns = columns_of(header, types, key.columns)

    with validated_export(session, file, columns, key) as export:
        selection = None
        if is_selected:
            query = f"SELECT row FROM {export.table.numbered()} WHERE row % 3 <> 1"  # noqa: S608 - SQL of the package.
            selected = sum(number % 3 != 1 for number in range(len(copies)))
            selection = RowSelection(export.table.database.create_table("changed", query), selected)
        occurrences = number_identical_rows(export, columns) if export.may_repeat else None
        record_rows = RecordSet(export.table, columns, key, occurrences, selection, marks_deletions=marks_deletions)
        singles = list(record_rows.records())
        messages = lines(record_blocks(record_rows, before=BEFORE, after=AFTER), with_digits)

    assert [list(message) for message in messages] == [["type", "stream", "record", "time_extracted"]] * len(messages)
    written = [with_digits(serialize_json(with_exact_numbers(record))) for record in singles]
    assert as_text(message["record"] for message in messages) == as_text(written)


@FEW
@given(st.lists(st.tuples(TEXTS, st.integers().map(str)), max_size=8, unique=True))
def test_both_record_paths_give_equal_deleted_rows(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, keys: list[tuple[str, str]]
) -> None:
    file = export_file(tmp_path_factory.mktemp("law"), csv_bytes([["a", "b"], *keys]))
    columns = [*columns_of(["a", "b", "x"], {"b": ColumnType.INTEGER}, key=("a", "b"))]

    with stream_database(session, file) as database, record_set(session, file, key=("a", "b")) as record_rows:
        relation = record_rows.table.relation
        table = database.create_table("deleted", f"SELECT c0 AS key_0, c1 AS key_1 FROM {relation}")  # noqa: S608 - SQL of the package.
        deleted = DeletedRows(database, table, len(keys), columns, RowKey(("a", "b")), "2026-01-31T00:00:00+00:00")
        singles = list(deleted.records())
        messages = lines(deletion_blocks(deleted, before=BEFORE, after=AFTER))

    assert as_text(message["record"] for message in messages) == as_text(singles)
    assert [(record["a"], record["b"]) for record in singles] == [(text, int(number)) for text, number in keys]


def test_both_record_paths_give_equal_deleted_keyless_rows(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b"a;b\n")

    with stream_database(session, file) as database:
        table = database.create_table(
            "deleted", "SELECT unhex(sha256(range::VARCHAR)) AS content_hash, range + 1 AS occurrence FROM range(5_000)"
        )
        deleted = DeletedRows(database, table, 5_000, columns_of(file.header), RowKey(), "2026-01-31T00:00:00+00:00")
        singles = list(deleted.records())
        messages = lines(deletion_blocks(deleted, before=BEFORE, after=AFTER))

    assert len(singles) == 5_000
    assert as_text(message["record"] for message in messages) == as_text(singles)


def test_a_line_is_compact_json_with_the_digits_of_the_export(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, 'Code;Text;Amount\r\n1;"a;b ""c""\r\né";1.10\r\n'.encode())

    with record_set(session, file, key=("Code",), types={"Amount": ColumnType.NUMBER}) as rows:
        blocks = list(record_blocks(rows, before=BEFORE, after=AFTER))

    # printf '6:Amount,4:1.10,4:Code,1:1,4:Text,11:a;b "c"\\r\\né,' | sha256sum
    content_hash = "e8de177c6ae7a8d1a0ab92cef21002e884a5238798500c01881c2f264e4c6a5f"
    line = (
        '{"type":"RECORD","stream":"50 %d","record":{"Code":"1","Text":"a;b \\"c\\"\\r\\né","Amount":1.10,'
        f'"contentHash":"{content_hash}"}},"time_extracted":"50 %d"}}\n'
    )
    assert blocks == [(line.encode(), 1)]


def test_lines_of_files_have_nothing_around_the_record(session: DuckDBSession, tmp_path: Path) -> None:
    with record_set(session, export_file(tmp_path, b"a\nx\n"), key=("a",)) as rows:
        ((block, count),) = record_blocks(rows)

    assert count == 1
    assert list(json.loads(block)) == ["a", "contentHash"]


def test_rows_of_many_blocks_come_in_order_and_once(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, csv_bytes([["n"], *[[str(number)] for number in range(10_000)]]))

    with record_set(session, file, key=("n",)) as rows:
        counts = [count for _, count in record_blocks(rows)]
        found = lines(record_blocks(rows))

    assert counts == [500] * 20
    assert [record["n"] for record in found] == [str(number) for number in range(10_000)]


def test_no_rows_are_no_blocks(session: DuckDBSession, tmp_path: Path) -> None:
    with record_set(session, export_file(tmp_path, b"a\n")) as rows:
        assert list(record_blocks(rows)) == []


def test_a_row_that_is_lost_on_the_way_is_a_bug(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, csv_bytes([["a", "b"], ["1", "2"], ["3", "4"]]))

    with record_set(session, file) as rows:
        file.path.write_bytes(b'"a";"b"\r\n"1";"2"\r\n')
        with pytest.raises(InvariantError, match=r"plan: 1 of 2 rows were emitted\. Please report this as a bug"):
            list(record_blocks(rows))
