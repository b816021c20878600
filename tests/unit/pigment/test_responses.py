"""What a response means: errors, retries, and whether its body is complete."""

import gzip
import re
import zlib
from datetime import UTC, datetime

import pytest
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
    ACCEPT_ENCODING,
    RetriableResponseError,
    decoded_chunks,
    is_retriable,
    is_success,
    missing_end_proof,
    not_csv,
    read_json,
    response_error,
)
from tests.support.memory_responses import response_of

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
        (206, PigmentExportError, ["only a response with status 200 is whole", "Run again later"]),
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
        pytest.param("no good " * 100, " Pigment's answer: " + "no good " * 37 + "no g", id="a long text"),
        pytest.param("[" * 2_000, " Pigment's answer: " + "[" * 120 + "..." + "[" * 60, id="JSON nested too deep"),
        pytest.param(
            '{"detail": ' + "[" * 2_000,
            ' Pigment\'s answer: {"detail": ' + "[" * 120 + "..." + "[" * 60,
            id="details too",
        ),
        pytest.param('{"detail": "\\ud800"}', " Pigment's answer: \\ud800", id="half of a character"),
        pytest.param("9" * 5_000, " Pigment's answer: " + "9" * 120 + "..." + "9" * 60, id="a number that is too long"),
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
        (103, False, True),
        (200, True, False),
        (202, False, True),
        (203, False, True),
        (204, False, True),
        (206, False, True),
        (299, False, True),
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
def test_only_200_is_a_success_and_refusals_are_final(status: int, success: bool, retriable: bool) -> None:  # noqa: FBT001 - columns of the table.
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


LONG = b"Code;Text\n" + b"FR;" + bytes(range(97, 123)) * 1_000 + b"\n"


def deflated(content: bytes) -> bytes:
    """Return compressed data without zlib's header, as some servers send it for `deflate`."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


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
        pytest.param({"Transfer-Encoding": "notchunked"}, 11, "it ends with the connection", id="another coding"),
        pytest.param({"Transfer-Encoding": "chunked;q=1"}, 11, "it ends with the connection", id="chunks with q"),
        pytest.param({"Transfer-Encoding": "chunked, gzip"}, 11, "it ends with the connection", id="chunks inside"),
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
        pytest.param(gzip.compress(LONG), {"Content-Encoding": "x-gzip, identity"}, id="another name of gzip"),
        pytest.param(zlib.compress(LONG), {"Content-Encoding": "deflate"}, id="deflate"),
        pytest.param(deflated(LONG), {"Content-Encoding": "deflate"}, id="deflate without a header"),
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


def test_everything_that_is_offered_is_decoded() -> None:
    compressed = {"gzip": gzip.compress(LONG), "deflate": zlib.compress(LONG)}

    for coding in ACCEPT_ENCODING.split(", "):
        response = response_of(compressed[coding], {"Content-Encoding": coding})
        assert b"".join(decoded_chunks(response, EXPORTING, chunk_bytes=1_000)) == LONG


@given(st.binary(), st.integers(0, 9))
def test_deflate_is_decoded_with_and_without_a_header(content: bytes, level: int) -> None:
    compressor = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    bare = compressor.compress(content) + compressor.flush()

    for body in (bare, zlib.compress(content, level)):
        response = response_of(body, {"Content-Encoding": "deflate"})
        assert b"".join(decoded_chunks(response, EXPORTING, chunk_bytes=16)) == content


def test_a_few_compressed_bytes_are_decompressed_in_small_steps() -> None:
    content = gzip.compress(b"\0" * 10_000_000)

    response = response_of(content, {"Content-Encoding": "gzip"})
    sizes = [len(chunk) for chunk in decoded_chunks(response, EXPORTING, chunk_bytes=1 << 16)]

    assert sum(sizes) == 10_000_000
    assert max(sizes) <= 1 << 16


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_a_coding_that_was_not_offered_is_named(encoding: str) -> None:
    response = response_of(LONG, {"Content-Encoding": encoding})

    with pytest.raises(RetriableResponseError) as caught:
        list(decoded_chunks(response, EXPORTING, chunk_bytes=64))

    assert str(caught.value.final) == f"plan: the response is compressed as {encoding}. Check the proxy."


# Listings


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        pytest.param(b"", {}, "the response is not JSON. Check api_url.", id="nothing"),
        pytest.param(b"[{", {}, "the response is not JSON. Check api_url.", id="the beginning"),
        pytest.param(b'["\xff"]', {}, "the response is not JSON. Check api_url.", id="not UTF-8"),
        pytest.param(
            b"<html>", {}, "the response is not JSON: the response is a web page, such as a login page", id="a page"
        ),
        pytest.param(
            b"[" * 2_000 + b"]" * 2_000,
            {},
            "the response is not JSON: its values are nested too deep. Check api_url.",
            id="nested",
        ),
        pytest.param(
            b"[" + b"9" * 5_000 + b"]", {}, "the response is not JSON: a number has too many digits.", id="digits"
        ),
        pytest.param(
            b"[]", {"Content-Encoding": "gzip"}, "the compressed response is damaged", id="not compressed as announced"
        ),
    ],
)
def test_what_is_not_json_is_retriable(body: bytes, headers: dict[str, str], problem: str) -> None:
    with pytest.raises(RetriableResponseError) as caught:
        read_json(response_of(body, headers), LISTING)

    assert re.match(rf"Listing the blocks of application app-1: {re.escape(problem)}", str(caught.value.final))


def test_json_is_read_in_the_encodings_that_json_allows() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert read_json(response_of('[{"id": "é"}]'.encode(encoding), {}), LISTING) == [{"id": "é"}]


def test_a_listing_that_is_too_long_is_refused_before_all_of_it_is_decompressed() -> None:
    body = gzip.compress(b" " * 100_000_000 + b"[]")
    response = response_of(body, {"Content-Encoding": "gzip"})

    with pytest.raises(PigmentExportError, match=r"^Listing the .*: the response has more than 1 MB\. Check api_url"):
        read_json(response, LISTING, max_bytes=1 << 20)

    assert response.raw.tell() < len(body)
