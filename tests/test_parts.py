"""Parts of an export, put together, are the export."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.csv_rows import rows_one_by_one
from tap_pigment.parts import write_part, write_rows, write_spans
from tap_pigment.shape import shape_of
from tests.test_shape import Body, bodies

if TYPE_CHECKING:
    from pathlib import Path


def rows_of_part(folder: Path, start: int, rows: int) -> list[list[str]]:
    """Write a part of the export in a folder and return its rows, the header first."""
    source, target = folder / "export.csv", folder / "part.csv"
    write_part(source, shape_of(source), target, start, rows)
    return [fields or [""] for _, fields in rows_one_by_one(target)]


def rows_chosen(folder: Path, rows: list[int]) -> list[list[str]]:
    """Write some rows of the export in a folder and return them, the header first."""
    source, target = folder / "export.csv", folder / "rows.csv"
    write_rows(source, shape_of(source), target, rows)
    return [fields or [""] for _, fields in rows_one_by_one(target)]


@given(body=bodies(), start=st.integers(0, 5), rows=st.integers(1, 5))
def test_a_part_has_the_header_and_its_rows(
    tmp_path_factory: pytest.TempPathFactory, body: Body, start: int, rows: int
) -> None:
    folder = tmp_path_factory.mktemp("law")
    (folder / "export.csv").write_bytes(body.content)

    found = rows_of_part(folder, start, rows)

    assert found == [body.table[0], *body.table[1:][start : start + rows]]


def test_parts_of_a_long_export_have_each_row_once(tmp_path: Path) -> None:
    table = [[f"{number:06}", 'two\nlines; "quoted"' * (number % 3)] for number in range(20_000)]
    with (tmp_path / "export.csv").open("w", encoding="utf-8", newline="") as export:
        csv.writer(export, delimiter=";", lineterminator="\r\n").writerows([["a", "b"], *table])

    parts = [rows_of_part(tmp_path, start, 7_000) for start in range(0, 20_000, 7_000)]

    assert [len(part) for part in parts] == [7_001, 7_001, 6_001]
    assert [row for part in parts for row in part[1:]] == table


def test_a_line_longer_than_all_that_is_read_at_once_is_one_row(tmp_path: Path) -> None:
    long = "x;\n" * 300_000
    (tmp_path / "export.csv").write_text(f'a;b\n1;"{long}"\n2;y', encoding="utf-8", newline="")

    assert rows_of_part(tmp_path, 0, 1) == [["a", "b"], ["1", long]]
    assert rows_of_part(tmp_path, 1, 1) == [["a", "b"], ["2", "y"]]


@given(body=bodies(), chosen=st.sets(st.integers(0, 9)))
def test_rows_that_are_chosen_are_there_with_the_header(
    tmp_path_factory: pytest.TempPathFactory, body: Body, chosen: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("law")
    (folder / "export.csv").write_bytes(body.content)
    rows = sorted(row for row in chosen if row < len(body.table) - 1)

    found = rows_chosen(folder, rows)

    assert found == [body.table[0], *(body.table[1 + row] for row in rows)]


@pytest.mark.parametrize("breaks", [0, 2], ids=["plain", "with line breaks in cells"])
def test_rows_are_chosen_all_over_a_long_export(tmp_path: Path, breaks: int) -> None:
    table = [[f"{number:06}", 'two\nlines; "quoted"' * (number % (1 + breaks))] for number in range(40_000)]
    with (tmp_path / "export.csv").open("w", encoding="utf-8", newline="") as export:
        csv.writer(export, delimiter=";", lineterminator="\r\n").writerows([["a", "b"], *table])

    found = rows_chosen(tmp_path, [0, 1, *range(7, 40_000, 100), 39_999])

    assert found == [["a", "b"], table[0], table[1], *table[7::100], table[39_999]]


def test_a_row_longer_than_all_that_is_read_at_once_can_be_chosen(tmp_path: Path) -> None:
    long = 'x;\n""' * 300_000
    (tmp_path / "export.csv").write_text(f'a;b\n1;"{long}"\n2;y\n3;"{long}"', encoding="utf-8", newline="")

    assert rows_chosen(tmp_path, [1]) == [["a", "b"], ["2", "y"]]
    assert rows_chosen(tmp_path, [0, 2]) == [["a", "b"], ["1", long.replace('""', '"')], ["3", long.replace('""', '"')]]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_lines_are_found_at_their_places_below_the_header(tmp_path: Path, bom: bytes) -> None:
    lines = [b"%06d;%s\r\n" % (number, b"x" * (number % 50)) for number in range(20_000)]
    (tmp_path / "export.csv").write_bytes(bom + b"a;b\r\n" + b"".join(lines))
    wanted = [0, 1, 7_000, 19_999]
    spans = [(sum(map(len, lines[:number])), len(lines[number])) for number in wanted]

    write_spans(tmp_path / "export.csv", shape_of(tmp_path / "export.csv"), tmp_path / "lines.csv", spans)

    assert (tmp_path / "lines.csv").read_bytes() == bom + b"a;b\r\n" + b"".join(lines[number] for number in wanted)
