"""The slow reader: it names the first faulty row, and writes files about which no two readers differ."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings

from tap_pigment.exports.csv_counter import count_file
from tap_pigment.exports.csv_fallback import first_fault, is_not_utf8, plain_header, read_rows, rewrite_quoted
from tests.unit.exports.bodies import BOM, Body, bodies

UNTIMED = settings(deadline=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export.csv"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a;b\n1;2\n3\n", "row 2 (line 3) has 1 fields, the header has 2"),
        (b"a;b\n1;2;3\n", "row 1 (line 2) has 3 fields, the header has 2"),
        (b"a;b\n1;2\n3;4;\n", "row 2 (line 3) has 3 fields, the header has 2"),
        (b'a;b\n"x\ny";2\n3\n', "row 2 (line 4) has 1 fields, the header has 2"),
        (b"a;b\n\n1;2\n", "row 1 (line 2) has 1 fields, the header has 2"),
        (b"a;b\n1;\xff\n", "row 1 (line 2) is not UTF-8"),
        (b"a;\xff\n1;2\n", "the header (line 1) is not UTF-8"),
        (b'a;b\n1;2\n3;"4\n', "row 2 (after line 2) is not CSV: unexpected end of data"),
        (b"a;b\n" + b"1;2\n" * 1_999 + b"3\n", "row 2,000 (line 2,001) has 1 fields, the header has 2"),
    ],
)
def test_the_first_fault_is_named_with_its_row_and_line(path: Path, content: bytes, fault: str) -> None:
    path.write_bytes(content)

    assert first_fault(path) == fault


def test_text_after_a_quoted_field_is_a_fault(path: Path) -> None:
    path.write_bytes(b'a;b\n1;2\n3;"x"y\n')

    fault = first_fault(path)

    assert fault is not None
    assert fault.startswith("row 2 (after line 2) is not CSV: ")


@pytest.mark.parametrize(
    "content", [b"a;b\n", b"a\n\n\n", b"a;b\n;\n", BOM + b'a;b\r\n1;"x\ny"\r\n', b"a;b\n1;2", b'a;b\n1; "x"\n', b""]
)
def test_a_readable_file_has_no_fault(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    assert first_fault(path) is None


def test_a_fault_shows_no_cell(path: Path) -> None:
    path.write_bytes(b'name;salary\nSecret Person;"98765"x\n')

    fault = first_fault(path)

    assert fault is not None
    assert "Secret" not in fault
    assert "98765" not in fault


@UNTIMED
@given(bodies())
def test_rows_are_read_as_they_were_written(body: Body) -> None:
    text = io.StringIO(body.content.decode("utf-8-sig"), newline="")

    assert [fields for _, fields in read_rows(text)] == body.table


def test_a_cell_longer_than_the_default_limit_of_csv_is_read(path: Path) -> None:
    csv.field_size_limit(131_072)
    path.write_text(f"a;b\n1;{'x' * 200_000}\n")

    assert first_fault(path) is None


@UNTIMED
@given(bodies())
def test_a_rewritten_file_keeps_every_cell(tmp_path_factory: pytest.TempPathFactory, body: Body) -> None:
    folder = tmp_path_factory.mktemp("rewritten")
    (folder / "before.csv").write_bytes(body.content)

    rewrite_quoted(folder / "before.csv", folder / "after.csv")

    text = io.StringIO((folder / "after.csv").read_bytes().decode(), newline="")
    rewritten = list(csv.reader(text, delimiter=";", strict=True))
    assert rewritten[1:] == body.table[1:]
    assert len(rewritten[0]) == len(body.table[0])
    if not any(line_end in name for name in body.table[0] for line_end in "\r\n"):
        assert rewritten[0] == body.table[0]
    counts = count_file(folder / "after.csv")
    assert counts.has_width(len(body.table[0]))
    assert counts.rows == len(body.table) - 1


def test_a_rewritten_file_has_every_field_in_quotes(tmp_path: Path, path: Path) -> None:
    path.write_bytes(b'a;b\n1; "x"\n2;y"z\n')

    rewrite_quoted(path, tmp_path / "after.csv")

    assert (tmp_path / "after.csv").read_bytes() == b'"a";"b"\r\n"1";" ""x"""\r\n"2";"y""z"\r\n'


def test_a_blank_line_is_a_row_of_one_blank_cell(tmp_path: Path, path: Path) -> None:
    path.write_bytes(b"a\n\nx\n")

    rewrite_quoted(path, tmp_path / "after.csv")

    assert (tmp_path / "after.csv").read_bytes() == b'"a"\r\n""\r\n"x"\r\n'


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a", "b;c"], ["a", "b;c"]), (["a", "b\nc"], ["c0", "c1"]), (["a\r", "b"], ["c0", "c1"]), ([""], [""])],
)
def test_a_header_with_line_ends_gets_plain_names(names: list[str], expected: list[str]) -> None:
    assert list(plain_header(names)) == expected


@pytest.mark.parametrize(("text", "expected"), [("", False), ("abc", False), ("é🎉\ufffd", False), ("a\udcff", True)])
def test_bytes_that_are_not_utf8_are_recognised_by_surrogates(text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table.
    assert is_not_utf8(text) is expected
