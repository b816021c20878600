"""Counting lines and fields as bytes arrive: the same in any pieces, and never deceived by a cut."""

import csv
import io
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.csv_rows import first_fault, is_not_utf8, rewrite, rows_one_by_one
from tap_pigment.shape import CsvShape, LineShape

BOM = b"\xef\xbb\xbf"


class Body(NamedTuple):
    """A table, its bytes, and where in them its lines end."""

    table: list[list[str]]
    content: bytes
    line_ends: list[int]


def written(table: list[list[str]], *, quoting: int, line_end: str, bom: bytes) -> Body:
    """Return a table as Python's writer writes it."""
    content = bom
    line_ends = []
    for row in table:
        line = io.StringIO(newline="")
        csv.writer(line, delimiter=";", quoting=quoting, lineterminator=line_end).writerow(row)  # type: ignore[arg-type] # one of csv's own constants.
        content += line.getvalue().encode()
        line_ends.append(len(content))
    return Body(table, content, line_ends)


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    """Draw a table and a manner to write it."""
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    # Before 3.13, the writer leaves a CR unquoted where lines end in LF; a cell that begins the body with a BOM is one.
    forbidden = "\ufeff\r" if quoting == csv.QUOTE_MINIMAL and line_end == "\n" else "\ufeff"
    any_text = st.text(st.characters(codec="utf-8", exclude_characters=forbidden), max_size=6)
    tricky = st.text(st.sampled_from(sorted(set('";\n\r a1é🎉') - set(forbidden))), max_size=6)
    width = draw(st.integers(1, 4))
    table = draw(st.lists(st.lists(any_text | tricky, min_size=width, max_size=width), min_size=1, max_size=5))
    return written(table, quoting=quoting, line_end=line_end, bom=draw(st.sampled_from([b"", BOM])))


def shape_of(*pieces: bytes) -> CsvShape:
    shape = CsvShape()
    for piece in pieces:
        shape.feed(piece)
    return shape


def counts(shape: CsvShape) -> dict[str, object]:
    public = ("size", "lines", "delimiters", "open_quote", "line_ends", "irregular", "rows", "header", "cell_bytes")
    return {name: getattr(shape, name) for name in public}


@given(bodies())
def test_what_the_csv_writer_wrote_is_counted_right(body: Body) -> None:
    shape = shape_of(body.content)

    width = len(body.table[0])
    assert counts(shape) == {
        "size": len(body.content),
        "lines": len(body.table),
        "delimiters": len(body.table) * (width - 1),
        "open_quote": False,
        "line_ends": True,
        "irregular": False,
        "rows": len(body.table) - 1,
        "header": tuple(body.table[0]),
        "cell_bytes": sum(len(cell.encode()) for row in body.table for cell in row),
    }
    assert shape.agrees_with(width)
    assert not shape.agrees_with(width + 1)


@given(bodies(), st.data())
def test_counts_do_not_depend_on_the_pieces(body: Body, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(body.content)), max_size=8).map(sorted))
    pieces = [body.content[start:end] for start, end in pairwise([0, *cuts, len(body.content)])]

    assert counts(shape_of(*pieces)) == counts(shape_of(body.content))


@given(st.lists(st.sampled_from([b'"', b";", b"\n", b"\r", b"\r\n", b" ", b"a", BOM]), max_size=12))
def test_counts_of_any_bytes_do_not_depend_on_the_pieces(parts: list[bytes]) -> None:
    content = b"".join(parts)
    whole, byte_by_byte = shape_of(content), shape_of(*[content[at : at + 1] for at in range(len(content))])

    for name in ("size", "lines", "delimiters", "open_quote", "line_ends", "irregular", "rows"):
        assert getattr(byte_by_byte, name) == getattr(whole, name), name


@given(bodies(), st.data())
def test_lines_alone_are_counted_whatever_stands_in_them(body: Body, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(body.content)), max_size=8).map(sorted))
    shape = LineShape()

    for start, end in pairwise([0, *cuts, len(body.content)]):
        shape.feed(body.content[start:end])

    assert shape.size == len(body.content)
    assert shape.lines == body.content.count(b"\n")
    assert shape.line_ends
    assert shape.header == tuple(body.table[0])


@pytest.mark.parametrize(
    ("content", "rows", "row_bytes", "expected"),
    [
        (b"a;b\n1;2\n", 1, 3, True),
        (b"a;b\r\n1;2\r\n", 1, 3, True),
        (b"a;b\r\n1;2", 1, 3, True),
        (BOM + b"a;b\n1;2\n\n3;4", 3, 6, True),
        (b"a;b\n", 0, 0, True),
        (b"a;b\n1;2\n", 1, 2, False),
        (b"a;b\n1;2\n", 2, 3, False),
        (b"a;b\n1;2\n\n3;4", 2, 6, False),
        (b"a;b\r\n1;2\n3;4\r\n", 2, 6, False),
        (b"a;b\n1;2\r\n", 1, 3, False),
        (b"a\nx\ry\n", 2, 2, False),
        (b"a\nx\ry\nz\n", 2, 4, False),
        (b"a\r\nx\x01\ny\r\n", 2, 2, False),
    ],
)
@pytest.mark.parametrize("kind", [LineShape, CsvShape])
def test_lines_are_all_there_is_if_every_byte_is_in_one_or_ends_one(
    kind: type[LineShape],
    content: bytes,
    rows: int,
    row_bytes: int,
    expected: bool,  # noqa: FBT001 - a column of the table.
) -> None:
    shape = kind()
    shape.feed(content)

    assert shape.is_made_of(rows, row_bytes) is expected


@given(bodies())
def test_a_cut_never_passes_for_a_shorter_export_unless_between_rows(body: Body) -> None:
    for cut in range(len(body.content)):
        shape = shape_of(body.content[:cut])

        if shape.line_ends and not shape.open_quote:
            assert cut in body.line_ends


@given(bodies())
def test_a_cut_between_rows_leaves_whole_rows(body: Body) -> None:
    for rows, cut in enumerate(body.line_ends):
        shape = shape_of(body.content[:cut])

        assert shape.line_ends
        assert shape.rows == rows
        assert shape.agrees_with(len(body.table[0]))


@given(bodies())
def test_without_its_last_line_end_a_body_has_the_same_rows(body: Body) -> None:
    shape = shape_of(body.content[:-1])

    assert not shape.line_ends
    assert shape.rows == len(body.table) - 1


@pytest.mark.parametrize(
    ("content", "width"),
    [
        pytest.param(b'a;b\n1;x"y\n', 2, id="a quote within a field"),
        pytest.param(b'a;b\n1;"x"y\n', 2, id="text after a quoted field"),
        pytest.param(b'a;b\n1; "x"\n', 2, id="a space before a quote"),
        pytest.param(b'a;b\n1;"x" \n', 2, id="a space after a quote"),
        pytest.param(b"a;b\n1;x\ry\n", 2, id="a lone CR"),
        pytest.param(b"a;b\r1;2\r\n", 2, id="a lone CR as line end"),
        pytest.param(b"a;b\n1;x\r\r\n", 2, id="two CRs"),
        pytest.param(b"a;b\n1;2;\n", 2, id="a surplus delimiter at the end"),
        pytest.param(b"a;b\n1;2;3\n", 2, id="a surplus field"),
        pytest.param(b"a;b\n1\n", 2, id="a field too few"),
        pytest.param(b"a;b\n\n1;2\n", 2, id="a blank line"),
        pytest.param(b"a;b\n1;2\n\n", 2, id="a blank line at the end"),
        pytest.param(b"a\n1;\n", 1, id="a surplus delimiter in a single column"),
    ],
)
def test_what_is_not_as_it_should_be_is_noticed(content: bytes, width: int) -> None:
    assert not shape_of(content).agrees_with(width)
    assert not shape_of(*[bytes([byte]) for byte in content]).agrees_with(width)


@pytest.mark.parametrize(
    ("content", "width"),
    [
        pytest.param(b"a;b\n", 2, id="no rows"),
        pytest.param(b"a;b", 2, id="no rows and no line end"),
        pytest.param(b"a;b\n;\n", 2, id="a blank row"),
        pytest.param(b"a\n\n", 1, id="a blank line in a single column"),
        pytest.param(b'a;b\r\n"1\r2";"x\ny"\r\n', 2, id="line breaks in quotes"),
        pytest.param(b'a;b\n"";""""\n', 2, id="blank and a quote, quoted"),
        pytest.param(b"a;b\n1;2\r\n3;4\n", 2, id="mixed line ends"),
    ],
)
def test_what_is_as_it_should_be_raises_no_doubt(content: bytes, width: int) -> None:
    assert shape_of(content).agrees_with(width)


def test_a_body_that_ends_in_a_quoted_field_is_open() -> None:
    shape = shape_of(b'a;b\n1;"x\n')

    assert shape.open_quote
    assert not shape.line_ends


@pytest.mark.parametrize("content", [b"", BOM])
def test_nothing_has_no_header_and_no_rows(content: bytes) -> None:
    shape = shape_of(content)

    assert shape.header is None
    assert shape.rows == 0
    assert not shape.line_ends


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (b"a;b", ("a", "b")),
        (BOM + b"a;b\r\n1;2\r\n", ("a", "b")),
        (b'"a;x";"b\ny"\n', ("a;x", "b\ny")),
        (b"a;\n", ("a", "")),
        (b'""\n', ("",)),
        ("é;🎉\n".encode(), ("é", "🎉")),
        (b"a;b\n\xff;\xff\n", ("a", "b")),
    ],
)
def test_the_header_is_the_first_line(content: bytes, header: tuple[str, ...]) -> None:
    assert shape_of(content).header == header
    assert shape_of(*[bytes([byte]) for byte in content]).header == header


@pytest.mark.parametrize("content", [b"\n", b"\r\n", b"\n1\n"])
def test_a_blank_first_line_is_no_header_without_columns(content: bytes) -> None:
    assert shape_of(content).header in (None, ("",))


def test_a_header_that_is_not_utf8_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        _ = shape_of(b"a;\xff\n").header


def test_a_header_that_is_not_csv_is_an_error() -> None:
    with pytest.raises(csv.Error):
        _ = shape_of(b'"a"b;c\n').header


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a;b\n1;2\n3\n", "row 2 (line 3) has 1 fields where the header has 2"),
        (b"a;b\n1;2;3\n", "row 1 (line 2) has 3 fields where the header has 2"),
        (b"a;b\n1;2\n3;4;\n", "row 2 (line 3) has 3 fields where the header has 2"),
        (b'a;b\n"x\ny";2\n3\n', "row 2 (line 4) has 1 fields where the header has 2"),
        (b"a;b\n\n1;2\n", "row 1 (line 2) has 1 fields where the header has 2"),
        (b"a;b\n1;\xff\n", "row 1 (line 2) is not UTF-8"),
        (b"a;\xff\n1;2\n", "the header (line 1) is not UTF-8"),
        (b'a;b\n1;2\n3;"4\n', "row 2 (after line 2) is not CSV: unexpected end of data"),
    ],
)
def test_the_first_fault_names_its_row_and_line(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)

    assert first_fault(path) == fault


def test_text_after_a_quoted_field_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b'a;b\n1;2\n3;"x"y\n')

    fault = first_fault(path)

    assert fault is not None
    assert fault.startswith("row 2 (after line 2) is not CSV: ")


@pytest.mark.parametrize(
    "content", [b"a;b\n", b"a\n\n\n", b"a;b\n;\n", BOM + b'a;b\r\n1;"x\ny"\r\n', b"a;b\n1;2", b'a;b\n1; "x"\n', b""]
)
def test_what_can_be_read_has_no_fault(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)

    assert first_fault(path) is None


def test_a_fault_shows_no_cell(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b'name;salary\nSecret Person;"98765"x\n')

    fault = first_fault(path)

    assert fault is not None
    assert "Secret" not in fault
    assert "98765" not in fault


@given(bodies())
def test_rewriting_keeps_every_cell(tmp_path_factory: pytest.TempPathFactory, body: Body) -> None:
    folder = tmp_path_factory.mktemp("rewrite")
    (folder / "before.csv").write_bytes(body.content)

    rewrite(folder / "before.csv", folder / "after.csv")

    rewritten = [fields for _, fields in rows_one_by_one(folder / "after.csv")]
    assert rewritten[1:] == body.table[1:]
    assert len(rewritten[0]) == len(body.table[0])
    if not any(line_end in name for name in body.table[0] for line_end in "\r\n"):
        assert rewritten[0] == body.table[0]
    shape = shape_of((folder / "after.csv").read_bytes())
    assert shape.agrees_with(len(body.table[0]))
    assert shape.rows == len(body.table) - 1


def test_rewriting_settles_what_readers_differ_about(tmp_path: Path) -> None:
    (tmp_path / "before.csv").write_bytes(b'a;b\n1; "x"\n2;y"z\n')

    rewrite(tmp_path / "before.csv", tmp_path / "after.csv")

    assert (tmp_path / "after.csv").read_bytes() == b'"a";"b"\r\n"1";" ""x"""\r\n"2";"y""z"\r\n'


def test_a_blank_line_is_a_row_of_one_blank_cell(tmp_path: Path) -> None:
    (tmp_path / "before.csv").write_bytes(b"a\n\nx\n")

    rewrite(tmp_path / "before.csv", tmp_path / "after.csv")

    assert (tmp_path / "after.csv").read_bytes() == b'"a"\r\n""\r\n"x"\r\n'


@pytest.mark.parametrize(("text", "expected"), [("", False), ("abc", False), ("é🎉\ufffd", False), ("a\udcff", True)])
def test_bytes_that_are_not_utf8_are_told_by_their_surrogates(text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table.
    assert is_not_utf8(text) is expected
