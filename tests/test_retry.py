"""Trying again: how often, after which waits, and what is said meanwhile and in the end."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
import requests

from tap_pigment.body import TryAgainError
from tap_pigment.errors import ApiKeyError, PigmentError, PigmentExportError
from tap_pigment.failures import failure
from tap_pigment.pacing import Pacer
from tap_pigment.protocol import list_blocks
from tap_pigment.retry import Retry
from tap_pigment.settings import Settings
from tests.conftest import Clock

CALL = list_blocks("app-1")
LOGGER = logging.getLogger("test-retry")
TODAY = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
PREFIX = "While listing the blocks of application app-1: "


class Pigment:
    """What is asked: it fails as told, then answers; and remembers how long was waited."""

    def __init__(self, *failures: Callable[[], Exception], max_retries: int = 3) -> None:
        self.failures = list(failures)
        self.asked = 0
        self.clock = Clock()
        self.waits = self.clock.waits
        settings = Settings.from_config(
            {"api_key": "pgmt_Abc", "application_id": "app-1", "max_retries": max_retries, "request_timeout_seconds": 7}
        )
        self.pacer = Pacer(settings, LOGGER, clock=self.clock, sleep=self.clock.sleep, is_cancelled=lambda: False)
        self.retry = Retry(settings, LOGGER, pacer=self.pacer, draw=lambda: 1.0, today=lambda: TODAY)

    def answer(self) -> str:
        """Fail while failures are left, then answer."""
        self.asked += 1
        if self.failures:
            error = self.failures.pop(0)()
            raise error
        return "answer"

    def ask(self) -> str:
        """Return the answer as the client gets it, with retries and final errors."""
        with self.retry.final_errors(CALL):
            return self.retry.decorated(self.answer)()


def status(code: int, headers: Mapping[str, str] | None = None) -> Callable[[], Exception]:
    """Return what makes the failure of an answer with a status."""

    def make() -> Exception:
        response = requests.Response()
        response.status_code = code
        response.headers.update(headers or {})
        return TryAgainError(failure(CALL, code, ""), response)

    return make


def refused() -> Exception:
    """Return a connection error as `requests` raises it: what has happened stands at its bottom."""
    error = requests.ConnectionError("HTTPConnectionPool(host='localhost'): Max retries exceeded")
    error.__context__ = ConnectionRefusedError(111, "Connection refused")
    return error


def test_an_answer_is_not_asked_for_twice() -> None:
    pigment = Pigment()

    assert pigment.ask() == "answer"
    assert (pigment.asked, pigment.waits) == (1, [])


def test_waits_double_from_one_second() -> None:
    pigment = Pigment(status(500), status(503), status(500))

    assert pigment.ask() == "answer"
    assert (pigment.asked, pigment.waits) == (4, [1.0, 2.0, 4.0])


def test_no_wait_is_longer_than_half_a_minute() -> None:
    pigment = Pigment(*[status(500)] * 8, max_retries=8)

    pigment.ask()

    assert pigment.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_retry_after_is_waited_for() -> None:
    pigment = Pigment(status(429, {"Retry-After": "17"}), status(503, {"retry-after": "4000"}), status(429))

    assert pigment.ask() == "answer"
    assert pigment.waits == [17.0, 300.0, 4.0]


def test_a_date_in_retry_after_is_waited_for() -> None:
    pigment = Pigment(status(429, {"Retry-After": "Thu, 01 Jan 2026 12:00:42 GMT"}))

    assert pigment.ask() == "answer"
    assert pigment.waits == [42.0]


def test_what_is_sent_again_is_counted() -> None:
    pigment = Pigment(refused, status(503), refused)

    pigment.ask()

    assert str(pigment.pacer.tally) == "Pigment was asked 0 times (3 of them again), 0.0 MB received, 7.0 s waited."


@pytest.mark.parametrize(
    "make",
    [
        refused,
        requests.ConnectTimeout,
        requests.ReadTimeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        requests.exceptions.SSLError,
        requests.exceptions.ProxyError,
    ],
)
def test_broken_connections_are_tried_again(make: Callable[[], Exception]) -> None:
    pigment = Pigment(make, make)

    assert pigment.ask() == "answer"
    assert (pigment.asked, pigment.waits) == (3, [1.0, 2.0])


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_after_the_last_try_the_error_says_what_to_do(max_retries: int) -> None:
    pigment = Pigment(*[status(500)] * 9, max_retries=max_retries)

    with pytest.raises(PigmentExportError) as caught:
        pigment.ask()

    assert str(caught.value) == f"{PREFIX}Pigment failed (500). Run again later."
    assert pigment.asked == max_retries + 1
    assert len(pigment.waits) == max_retries


def test_what_no_try_can_mend_is_not_tried_again() -> None:
    pigment = Pigment(lambda: ApiKeyError("set api_key"))

    with pytest.raises(ApiKeyError, match="set api_key"):
        pigment.ask()

    assert (pigment.asked, pigment.waits) == (1, [])


def test_a_bug_stays_a_bug() -> None:
    pigment = Pigment(lambda: ValueError("bug"))

    with pytest.raises(ValueError, match="bug"):
        pigment.ask()

    assert (pigment.asked, pigment.waits) == (1, [])


def test_every_wait_is_told_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    pigment = Pigment(refused, status(429, {"Retry-After": "12"}))

    with caplog.at_level(logging.INFO):
        pigment.ask()

    first, second = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert first == (
        "WARNING",
        "Try 1 of 4 failed. Waiting 1.0 s before the next. [Errno 111] Connection refused",
    )
    assert second[0] == "WARNING"
    assert second[1].startswith("Try 2 of 4 failed. Waiting 12.0 s before the next. " + PREFIX)
    assert "quota is used up (429)" in second[1]


def test_no_log_line_and_no_error_shows_a_key(caplog: pytest.LogCaptureFixture) -> None:
    pigment = Pigment(*[lambda: requests.ConnectionError("no route with pgmt_Abc123DEF")] * 2, max_retries=1)

    with caplog.at_level(logging.INFO), pytest.raises(PigmentError) as caught:
        pigment.ask()

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
            requests.ReadTimeout,
            ["for 7 s (4 tries)", "Run again later", "raise request_timeout_seconds"],
            id="silence",
        ),
        pytest.param(requests.ConnectTimeout, ["for 7 s (4 tries)", "request_timeout_seconds"], id="no connection"),
        pytest.param(
            lambda: requests.exceptions.ChunkedEncodingError("connection broken"),
            ["the answer broke off: connection broken (4 tries)", "Nothing of it was sent", "Run again later"],
            id="broken off",
        ),
        pytest.param(
            lambda: requests.exceptions.SSLError("certificate verify failed"),
            ["no trusted connection: certificate verify failed", "REQUESTS_CA_BUNDLE"],
            id="certificate",
        ),
    ],
)
def test_a_connection_that_stays_broken_says_what_to_do(make: Callable[[], Exception], parts: list[str]) -> None:
    pigment = Pigment(*[make] * 9)

    with pytest.raises(PigmentExportError) as caught:
        pigment.ask()

    assert str(caught.value).startswith(PREFIX)
    for part in parts:
        assert part in str(caught.value)
    assert pigment.asked == 4


def test_one_try_is_said_in_the_singular() -> None:
    pigment = Pigment(refused, max_retries=0)

    with pytest.raises(PigmentExportError, match=r"Connection refused \(1 try\)"):
        pigment.ask()


def test_an_address_that_is_none_is_not_said_to_have_been_tried_often() -> None:
    pigment = Pigment(lambda: requests.exceptions.InvalidURL("Failed to parse"))

    with pytest.raises(PigmentExportError) as caught:
        pigment.ask()

    assert pigment.asked == 1
    assert "4 tries" not in str(caught.value)


def test_a_final_error_hides_where_it_comes_from() -> None:
    pigment = Pigment(*[refused] * 9)

    with pytest.raises(PigmentExportError) as caught:
        pigment.ask()

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_after_the_last_refusal_for_quota_the_rest_of_the_window_is_waited_out_once() -> None:
    pigment = Pigment(*[status(429)] * 4)

    assert pigment.ask() == "answer"
    assert pigment.asked == 5
    assert pigment.waits == [1.0, 2.0, 4.0, 293.0]


def test_the_window_is_counted_from_the_first_refusal_for_quota() -> None:
    pigment = Pigment(status(503, {"Retry-After": "200"}), status(429), status(429), status(429))

    assert pigment.ask() == "answer"
    assert pigment.waits == [200.0, 2.0, 4.0, 294.0]


def test_a_request_that_waited_long_for_its_turn_waits_for_the_whole_window_all_the_same() -> None:
    pigment = Pigment(*[status(429)] * 4)
    pigment.pacer.hold(250)

    def ask_in_turn() -> str:
        pigment.pacer.wait_for_turn()
        return pigment.answer()

    pigment.retry.decorated(ask_in_turn)()

    assert pigment.waits == [250.0, 1.0, 2.0, 4.0, 293.0]


def test_the_window_is_waited_out_only_once() -> None:
    pigment = Pigment(*[status(429)] * 9)

    with pytest.raises(PigmentExportError, match="quota is used up"):
        pigment.ask()

    assert pigment.asked == 5
    assert pigment.waits == [1.0, 2.0, 4.0, 293.0]


def test_after_a_last_refusal_that_said_how_long_to_wait_nothing_more_is_waited_for() -> None:
    pigment = Pigment(*[status(429, {"Retry-After": "5"})] * 9)

    with pytest.raises(PigmentExportError, match="quota is used up"):
        pigment.ask()

    assert pigment.waits == [5.0, 5.0, 5.0]


def test_without_retries_a_refusal_for_quota_is_not_waited_for() -> None:
    pigment = Pigment(status(429), max_retries=0)

    with pytest.raises(PigmentExportError, match="quota is used up"):
        pigment.ask()

    assert pigment.waits == []


def test_the_wait_for_the_window_is_told(caplog: pytest.LogCaptureFixture) -> None:
    pigment = Pigment(*[status(429)] * 4)

    pigment.ask()

    assert caplog.messages[-1] == "Waiting 293.0 s, until the window of the quota has passed."
