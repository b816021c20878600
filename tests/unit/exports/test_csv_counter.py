"""The counts of a CSV body while it arrives: the same in any chunks, and never misled by a truncation."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.exports.csv_counter import CsvCounter, count_file
from tests.unit.exports.bodies import BOM, Body, bodies

UNTIMED = settings(deadline=None)
COUNTS = (
    "size_bytes",
    "line_ends",
    "delimiters",
    "has_open_quote",
    "ends_with_newline",
    "is_irregular",
    "rows",
    "cell_bytes",
    "has_nul",
)


def counted(*chunks: bytes) -> CsvCounter:
    counter = CsvCounter()
    for chunk in chunks:
        counter.feed(chunk)
    return counter


def byte_by_byte(content: bytes) -> CsvCounter:
    return counted(*[bytes([byte]) for byte in content])


def counts(counter: CsvCounter) -> dict[str, object]:
    return {name: getattr(counter, name) for name in COUNTS}


@UNTIMED
@given(bodies())
def test_the_counts_of_a_written_table_are_right(body: Body) -> None:
    counter = counted(body.content)

    width = len(body.table[0])
    assert counts(counter) == {
        "size_bytes": len(body.content),
        "line_ends": len(body.table),
        "delimiters": len(body.table) * (width - 1),
        "has_open_quote": False,
        "ends_with_newline": True,
        "is_irregular": False,
        "rows": len(body.table) - 1,
        "cell_bytes": sum(len(cell.encode()) for row in body.table for cell in row),
        "has_nul": any("\0" in cell for row in body.table for cell in row),
    }
    assert counter.header == tuple(body.table[0])
    assert counter.has_width(width)
    assert not counter.has_width(width + 1)


@UNTIMED
@given(bodies(), st.data())
def test_counts_do_not_depend_on_the_chunks(body: Body, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(body.content)), max_size=8).map(sorted))
    chunks = [body.content[start:end] for start, end in pairwise([0, *cuts, len(body.content)])]

    assert counts(counted(*chunks)) == counts(counted(body.content))
    assert counted(*chunks).header == counted(body.content).header


@UNTIMED
@given(
    st.lists(st.sampled_from([b'"', b";", b"\n", b"\r", b"\r\n", b" ", b"a", BOM, b"\xff", "é".encode()]), max_size=12)
)
def test_counts_of_any_bytes_do_not_depend_on_the_chunks(parts: list[bytes]) -> None:
    content = b"".join(parts)

    assert counts(byte_by_byte(content)) == counts(counted(content))


@UNTIMED
@given(bodies(), st.integers(1, 20))
def test_no_line_is_longer_than_the_counted_one(body: Body, chunk_bytes: int) -> None:
    chunks = [body.content[start : start + chunk_bytes] for start in range(0, len(body.content), chunk_bytes)]

    counter = counted(*chunks)

    mark = len(BOM) if body.content.startswith(BOM) else 0
    longest = max(end - start for start, end in pairwise([mark, *body.line_ends]))
    assert longest <= counter.longest_line_bytes <= longest + 2 * (chunk_bytes + len(BOM))


@UNTIMED
@given(bodies())
def test_a_truncated_body_ends_with_a_newline_only_between_rows(body: Body) -> None:
    for end in range(len(body.content)):
        counter = counted(body.content[:end])

        if counter.ends_with_newline and not counter.has_open_quote:
            assert end in body.line_ends


@UNTIMED
@given(bodies())
def test_a_body_truncated_between_rows_has_whole_rows(body: Body) -> None:
    for rows, end in enumerate(body.line_ends):
        counter = counted(body.content[:end])

        assert counter.ends_with_newline
        assert counter.rows == rows
        assert counter.has_width(len(body.table[0]))


@UNTIMED
@given(bodies())
def test_a_body_without_its_last_line_end_has_the_same_rows(body: Body) -> None:
    counter = counted(body.content[:-1])

    assert not counter.ends_with_newline
    assert counter.rows == len(body.table) - 1


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
        pytest.param(b"a;b\n1\n", 2, id="a missing field"),
        pytest.param(b"a;b\n\n1;2\n", 2, id="a blank line"),
        pytest.param(b"a;b\n1;2\n\n", 2, id="a blank line at the end"),
        pytest.param(b"a\n1;\n", 1, id="a surplus delimiter in a single column"),
        pytest.param(b"a;b\n1;\xff\n", 2, id="not UTF-8"),
        pytest.param(b'a;b\n1;"\xc3"\n', 2, id="half a character, quoted"),
        pytest.param(b"a;b\n1;\xed\xa0\x80\n", 2, id="a surrogate"),
    ],
)
def test_an_irregular_body_does_not_have_its_width(content: bytes, width: int) -> None:
    assert not counted(content).has_width(width)
    assert not byte_by_byte(content).has_width(width)


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
        pytest.param("é;🎉\n1;é\n".encode(), 2, id="characters of several bytes"),
    ],
)
def test_a_regular_body_has_its_width(content: bytes, width: int) -> None:
    assert counted(content).has_width(width)
    assert byte_by_byte(content).has_width(width)


def test_a_body_that_ends_inside_a_quoted_field_has_an_open_quote() -> None:
    counter = counted(b'a;b\n1;"x\n')

    assert counter.has_open_quote
    assert not counter.ends_with_newline


@pytest.mark.parametrize("content", [b"", BOM])
def test_an_empty_body_has_no_header_and_no_rows(content: bytes) -> None:
    counter = counted(content)

    assert counter.header is None
    assert counter.rows == 0
    assert not counter.ends_with_newline


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
        (b"\n", ("",)),
        (b"\r\n", ("",)),
        (b"\n1\n", ("",)),
    ],
)
def test_the_header_is_the_first_line(content: bytes, header: tuple[str, ...]) -> None:
    assert counted(content).header == header
    assert byte_by_byte(content).header == header


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a;b\r\n1;2\r\n", b"a;b\r\n"),
        (b'"a;\n""x""";b\n1;2\n', b'"a;\n""x""";b\n'),
        (b"a;b", b"a;b"),
        (b"\n1\n", b"\n"),
    ],
)
@pytest.mark.parametrize("mark", [b"", BOM])
def test_the_rows_begin_behind_the_header_line(content: bytes, line: bytes, mark: bytes) -> None:
    for counter in (counted(mark + content), byte_by_byte(mark + content)):
        assert counter.header_line == line
        assert counter.header_bytes == len(mark + line)


def test_a_header_that_is_not_utf8_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        _ = counted(b"a;\xff\n").header


def test_a_header_that_is_not_csv_is_an_error() -> None:
    with pytest.raises(csv.Error):
        _ = counted(b'"a"b;c\n').header


@pytest.mark.parametrize("chunk_bytes", [1_000, 1 << 20, 1 << 22])
def test_a_header_of_more_than_1_mb_is_an_error_and_never_cut(chunk_bytes: int) -> None:
    content = b"a;" + b"b" * (1 << 20) + b"\n1;2\n"
    counter = CsvCounter()
    for start in range(0, len(content), chunk_bytes):
        counter.feed(content[start : start + chunk_bytes])

    assert counter.is_header_too_long
    with pytest.raises(csv.Error, match="longer than 1,048,576 bytes"):
        _ = counter.header


def test_a_header_of_almost_1_mb_is_whole() -> None:
    names = ["b" * 1_023] * 1_023 + ["c" * 1_023]

    counter = counted(";".join(names).encode() + b"\n")

    assert not counter.is_header_too_long
    assert counter.header == tuple(names)


def test_a_file_is_counted_like_its_bytes(tmp_path: Path) -> None:
    content = BOM + b'a;b\r\n"x;""y""";2\r\n' * 30_000
    path = tmp_path / "export.csv"
    path.write_bytes(content)

    assert counts(count_file(path)) == counts(counted(content))
