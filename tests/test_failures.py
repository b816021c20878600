"""What each failed answer means to the user, and how long the tap waits."""

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
    RightMissingError,
)
from tap_pigment.failures import failure, is_retriable, is_success, not_csv, redacted, seconds_before_retry
from tap_pigment.protocol import Block, BlockType, export, list_blocks

LISTING = list_blocks("app-1")
EXPORTING = export(Block("id-1", "Plan", BlockType.TABLE, "app-1"), "exporting plan", friendly=False, request={})
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
KEY = "pgmt_Abc123DEF456ghi789"


@pytest.mark.parametrize(
    ("status", "error_class", "remedies"),
    [
        (400, RequestRefusedError, ["application_id"]),
        (401, ApiKeyError, ["metadata_api_key", "api_key"]),
        (403, RightMissingError, ["Modeling Metadata", "metadata_api_key"]),
        (404, NotFoundError, ["application_id", "api_url"]),
        (405, RequestRefusedError, ["application_id"]),
        (429, PigmentExportError, ["500 requests per 5 minutes", "Wait for 5 minutes", "spread"]),
        (500, PigmentExportError, ["Run again later"]),
        (503, PigmentExportError, ["Run again later"]),
        (302, RequestRefusedError, ["nowhere", "api_url"]),
    ],
)
def test_a_failed_listing_says_what_to_do(status: int, error_class: type[PigmentError], remedies: list[str]) -> None:
    error = failure(LISTING, status, "")

    assert type(error) is error_class
    assert str(error).startswith("While listing the blocks of application app-1: ")
    assert str(status) in str(error)
    for remedy in remedies:
        assert remedy in str(error)


@pytest.mark.parametrize(
    ("status", "error_class", "remedies"),
    [
        (400, RequestRefusedError, ["stream_overrides"]),
        (401, ApiKeyError, ["Set api_key"]),
        (403, RightMissingError, ["Export right", "api_key"]),
        (404, NotFoundError, ["Discover again", "--refresh-catalog"]),
        (413, RequestRefusedError, ["too big", "Extract the block"]),
        (422, RequestRefusedError, ["no data to export", "Exclude the view"]),
        (429, PigmentExportError, ["500 requests per 5 minutes", "Wait for 5 minutes", "spread"]),
        (502, PigmentExportError, ["Run again later"]),
        (307, RequestRefusedError, ["nowhere", "api_url"]),
    ],
)
def test_a_failed_export_says_what_to_do(status: int, error_class: type[PigmentError], remedies: list[str]) -> None:
    error = failure(EXPORTING, status, "")

    assert type(error) is error_class
    assert str(error).startswith("While exporting plan: ")
    assert str(status) in str(error)
    for remedy in remedies:
        assert remedy in str(error)


def test_a_redirect_names_where_it_leads_without_a_key() -> None:
    error = failure(LISTING, 302, "", location=f"https://login.example/?key={KEY}")

    assert "redirects (302) to https://login.example/?key=pgmt_***, which is not followed" in str(error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            '{"title": "Bad id", "detail": "Not a uuid."}', " Pigment says: Bad id: Not a uuid.", id="details"
        ),
        pytest.param('{"message": "No such scenario"}', " Pigment says: No such scenario", id="message"),
        pytest.param(
            '{"title": "Invalid", "errors": {"filters": ["Unknown."]}}',
            ' Pigment says: Invalid {"filters": ["Unknown."]}',
            id="errors by field",
        ),
        pytest.param("Not\n  like this", " Pigment says: Not like this", id="plain text, in one line"),
        pytest.param("", "", id="nothing"),
        pytest.param(" <!DOCTYPE html><p>Secret page", "", id="a web page"),
        pytest.param("<html>", "", id="a short web page"),
        pytest.param('{"unknown": 1}', "", id="JSON without details"),
        pytest.param("[1, 2]", "", id="JSON that is no object"),
        pytest.param("null", "", id="JSON null"),
        pytest.param(f"key {KEY} refused", " Pigment says: key pgmt_*** refused", id="a key"),
        pytest.param(f'{{"detail": "key {KEY}"}}', " Pigment says: key pgmt_***", id="a key in details"),
        pytest.param("x" * 1000, " Pigment says: " + "x" * 300, id="a long text"),
    ],
)
def test_what_pigment_says_is_quoted(text: str, said: str) -> None:
    silent = str(failure(EXPORTING, 400, ""))

    assert str(failure(EXPORTING, 400, text)) == silent + said


def test_a_key_across_the_end_of_a_quotation_is_redacted_first() -> None:
    error = failure(EXPORTING, 400, "x" * 290 + KEY)

    assert "Abc" not in str(error)


@pytest.mark.parametrize(
    "said",
    [
        'not with odd+key"1/2',
        '{"detail": "not with odd+key\\u00221/2"}',
        '{"detail": "x", "errors": {"key": "odd+key\\"1/2"}}',
        "see https://pigment.example/?key=odd%2Bkey%221%2F2",
        "x" * 290 + 'odd+key"1/2',
    ],
)
def test_a_key_of_any_form_is_not_said_back(said: str) -> None:
    error = failure(EXPORTING, 400, said, keys=['odd+key"1/2'])

    assert "odd" not in str(error)
    assert "***" in str(error)


def test_keys_are_redacted_wherever_they_stand() -> None:
    assert redacted(f"a {KEY}, b={KEY}&c") == "a pgmt_***, b=pgmt_***&c"
    assert redacted("no key") == "no key"


@given(st.text(), st.from_regex(r"pgmt_[A-Za-z0-9]{10,50}", fullmatch=True), st.integers(300, 599))
def test_no_message_holds_a_key(text: str, key: str, status: int) -> None:
    error = failure(EXPORTING, status, f"{text}{key}", location=key)

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
def test_only_what_may_mend_itself_is_tried_again(status: int, success: bool, retriable: bool) -> None:  # noqa: FBT001 - columns of the table.
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
def test_a_page_is_no_export(content_type: str, start: bytes, problem: str | None) -> None:
    found = not_csv(content_type, start)

    if problem is None:
        assert found is None
    else:
        assert found is not None
        assert problem in found
        assert "Check api_url" in found


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        pytest.param("0", 0.0, id="at once"),
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(" 7 ", 7.0, id="seconds in spaces"),
        pytest.param("300", 300.0, id="the window"),
        pytest.param("86400", 300.0, id="longer than the window"),
        pytest.param("99999999999999999999", 300.0, id="longer than the world"),
        pytest.param("Thu, 01 Jan 2026 12:00:20 GMT", 20.0, id="a date"),
        pytest.param("Thu, 01 Jan 2026 12:00:20 -0000", 20.0, id="a date without a zone"),
        pytest.param("Thu, 01 Jan 2026 13:00:20 +0100", 20.0, id="a date in another zone"),
        pytest.param("Thu, 01 Jan 2026 11:59:00 GMT", 0.0, id="a date in the past"),
        pytest.param("Fri, 02 Jan 2026 12:00:00 GMT", 300.0, id="a date far away"),
    ],
)
def test_retry_after_is_honoured_up_to_the_window(retry_after: str, seconds: float) -> None:
    waited = seconds_before_retry(1, {"Retry-After": retry_after}, now=NOW, draw=lambda: 0.25)

    assert waited == seconds


@pytest.mark.parametrize(
    "retry_after",
    ["", "soon", "-5", "1.5", "٣", "Thu, 99 Jan 2026 12:00:00 GMT", "Thu, 01 Jan 99999 12:00:00 GMT", "("],
)
def test_a_retry_after_that_says_nothing_is_no_retry_after(retry_after: str) -> None:
    assert seconds_before_retry(1, {"Retry-After": retry_after}, now=NOW, draw=lambda: 0.25) == 0.25


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 16.0), (6, 30.0), (7, 30.0), (2000, 30.0)]
)
def test_waits_double_up_to_half_a_minute_and_are_drawn_from_nothing_up(attempt: int, longest: float) -> None:
    assert seconds_before_retry(attempt, {}, now=NOW, draw=lambda: 1.0) == longest
    assert seconds_before_retry(attempt, {}, now=NOW, draw=lambda: 0.5) == longest / 2
    assert seconds_before_retry(attempt, {}, now=NOW, draw=lambda: 0.0) == 0.0


@given(st.text(max_size=40), st.floats(0, 1), st.integers(1, 100))
def test_no_server_can_break_the_wait(retry_after: str, drawn: float, attempt: int) -> None:
    seconds = seconds_before_retry(attempt, {"Retry-After": retry_after}, now=NOW, draw=lambda: drawn)

    assert 0 <= seconds <= 300
