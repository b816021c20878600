"""Exports as fields, with line ends, quotes and the BOM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.sandbox.verify.csv_text import CsvText, Field, read_csv

CELLS = st.text(alphabet='ab;,"\r\n\té', max_size=6)
TABLES = st.lists(st.tuples(CELLS, CELLS), max_size=5)


def written(rows: list[tuple[str, str]], line_end: str) -> bytes:
    """Return a table of two columns as RFC 4180 has it, but for the line end."""
    lines = (";".join(map(quoted, row)) for row in [("x", "y"), *rows])
    return "".join(f"{line}{line_end}" for line in lines).encode()


def quoted(cell: str) -> str:
    """Return a cell in quotes if it needs them."""
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(';"\r\n') else cell


def read(body: bytes, *, is_whole: bool = True) -> CsvText:
    """Return an export that has a row."""
    text = read_csv(body, is_whole=is_whole)
    assert text is not None
    return text


def cells(text: CsvText) -> list[tuple[str, ...]]:
    """Return the texts of all fields but the header's."""
    return [tuple(field.text for field in row) for row in text.rows]


@given(TABLES, st.sampled_from(["\r\n", "\n", "\r"]))
def test_reading_gives_the_table_that_was_written(rows: list[tuple[str, str]], line_end: str) -> None:
    text = read(written(rows, line_end))

    assert cells(text) == rows
    assert text.header == ("x", "y")
    assert text.line_ends == {line_end}
    assert text.has_final_line_end
    assert not text.has_loose_quote


@given(TABLES, st.sampled_from(["\r\n", "\n"]), st.integers(min_value=5, max_value=80))
def test_a_beginning_gives_the_first_rows(rows: list[tuple[str, str]], line_end: str, end: int) -> None:
    text = read(written(rows, line_end)[:end], is_whole=False)

    assert cells(text) == rows[: len(text.rows)]
    assert text.line_ends <= {line_end}
    assert not text.has_loose_quote


def test_a_beginning_without_a_line_end_has_no_rows() -> None:
    assert read_csv(b"one;tw", is_whole=False) is None
    assert read_csv(b"", is_whole=True) is None


@pytest.mark.parametrize(
    ("body", "delimiter"),
    [(b"a;b,c;d\r\n", ";"), (b"a,b\r\n", ","), (b"a\tb\r\n", "\t"), (b"a\r\n1;2\r\n", None)],
)
def test_the_delimiter_is_that_of_the_header(body: bytes, delimiter: str | None) -> None:
    assert read(body).delimiter == delimiter


def test_a_bom_is_not_part_of_the_header() -> None:
    text = read(b"\xef\xbb\xbfa;b\r\n")

    assert (text.has_bom, text.header) == (True, ("a", "b"))


@pytest.mark.parametrize("row", [b'say "UK";1', b'"UK" say;1', b'"a\\"b";1'])
def test_a_quote_that_rfc_4180_does_not_allow_is_loose(row: bytes) -> None:
    assert read(b"a;b\r\n" + row + b"\r\n").has_loose_quote


def test_bytes_that_are_not_utf_8_are_read_all_the_same() -> None:
    text = read(b"a;b\r\n\xe9;1\r\n")

    assert not text.is_utf_8
    assert len(text.rows) == 1


def test_a_character_that_the_end_of_a_beginning_cuts_is_utf_8() -> None:
    assert read("a;b\r\né".encode()[:-1], is_whole=False).is_utf_8


def test_fields_know_whether_they_were_quoted() -> None:
    text = read(b'a;b\r\n"1";2')

    assert text.rows == ((Field("1", is_quoted=True), Field("2")),)
    assert not text.has_final_line_end


def test_columns_hold_filled_cells_of_rows_of_the_right_length() -> None:
    text = read(b"a;b;c\r\n1;;x\r\n2;;\r\n3;4;5;6\r\n")

    assert list(text.columns) == [["1", "2"], ["x"]]
