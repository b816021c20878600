"""What a response means: errors, retries, and whether its body is complete."""

import gzip
import io
import zlib
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.errors import (
    ApiKeyError,
    NotFoundError,
    PigmentError,
    PigmentExportError,
    RequestRefusedError,
    ScopeMissingError,
)
from tap_pigment.pigment.api import Block, BlockType, export_block, list_blocks
from tap_pigment.pigment.responses import (
    RetriableResponseError,
    decoded_chunks,
    is_retriable,
    is_success,
    missing_end_proof,
    not_csv,
    response_error,
)

LISTING = list_blocks("app-1")
EXPORTING = export_block(Block("id-1", "Plan", BlockType.TABLE, "app-1"), "plan", friendly=False, request={})
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
KEY = "pgmt_Abc123DEF456ghi789"


@pytest.mark.parametrize(
    ("status", "error_class", "remedies"),
    [
        (400, RequestRefusedError, ["application_id"]),
        (401, ApiKeyError, ["metadata_api_key", "api_key"]),
        (403, ScopeMissingError, ["Modeling Metadata", "metadata_api_key"]),
        (404, NotFoundError, ["application_id", "api_url"]),
        (405, RequestRefusedError, ["application_id"]),
        (429, PigmentExportError, ["500 requests per 5 minutes", "Wait 5 minutes", "requests_per_window"]),
        (500, PigmentExportError, ["Run again later"]),
        (503, PigmentExportError, ["Run again later"]),
        (302, RequestRefusedError, ["nowhere", "api_url"]),
    ],
)
def test_the_error_of_a_listing_names_the_remedy(
    status: int, error_class: type[PigmentError], remedies: list[str]
) -> None:
    error = response_error(LISTING, status, "")

    assert type(error) is error_class
    assert str(error).startswith("Listing the blocks of application app-1: ")
    assert str(status) in str(error)
    for remedy in remedies:
        assert remedy in str(error)


@pytest.mark.parametrize(
    ("status", "error_class", "remedies"),
    [
        (400, RequestRefusedError, ["stream_overrides"]),
        (401, ApiKeyError, ["Set api_key"]),
        (403, ScopeMissingError, ["Export scope", "api_key"]),
        (404, NotFoundError, ["Discover again", "--refresh-catalog"]),
        (413, RequestRefusedError, ["too big", "Extract the block"]),
        (422, RequestRefusedError, ["no data to export", "Exclude the view"]),
        (429, PigmentExportError, ["500 requests per 5 minutes", "Wait 5 minutes", "requests_per_window"]),
        (502, PigmentExportError, ["Run again later"]),
        (307, RequestRefusedError, ["nowhere", "api_url"]),
    ],
)
def test_the_error_of_an_export_names_the_remedy(
    status: int, error_class: type[PigmentError], remedies: list[str]
) -> None:
    error = response_error(EXPORTING, status, "")

    assert type(error) is error_class
    assert str(error).startswith("plan: ")
    assert str(status) in str(error)
    for remedy in remedies:
        assert remedy in str(error)


def test_the_error_of_a_redirect_names_its_target_without_a_key() -> None:
    error = response_error(LISTING, 302, "", location=f"https://login.example/?key={KEY}")

    assert "redirects (302) to https://login.example/?key=pgmt_***. The tap does not follow redirects" in str(error)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        pytest.param(
            '{"title": "Bad id", "detail": "Not a uuid."}', " Pigment's answer: Bad id: Not a uuid.", id="details"
        ),
        pytest.param('{"message": "No such scenario"}', " Pigment's answer: No such scenario", id="message"),
        pytest.param(
            '{"title": "Invalid", "errors": {"filters": ["Unknown."]}}',
            ' Pigment\'s answer: Invalid {"filters": ["Unknown."]}',
            id="errors by field",
        ),
        pytest.param("Not\n  like this", " Pigment's answer: Not like this", id="plain text, in one line"),
        pytest.param("", "", id="nothing"),
        pytest.param(" <!DOCTYPE html><p>Secret page", "", id="a web page"),
        pytest.param("<html>", "", id="a short web page"),
        pytest.param('{"unknown": 1}', "", id="JSON without details"),
        pytest.param("[1, 2]", "", id="JSON that is not an object"),
        pytest.param("null", "", id="JSON null"),
        pytest.param(f"key {KEY} refused", " Pigment's answer: key pgmt_*** refused", id="a key"),
        pytest.param(f'{{"detail": "key {KEY}"}}', " Pigment's answer: key pgmt_***", id="a key in details"),
        pytest.param("x" * 1000, " Pigment's answer: " + "x" * 300, id="a long text"),
    ],
)
def test_the_text_of_an_error_response_is_quoted(text: str, quoted: str) -> None:
    without_text = str(response_error(EXPORTING, 400, ""))

    assert str(response_error(EXPORTING, 400, text)) == without_text + quoted


def test_a_key_at_the_end_of_a_long_text_is_redacted_first() -> None:
    error = response_error(EXPORTING, 400, "x" * 290 + KEY)

    assert "Abc" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        'not with odd+key"1/2',
        '{"detail": "not with odd+key\\u00221/2"}',
        '{"detail": "x", "errors": {"key": "odd+key\\"1/2"}}',
        "see https://pigment.example/?key=odd%2Bkey%221%2F2",
        "x" * 290 + 'odd+key"1/2',
    ],
)
def test_a_key_in_any_encoding_is_not_quoted(text: str) -> None:
    error = response_error(EXPORTING, 400, text, keys=['odd+key"1/2'])

    assert "odd" not in str(error)
    assert "***" in str(error)


@given(st.text(), st.from_regex(r"pgmt_[A-Za-z0-9]{10,50}", fullmatch=True), st.integers(300, 599))
def test_no_error_message_holds_a_key(text: str, key: str, status: int) -> None:
    error = response_error(EXPORTING, status, f"{text}{key}", location=key)

    assert key not in str(error)


@pytest.mark.parametrize(
    ("status", "success", "retriable"),
    [
        (200, True, False),
        (204, True, False),
        (301, False, False),
        (400, False, False),
        (401, False, False),
        (403, False, False),
        (404, False, False),
        (429, False, True),
        (500, False, True),
        (503, False, True),
        (504, False, True),
    ],
)
def test_only_429_and_server_errors_are_retriable(status: int, success: bool, retriable: bool) -> None:  # noqa: FBT001 - columns of the table.
    assert is_success(status) is success
    assert is_retriable(status) is retriable


@pytest.mark.parametrize(
    ("content_type", "start", "problem"),
    [
        ("text/csv; charset=utf-8", b"a;b\n", None),
        ("", b"\xef\xbb\xbfa;b\n", None),
        ("application/octet-stream", b"a;b\n", None),
        ("text/csv", b'"<b>";b\n', None),
        ("text/csv", b"", None),
        ("text/html", b"a;b\n", "web page"),
        ("Text/HTML; charset=utf-8", b"", "web page"),
        ("text/csv", b"<!DOCTYPE html>", "web page"),
        ("text/csv", b"\r\n  <!doctype HTML>", "web page"),
        ("text/csv", b"\xef\xbb\xbf<HTML lang=en>", "web page"),
        ("text/csv", b"<?xml version='1.0'?>", "web page"),
        ("application/json", b"{}", "JSON"),
        ("application/problem+json", b"a;b\n", "JSON"),
    ],
)
def test_a_web_page_or_json_is_not_an_export(content_type: str, start: bytes, problem: str | None) -> None:
    found = not_csv(content_type, start)

    if problem is None:
        assert found is None
    else:
        assert found is not None
        assert problem in found
        assert "Check api_url" in found


# Bodies


class RawBody(io.BytesIO):
    """A body as urllib3 gives it, which counts the bytes that arrived."""

    def __init__(self, content: bytes, headers: dict[str, str], version: int) -> None:
        super().__init__(content)
        self.headers = headers
        self.version = version


def response_of(content: bytes, headers: dict[str, str], *, version: int = 11) -> requests.Response:
    response = requests.Response()
    response.headers.update(headers)
    response.raw = RawBody(content, dict(headers), version)
    return response


LONG = b"Code;Text\n" + b"FR;" + bytes(range(97, 123)) * 1_000 + b"\n"


@pytest.mark.parametrize(
    ("headers", "version", "problem"),
    [
        pytest.param({"Content-Length": "4"}, 11, None, id="all announced bytes"),
        pytest.param({"Content-Length": " 4 "}, 11, None, id="spaces around the length"),
        pytest.param({"Content-Length": "5"}, 11, "4 of 5 bytes arrived", id="one byte too few"),
        pytest.param({"Content-Length": "3"}, 11, "4 of 3 bytes arrived", id="one byte too many"),
        pytest.param({"Content-Length": "x"}, 11, "4 of x bytes arrived", id="not a length"),
        pytest.param({"Transfer-Encoding": "chunked"}, 11, None, id="chunks"),
        pytest.param({"Transfer-Encoding": "gzip, Chunked"}, 11, None, id="compressed chunks"),
        pytest.param({"Transfer-Encoding": "chunked", "Content-Length": "9"}, 11, None, id="chunks and a wrong length"),
        pytest.param({}, 11, "it ends with the connection", id="neither"),
        pytest.param({}, 10, "it ends with the connection", id="neither, HTTP/1.0"),
        pytest.param({}, 20, None, id="HTTP/2"),
        pytest.param({"Content-Length": "5"}, 20, "4 of 5 bytes arrived", id="HTTP/2, one byte too few"),
        pytest.param(
            {"Transfer-Encoding": "chunked", "Content-Length": "5"}, 20, "4 of 5 bytes arrived", id="HTTP/2, no chunks"
        ),
    ],
)
def test_the_transport_proves_the_end_of_a_body_or_does_not(
    headers: dict[str, str], version: int, problem: str | None
) -> None:
    response = response_of(b"a;b\n", headers, version=version)
    response.raw.read()

    found = missing_end_proof(response)

    assert found is None if problem is None else str(found).startswith(problem)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        pytest.param(LONG, {}, id="not compressed"),
        pytest.param(LONG, {"Content-Encoding": "identity"}, id="identity"),
        pytest.param(gzip.compress(LONG), {"Content-Encoding": "gzip"}, id="gzip"),
        pytest.param(zlib.compress(LONG), {"Content-Encoding": "deflate"}, id="deflate"),
        pytest.param(
            gzip.compress(LONG[:99]) + gzip.compress(LONG[99:]), {"Content-Encoding": "GZIP"}, id="two members"
        ),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 10, 1 << 20])
def test_a_body_is_decompressed_in_chunks(content: bytes, encoding: dict[str, str], chunk_bytes: int) -> None:
    response = response_of(content, encoding)

    assert b"".join(decoded_chunks(response, EXPORTING, chunk_bytes=chunk_bytes)) == LONG


def test_a_compressed_body_truncated_anywhere_is_retriable() -> None:
    content = gzip.compress(LONG[:300])

    for end in range(len(content)):
        response = response_of(content[:end], {"Content-Encoding": "gzip"})
        with pytest.raises(RetriableResponseError) as caught:
            list(decoded_chunks(response, EXPORTING, chunk_bytes=64))
        assert str(caught.value.final) == "plan: the compressed response lacks its end. Run again later."


def test_a_damaged_compressed_body_is_retriable() -> None:
    content = bytearray(gzip.compress(LONG))
    content[len(content) // 2] ^= 0xFF

    with pytest.raises(RetriableResponseError) as caught:
        list(decoded_chunks(response_of(bytes(content), {"Content-Encoding": "gzip"}), EXPORTING, chunk_bytes=64))

    assert isinstance(caught.value.final, PigmentExportError)
    assert str(caught.value.final).startswith("plan: the compressed response is damaged (")
