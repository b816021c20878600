"""Samples: the header and first rows of an export, of which no more is read than needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.errors import MalformedExportError, PigmentExportError
from tap_pigment.exports.sample import SAMPLE_ROWS, ExportSample, read_sample
from tap_pigment.pigment import ApiRequest, RetriableResponseError, Scope
from tests.support.memory_responses import CHUNKED, read_bytes, response_of

REQUEST = ApiRequest(Scope.EXPORT, "POST", "/v1/export/table/id-1", "plan")


def sample_of(content: bytes, *, rows: int = 9) -> ExportSample:
    response = response_of(content)
    return read_sample(response, REQUEST, rows=rows)


@pytest.mark.parametrize(
    ("content", "rows", "expected"),
    [
        pytest.param(b"a;b\n1;2\n", 1_000, [["1", "2"]], id="all of it"),
        pytest.param(b"a;b\n1;2\n3;4\n5;6\n", 2, [["1", "2"], ["3", "4"]], id="the first rows"),
        pytest.param(b"\xef\xbb\xbfa;b\r\n1;2\r\n", 9, [["1", "2"]], id="a byte order mark"),
        pytest.param(b"a;b\n", 9, [], id="a header alone"),
        pytest.param(b"a;b\n1;2\n", 0, [], id="a header of which no rows are needed"),
        pytest.param(b"a;b", 9, [], id="a header without its line end"),
        pytest.param(b"a;b\n1;2", 9, [["1", "2"]], id="no line end at the end"),
        pytest.param(b"a;b\n1;2\n3", 9, [["1", "2"]], id="truncated in a row"),
        pytest.param(b'a;b\n1;2\n3;"x\n', 9, [["1", "2"]], id="truncated in quotes"),
        pytest.param(b'a;b\n1; "x"\n', 9, [["1", ' "x"']], id="a space before a quote"),
        pytest.param(b'a;b\n1;"x;\r\n""y"""\n', 9, [["1", 'x;\r\n"y"']], id="all that quotes are for"),
        pytest.param(b"a;b\n1;2\n3\n", 1, [["1", "2"]], id="a fault beyond the sample"),
    ],
)
def test_a_sample_has_whole_rows(content: bytes, rows: int, expected: list[list[str]]) -> None:
    sample = sample_of(content, rows=rows)

    assert sample.header == ("a", "b")
    assert list(sample.rows) == expected


def test_a_blank_line_in_a_single_column_is_a_blank_row() -> None:
    sample = sample_of(b"a\n\nx\n")

    assert sample.header == ("a",)
    assert list(sample.rows) == [[""], ["x"]]


@pytest.mark.parametrize("content", [b"\n", b"\r\n", b"\n1\n"])
def test_a_blank_header_has_one_column_without_a_name(content: bytes) -> None:
    sample = sample_of(content)

    assert sample.header == ("",)
    assert all(len(row) == 1 for row in sample.rows)


def test_no_more_is_read_than_a_sample_needs() -> None:
    response = response_of(b"a;b\n" + b"some;text\n" * 1_000_000)

    sample = read_sample(response, REQUEST, rows=SAMPLE_ROWS)

    assert len(sample.rows) == 1_000
    assert read_bytes(response) < 1_000_000


def test_a_sample_may_need_several_chunks() -> None:
    cell = "é" * 100_000
    content = "a;b\n" + f"{cell};x\n" * 6

    sample = sample_of(content.encode(), rows=4)

    assert list(sample.rows) == [[cell, "x"]] * 4


def test_a_sample_of_very_long_rows_takes_no_more_memory_than_its_limit() -> None:
    rows = b"1;" + b"x" * 30_000_000 + b"\n"
    response = response_of(b"a;b\n" + rows * 5)

    sample = read_sample(response, REQUEST, rows=SAMPLE_ROWS)

    assert len(sample.rows) == 2
    assert read_bytes(response) < 70_000_000


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"a;b\n1;2\n3\n", "row 2 has 1 fields, the header has 2", id="short"),
        pytest.param(b"a;b\n1;2;\n", "row 1 has 3 fields, the header has 2", id="long"),
        pytest.param(b"a;b\n\n1;2\n", "row 1 has 1 fields, the header has 2", id="blank line"),
        pytest.param(b"a;b\n\xff;2\n", "row 1 is not UTF-8", id="not UTF-8"),
        pytest.param(b'a;b\n1;"x"y\n', "row 1 is not CSV", id="text after a quoted field"),
        pytest.param(b"\xff;b\n1;2\n", "the header is not UTF-8 CSV", id="a header that is not UTF-8"),
        pytest.param(b'"a"b;c\n', "the header is not UTF-8 CSV", id="a header that is not CSV"),
        pytest.param(
            b"a;" + b"b" * (1 << 20) + b"\n1;2\n",
            "the header is not UTF-8 CSV: it is longer than 1,048,576 bytes",
            id="a header of more than 1 MB",
        ),
    ],
)
def test_a_malformed_row_of_a_sample_is_named_and_retriable(content: bytes, problem: str) -> None:
    with pytest.raises(RetriableResponseError) as caught:
        sample_of(content)

    assert isinstance(caught.value.final, MalformedExportError)
    assert str(caught.value.final).startswith(f"plan: {problem}")
    assert "Run again; if it persists, check that row in Pigment." in str(caught.value.final)


@pytest.mark.parametrize(
    ("content", "headers", "problem"),
    [
        pytest.param(b"", {}, "the export is empty, without even a header.", id="empty"),
        pytest.param(b"\xef\xbb\xbf", {}, "the export is empty, without even a header.", id="a mark alone"),
        pytest.param(b"<!DOCTYPE html>", {}, "the response is a web page", id="a web page"),
        pytest.param(b"<p>Sign in", {"Content-Type": "text/html"}, "the response is a web page", id="a login page"),
        pytest.param(b"{}", {"Content-Type": "application/json"}, "the response is JSON instead of CSV", id="JSON"),
        pytest.param(
            b"a;b",
            {"Transfer-Encoding": "", "Content-Length": "9"},
            "the header is incomplete: 3 of 9 bytes arrived",
            id="a truncated header",
        ),
    ],
)
def test_a_response_without_an_export_is_retriable(content: bytes, headers: dict[str, str], problem: str) -> None:
    response = response_of(content, CHUNKED | headers)

    with pytest.raises(RetriableResponseError) as caught:
        read_sample(response, REQUEST, rows=9)

    assert isinstance(caught.value.final, PigmentExportError)
    assert str(caught.value.final).startswith(f"plan: {problem}")


@given(st.integers(0, 60))
def test_a_body_truncated_anywhere_gives_only_rows_of_the_export(end: int) -> None:
    table = [["1", 'x;"y"\r\nz'], ["2", ""], ["3", "www"]]
    content = b'a;b\r\n1;"x;""y""\r\nz"\r\n2;\r\n3;www\r\n'[: end + 3]

    sample = sample_of(content)

    assert sample.header == ("a", "b")
    whole = list(sample.rows[:-1])
    assert whole == table[: len(whole)]
    if sample.rows:
        # The last row may lack the end of its last cell: a sample only shows columns and types.
        last, expected = sample.rows[-1], table[len(whole)]
        assert last[0] == expected[0]
        assert expected[1].startswith(last[1].rstrip('\r"'))
