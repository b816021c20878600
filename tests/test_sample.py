"""The beginning of an export: its first rows, and no more of it than they need."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.body import TryAgainError
from tap_pigment.errors import MalformedExportError, PigmentError, PigmentExportError
from tap_pigment.folder import SpoolFolder
from tap_pigment.protocol import Block, BlockType, export
from tap_pigment.sample import SAMPLE_ROWS, receive_sample
from tap_pigment.shape import CsvShape
from tap_pigment.spool import Spool

CALL = export(
    Block("id-1", "Plan", BlockType.TABLE, "app-1"), "reading the columns of plan", friendly=False, request={}
)
ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)


class Wire(io.BytesIO):
    """A body that is not compressed and knows how much of it was read, also when it has been closed."""

    taken = 0
    version = 11

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.headers: dict[str, str] = {}

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on."""
        piece = super().read(size)
        self.taken += len(piece)
        return piece


def response(content: bytes, content_type: str = "text/csv") -> tuple[requests.Response, Wire]:
    answer = requests.Response()
    answer.status_code = 200
    answer.headers["Content-Type"] = content_type
    answer.headers["Transfer-Encoding"] = "chunked"
    answer.raw = wire = Wire(content)
    return answer, wire


def sample_of(folder: Path, content: bytes, *, rows: int = 1_000, content_type: str = "text/csv") -> Spool:
    answer, _ = response(content, content_type)
    return receive_sample(answer, ARRIVED, CALL, SpoolFolder(folder), rows=rows)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"]


@pytest.mark.parametrize(
    ("content", "rows", "expected"),
    [
        pytest.param(b"a;b\n1;2\n", 1_000, b'"a";"b"\r\n"1";"2"\r\n', id="all of it"),
        pytest.param(b"a;b\n1;2\n3;4\n5;6\n", 2, b'"a";"b"\r\n"1";"2"\r\n"3";"4"\r\n', id="the first rows"),
        pytest.param(b"\xef\xbb\xbfa;b\r\n1;2\r\n", 9, b'"a";"b"\r\n"1";"2"\r\n', id="a byte order mark"),
        pytest.param(b"a;b\n", 9, b'"a";"b"\r\n', id="a header alone"),
        pytest.param(b"a;b", 9, b'"a";"b"\r\n', id="a header without its line end"),
        pytest.param(b"a;b\n1;2", 9, b'"a";"b"\r\n"1";"2"\r\n', id="no line end at the end"),
        pytest.param(b"a;b\n1;2\n3", 9, b'"a";"b"\r\n"1";"2"\r\n', id="cut in a row"),
        pytest.param(b'a;b\n1;2\n3;"x\n', 9, b'"a";"b"\r\n"1";"2"\r\n', id="cut in quotes"),
        pytest.param(b"a\n\nx\n", 9, b'"a"\r\n""\r\n"x"\r\n', id="a blank line in a single column"),
        pytest.param(b'a;b\n1; "x"\n', 9, b'"a";"b"\r\n"1";" ""x"""\r\n', id="a space before a quote"),
        pytest.param(b"a;b\n1;2\n3\n", 1, b'"a";"b"\r\n"1";"2"\r\n', id="a fault beyond the sample"),
    ],
)
def test_a_sample_is_whole_rows_with_every_field_quoted(
    tmp_path: Path, content: bytes, rows: int, expected: bytes
) -> None:
    answer, _ = response(content)
    folder = SpoolFolder(tmp_path)

    sample = receive_sample(answer, ARRIVED, CALL, folder, rows=rows)

    assert sample.path.read_bytes() == expected
    assert sample.header == sample.shape.header
    assert sample.shape.rows == expected.count(b"\r\n") - 1
    assert isinstance(sample.shape, CsvShape)
    assert sample.shape.agrees_with(len(sample.header))
    assert sample.received_at == ARRIVED
    assert files(tmp_path) == [sample.path]
    assert sample.path.stat().st_mode & 0o077 == 0


def test_no_more_is_read_than_the_sample_needs() -> None:
    answer, wire = response(b"a;b\n" + b"some;text\n" * 1_000_000)

    folder = SpoolFolder(None)
    sample = receive_sample(answer, ARRIVED, CALL, folder, rows=SAMPLE_ROWS)

    assert sample.shape.rows == 1_000
    assert wire.taken < 1_000_000
    assert wire.closed


def test_a_sample_may_need_several_pieces(tmp_path: Path) -> None:
    cell = "é" * 100_000
    content = "a;b\n" + f"{cell};x\n" * 6

    folder = SpoolFolder(tmp_path)
    answer, _ = response(content.encode())
    sample = receive_sample(answer, ARRIVED, CALL, folder, rows=4)

    assert sample.shape.rows == 4
    assert sample.path.read_text("utf-8") == '"a";"b"\n' + f'"{cell}";"x"\n' * 4


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"a;b\n1;2\n3\n", "row 2 has 1 fields where the header has 2", id="short"),
        pytest.param(b"a;b\n1;2;\n", "row 1 has 3 fields where the header has 2", id="long"),
        pytest.param(b"a;b\n\n1;2\n", "row 1 has 1 fields where the header has 2", id="blank line"),
        pytest.param(b"a;b\n\xff;2\n", "row 1 is not UTF-8", id="not UTF-8"),
        pytest.param(b'a;b\n1;"x"y\n', "row 1 is not CSV", id="text after a quoted field"),
        pytest.param(b"\xff;b\n1;2\n", "the header is not UTF-8 CSV", id="a header that is not UTF-8"),
        pytest.param(b'"a"b;c\n', "the header is not UTF-8 CSV", id="a header that is not CSV"),
    ],
)
def test_a_malformed_beginning_names_its_row_and_leaves_nothing(tmp_path: Path, content: bytes, problem: str) -> None:
    answer, _ = response(content)
    folder = SpoolFolder(tmp_path)

    with pytest.raises(TryAgainError) as caught:
        receive_sample(answer, ARRIVED, CALL, folder, rows=9)

    assert isinstance(caught.value.final, MalformedExportError)
    assert str(caught.value.final).startswith(f"While reading the columns of plan: {problem}")
    assert "Run again; if it stays so, look at that row in Pigment." in str(caught.value.final)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "content_type", "problem"),
    [
        pytest.param(b"", "text/csv", "the export is empty, without even a header.", id="nothing"),
        pytest.param(b"\xef\xbb\xbf", "text/csv", "the export is empty, without even a header.", id="a mark alone"),
        pytest.param(b"<!DOCTYPE html>", "text/csv", "a web page came instead", id="a web page"),
        pytest.param(b"<p>Sign in", "text/html", "a web page came instead", id="a login page"),
        pytest.param(b"{}", "application/json", "JSON came instead", id="JSON"),
    ],
)
def test_what_is_no_export_is_asked_for_again(tmp_path: Path, content: bytes, content_type: str, problem: str) -> None:
    answer, _ = response(content, content_type)
    folder = SpoolFolder(tmp_path)

    with pytest.raises(TryAgainError) as caught:
        receive_sample(answer, ARRIVED, CALL, folder, rows=9)

    assert isinstance(caught.value.final, PigmentExportError)
    assert str(caught.value.final).startswith(f"While reading the columns of plan: {problem}")
    assert files(tmp_path) == []


@pytest.mark.parametrize("content", [b"\n", b"\r\n", b"\n1\n"])
def test_a_header_and_its_sample_have_the_same_columns_even_when_blank(tmp_path: Path, content: bytes) -> None:
    try:
        sample = sample_of(tmp_path, content)
    except (TryAgainError, PigmentError):
        return

    assert len(sample.header) == 1


@given(st.integers(0, 60))
def test_a_body_cut_anywhere_gives_only_rows_that_were_there(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    table = [["a", "b"], ["1", 'x;"y"\r\nz'], ["2", ""], ["3", "w"]]
    content = b'a;b\r\n1;"x;""y""\r\nz"\r\n2;\r\n3;w\r\n'[: cut + 3]

    folder = SpoolFolder(tmp_path_factory.mktemp("cut"))
    answer, _ = response(content)
    sample = receive_sample(answer, ARRIVED, CALL, folder, rows=9)

    with sample.path.open(encoding="utf-8", newline="") as body:
        text = body.read()
    whole = "".join(";".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in table)
    # The last row may lack the end of its last cell: a sample only tells columns and types.
    assert whole.startswith(text.removesuffix('"\r\n'))
