"""Retries: after which failures, how often, after which waits, what is logged, and the final error."""

import logging
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.errors import ApiKeyError, PigmentError, PigmentExportError, RequestRefusedError
from tap_pigment.pigment.api import list_blocks
from tap_pigment.pigment.quota import RequestQuota
from tap_pigment.pigment.rate_limiter import RateLimiter
from tap_pigment.pigment.responses import RetriableResponseError, response_error
from tap_pigment.pigment.retry import Retry, seconds_before_retry
from tap_pigment.settings import Settings
from tests.support.taps import Clock

REQUEST = list_blocks("app-1")
LOGGER = logging.getLogger("test-retry")
TODAY = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
PREFIX = "Listing the blocks of application app-1: "


class FlakyRequest:
    """A request that fails with each of some failures in turn, and then succeeds."""

    def __init__(self, *failures: Callable[[], Exception], max_retries: int = 3) -> None:
        self.failures = list(failures)
        self.tries = 0
        self.clock = Clock()
        self.waits = self.clock.waits
        settings = Settings.from_config(
            {"api_key": "pgmt_Abc", "application_id": "app-1", "max_retries": max_retries, "request_timeout_seconds": 7}
        )
        quota = RequestQuota(settings, LOGGER, clock=self.clock)
        self.limiter = RateLimiter(quota, LOGGER, clock=self.clock, sleep=self.clock.sleep, is_cancelled=lambda: False)
        self.retry = Retry(settings, LOGGER, limiter=self.limiter, draw=lambda: 1.0, today=lambda: TODAY)

    def send(self) -> str:
        """Fail while failures are left, then return a response."""
        self.tries += 1
        if self.failures:
            error = self.failures.pop(0)()
            raise error
        return "response"

    def fetch(self) -> str:
        """Return the response as the client does, with retries and final errors."""
        with self.retry.final_errors(REQUEST):
            return self.retry.wrap(self.send, REQUEST)()


def status(code: int, headers: Mapping[str, str] | None = None) -> Callable[[], Exception]:
    """Return a function that makes the failure of a response with a status."""

    def make() -> Exception:
        response = requests.Response()
        response.status_code = code
        response.headers.update(headers or {})
        return RetriableResponseError(response_error(REQUEST, code, ""), response)

    return make


def refused() -> Exception:
    """Return a connection error as `requests` raises it: the cause is its innermost error."""
    error = requests.ConnectionError("HTTPConnectionPool(host='localhost'): Max retries exceeded")
    error.__context__ = ConnectionRefusedError(111, "Connection refused")
    return error


def tls_interrupted() -> Exception:
    """Return the error of `requests` for a connection that ends during the TLS handshake."""
    error = requests.exceptions.SSLError("HTTPSConnectionPool(host='localhost'): Max retries exceeded")
    error.__context__ = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    return error


def untrusted() -> Exception:
    """Return the error of `requests` for a certificate that is not trusted."""
    error = requests.exceptions.SSLError("HTTPSConnectionPool(host='localhost'): Max retries exceeded")
    error.__context__ = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    return error


def test_a_successful_request_is_not_retried() -> None:
    request = FlakyRequest()

    assert request.fetch() == "response"
    assert (request.tries, request.waits) == (1, [])


def test_waits_double_from_one_second() -> None:
    request = FlakyRequest(status(500), status(503), status(500))

    assert request.fetch() == "response"
    assert (request.tries, request.waits) == (4, [1.0, 2.0, 4.0])


def test_no_wait_is_longer_than_half_a_minute() -> None:
    request = FlakyRequest(*[status(500)] * 8, max_retries=8)

    request.fetch()

    assert request.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_retry_after_in_seconds_is_honoured() -> None:
    request = FlakyRequest(status(429, {"Retry-After": "17"}), status(503, {"retry-after": "4000"}), status(429))

    assert request.fetch() == "response"
    assert request.waits == [17.0, 300.0, 4.0]


def test_retry_after_as_a_date_is_honoured() -> None:
    request = FlakyRequest(status(429, {"Retry-After": "Thu, 01 Jan 2026 12:00:42 GMT"}))

    assert request.fetch() == "response"
    assert request.waits == [42.0]


@pytest.mark.parametrize("value", ["Mon, 01 Jan 99999999999 00:00:00 GMT", "soon", "-5", "1e3", "", "9" * 5_000])
def test_no_retry_after_is_waited_for_longer_than_the_window(value: str) -> None:
    request = FlakyRequest(status(503, {"Retry-After": value}))

    assert request.fetch() == "response"
    assert request.waits == [300.0 if value.startswith("9") else 1.0]


@given(st.text() | st.from_regex(r"\w{3}, \d{1,2} \w{3} \d{1,12} \d{1,4}:\d\d:\d\d [-+]?\w{1,9}", fullmatch=True))
def test_any_retry_after_gives_a_wait_within_the_window(value: str) -> None:
    seconds = seconds_before_retry(1, {"Retry-After": value}, now=TODAY, draw=lambda: 1.0)

    assert 0 <= seconds <= 300


def test_waits_are_counted() -> None:
    request = FlakyRequest(refused, status(503), refused)

    request.fetch()

    assert str(request.limiter.stats).endswith(", 7.0 s waiting")


@pytest.mark.parametrize(
    "make",
    [
        refused,
        tls_interrupted,
        requests.ConnectTimeout,
        requests.ReadTimeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        requests.exceptions.ProxyError,
    ],
)
def test_broken_connections_are_retried(make: Callable[[], Exception]) -> None:
    request = FlakyRequest(make, make)

    assert request.fetch() == "response"
    assert (request.tries, request.waits) == (3, [1.0, 2.0])


def test_a_certificate_that_is_not_trusted_is_not_retried() -> None:
    request = FlakyRequest(untrusted)

    with pytest.raises(RequestRefusedError) as caught:
        request.fetch()

    assert str(caught.value) == (
        f"{PREFIX}no trusted connection to https://pigment.app/api: certificate verify failed: self-signed "
        "certificate. Check api_url; behind a proxy with a certificate of its own, set REQUESTS_CA_BUNDLE to its file."
    )
    assert (request.tries, request.waits) == (1, [])


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_the_error_after_the_last_try_names_the_remedy(max_retries: int) -> None:
    request = FlakyRequest(*[status(500)] * 9, max_retries=max_retries)

    with pytest.raises(PigmentExportError) as caught:
        request.fetch()

    assert str(caught.value) == f"{PREFIX}Pigment failed (500). Run again later."
    assert request.tries == max_retries + 1
    assert len(request.waits) == max_retries


def test_an_error_that_no_retry_repairs_is_not_retried() -> None:
    request = FlakyRequest(lambda: ApiKeyError("set api_key"))

    with pytest.raises(ApiKeyError, match="set api_key"):
        request.fetch()

    assert (request.tries, request.waits) == (1, [])


def test_a_bug_is_raised_unchanged_and_not_retried() -> None:
    request = FlakyRequest(lambda: ValueError("bug"))

    with pytest.raises(ValueError, match="bug"):
        request.fetch()

    assert (request.tries, request.waits) == (1, [])


def test_every_wait_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    request = FlakyRequest(refused, status(429, {"Retry-After": "12"}))

    with caplog.at_level(logging.INFO):
        request.fetch()

    first, second = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert first == ("WARNING", f"{PREFIX}try 1 of 4 failed, waiting 1.0 s: [Errno 111] Connection refused")
    assert second == ("WARNING", f"{PREFIX}try 2 of 4 failed, waiting 12.0 s: Pigment's quota is used up (429)")


def test_what_is_waited_for_is_reported_before_each_wait() -> None:
    request = FlakyRequest(refused, status(429), status(503), status(429))
    awaited: list[tuple[str, int]] = []

    request.retry.wrap(request.send, REQUEST, lambda what: awaited.append((what, len(request.waits))))()

    assert awaited == [("the next try", 0), ("the quota", 1), ("the next try", 2), ("the quota", 3)]


def test_a_hidden_error_is_not_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    def hiding() -> Exception:
        error = requests.ConnectionError("no certificates")
        error.__context__ = FileNotFoundError(2, "No such file")
        error.__suppress_context__ = True
        return error

    FlakyRequest(hiding).fetch()

    assert caplog.messages == [f"{PREFIX}try 1 of 4 failed, waiting 1.0 s: no certificates"]


def test_no_log_line_and_no_error_shows_a_key(caplog: pytest.LogCaptureFixture) -> None:
    request = FlakyRequest(*[lambda: requests.ConnectionError("no route with pgmt_Abc123DEF")] * 2, max_retries=1)

    with caplog.at_level(logging.INFO), pytest.raises(PigmentError) as caught:
        request.fetch()

    assert "Abc123" not in caplog.text
    assert "Abc123" not in str(caught.value)
    assert "no route with pgmt_***" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        pytest.param(
            refused,
            ["cannot reach https://pigment.app/api: [Errno 111] Connection refused (4 tries)", "Check api_url"],
            id="refused",
        ),
        pytest.param(
            tls_interrupted,
            ["cannot reach https://pigment.app/api: ", "EOF occurred", "(4 tries)"],
            id="TLS interrupted",
        ),
        pytest.param(
            requests.ReadTimeout,
            ["for 7 s (4 tries)", "Run again later", "raise request_timeout_seconds"],
            id="silence",
        ),
        pytest.param(requests.ConnectTimeout, ["for 7 s (4 tries)", "request_timeout_seconds"], id="no connection"),
        pytest.param(
            lambda: requests.exceptions.ChunkedEncodingError("connection broken"),
            ["the response was truncated: connection broken (4 tries)", "Nothing was emitted", "Run again later"],
            id="truncated",
        ),
    ],
)
def test_the_error_of_a_connection_names_the_remedy(make: Callable[[], Exception], parts: list[str]) -> None:
    request = FlakyRequest(*[make] * 9)

    with pytest.raises(PigmentExportError) as caught:
        request.fetch()

    assert str(caught.value).startswith(PREFIX)
    for part in parts:
        assert part in str(caught.value)
    assert request.tries == 4


def test_a_single_try_is_named_in_the_singular() -> None:
    request = FlakyRequest(refused, max_retries=0)

    with pytest.raises(PigmentExportError, match=r"Connection refused \(1 try\)"):
        request.fetch()


def test_an_invalid_address_is_tried_once_and_reported_so() -> None:
    request = FlakyRequest(lambda: requests.exceptions.InvalidURL("Failed to parse"))

    with pytest.raises(PigmentExportError) as caught:
        request.fetch()

    assert request.tries == 1
    assert "4 tries" not in str(caught.value)


def test_a_final_error_has_no_cause_to_print() -> None:
    request = FlakyRequest(*[refused] * 9)

    with pytest.raises(PigmentExportError) as caught:
        request.fetch()

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_after_the_last_429_the_rest_of_the_window_is_waited_out_once() -> None:
    request = FlakyRequest(*[status(429)] * 4)

    assert request.fetch() == "response"
    assert request.tries == 5
    assert request.waits == [1.0, 2.0, 4.0, 293.0]


def test_the_window_is_counted_from_the_first_429() -> None:
    request = FlakyRequest(status(503, {"Retry-After": "200"}), status(429), status(429), status(429))

    assert request.fetch() == "response"
    assert request.waits == [200.0, 2.0, 4.0, 294.0]


def test_the_window_does_not_start_while_a_request_waits_for_its_turn() -> None:
    request = FlakyRequest(*[status(429)] * 4)
    request.limiter.hold(250)

    def send_in_turn() -> str:
        request.limiter.wait_for_turn()
        return request.send()

    request.retry.wrap(send_in_turn, REQUEST)()

    assert request.waits == [250.0, 1.0, 2.0, 4.0, 293.0]


def test_the_window_is_waited_out_only_once() -> None:
    request = FlakyRequest(*[status(429)] * 9)

    with pytest.raises(PigmentExportError, match="quota is used up"):
        request.fetch()

    assert request.tries == 5
    assert request.waits == [1.0, 2.0, 4.0, 293.0]


def test_after_a_last_429_with_retry_after_the_window_is_not_waited_out() -> None:
    request = FlakyRequest(*[status(429, {"Retry-After": "5"})] * 9)

    with pytest.raises(PigmentExportError, match="quota is used up"):
        request.fetch()

    assert request.waits == [5.0, 5.0, 5.0]


def test_without_retries_the_window_is_not_waited_out() -> None:
    request = FlakyRequest(status(429), max_retries=0)

    with pytest.raises(PigmentExportError, match="quota is used up"):
        request.fetch()

    assert request.waits == []


def test_the_wait_for_the_window_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    request = FlakyRequest(*[status(429)] * 4)

    request.fetch()

    assert caplog.messages[-1] == f"{PREFIX}waiting 293.0 s, until the quota's window has passed"


# Waits


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        pytest.param("0", 0.0, id="at once"),
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(" 7 ", 7.0, id="seconds in spaces"),
        pytest.param("300", 300.0, id="the window"),
        pytest.param("86400", 300.0, id="longer than the window"),
        pytest.param("99999999999999999999", 300.0, id="longer than any run"),
        pytest.param("Thu, 01 Jan 2026 12:00:20 GMT", 20.0, id="a date"),
        pytest.param("Thu, 01 Jan 2026 12:00:20 -0000", 20.0, id="a date without a zone"),
        pytest.param("Thu, 01 Jan 2026 13:00:20 +0100", 20.0, id="a date in another zone"),
        pytest.param("Thu, 01 Jan 2026 11:59:00 GMT", 0.0, id="a date in the past"),
        pytest.param("Fri, 02 Jan 2026 12:00:00 GMT", 300.0, id="a date far away"),
    ],
)
def test_retry_after_is_honoured_up_to_the_window(retry_after: str, seconds: float) -> None:
    waited = seconds_before_retry(1, {"Retry-After": retry_after}, now=TODAY, draw=lambda: 0.25)

    assert waited == seconds


@pytest.mark.parametrize(
    "retry_after",
    ["", "soon", "-5", "1.5", "٣", "Thu, 99 Jan 2026 12:00:00 GMT", "Thu, 01 Jan 99999 12:00:00 GMT", "("],
)
def test_a_retry_after_that_cannot_be_parsed_is_ignored(retry_after: str) -> None:
    assert seconds_before_retry(1, {"Retry-After": retry_after}, now=TODAY, draw=lambda: 0.25) == 0.25


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 16.0), (6, 30.0), (7, 30.0), (2000, 30.0)]
)
def test_waits_have_full_jitter_below_a_ceiling_that_doubles(attempt: int, longest: float) -> None:
    assert seconds_before_retry(attempt, {}, now=TODAY, draw=lambda: 1.0) == longest
    assert seconds_before_retry(attempt, {}, now=TODAY, draw=lambda: 0.5) == longest / 2
    assert seconds_before_retry(attempt, {}, now=TODAY, draw=lambda: 0.0) == 0.0


@given(st.text(max_size=40), st.floats(0, 1), st.integers(1, 100))
def test_no_retry_after_leads_to_a_wait_outside_the_window(retry_after: str, drawn: float, attempt: int) -> None:
    seconds = seconds_before_retry(attempt, {"Retry-After": retry_after}, now=TODAY, draw=lambda: drawn)

    assert 0 <= seconds <= 300
