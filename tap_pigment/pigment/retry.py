"""Retries: after which failures, how often, how long to wait (after a 429 too), and the error that remains."""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

import backoff
import requests
from urllib3.exceptions import ReadTimeoutError

from tap_pigment.errors import PigmentError, PigmentExportError, RequestRefusedError
from tap_pigment.pigment.api import WINDOW_SECONDS
from tap_pigment.pigment.http2_adapter import ConnectionSetupError
from tap_pigment.pigment.rate_limiter import QUOTA
from tap_pigment.pigment.responses import RetriableResponseError
from tap_pigment.redaction import redacted

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping

    from backoff.types import Details

    from tap_pigment.pigment.api import ApiRequest
    from tap_pigment.pigment.rate_limiter import RateLimiter
    from tap_pigment.settings import Settings

Result = TypeVar("Result")

BASE_WAIT_SECONDS = 1
MAX_WAIT_SECONDS = 30

_TRUNCATED = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
_TRANSIENT = (RetriableResponseError, requests.ConnectionError, requests.Timeout, *_TRUNCATED)
_TLS_INTERRUPTED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class Retry:
    """Sends failed requests again.

    `backoff` counts the tries and decides what is retried. Its own sleep cannot be interrupted, so the wait happens in
    its `on_backoff` hook, by the rate limiter.

    Args:
        settings: The settings.
        logger: Reports every wait.
        limiter: Waits, and holds back all requests once the quota is used up.
        draw: Draws a number from 0 to 1, for jitter.
        today: Returns the date and time, to which a date in `Retry-After` is compared.
        find_proxy: Returns the address of the proxy that requests pass, or None.
    """

    def __init__(  # noqa: PLR0913 - what it takes from the client.
        self,
        settings: Settings,
        logger: logging.Logger,
        *,
        limiter: RateLimiter,
        draw: Callable[[], float],
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
        find_proxy: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._logger = logger
        self._limiter = limiter
        self._draw = draw
        self._today = today
        self._find_proxy = find_proxy

    @property
    def _max_tries(self) -> int:
        return self._settings.max_retries + 1

    def wrap(
        self, send: Callable[[], Result], request: ApiRequest, on_wait: Callable[[str], object] = lambda _: None
    ) -> Callable[[], Result]:
        """Return `send` with retries after failures that another try may repair.

        If all tries end with a 429 without `Retry-After`, the rest of the quota's window is waited out once: 5 minutes
        after the first 429 the quota is free again.

        Args:
            send: Sends the request.
            request: The request, which messages name.
            on_wait: Called before each wait, with what is waited for.
        """

        @wraps(send)
        def send_with_retries() -> Result:
            refusals: list[float] = []

            def try_once() -> Result:
                try:
                    return send()
                except RetriableResponseError as error:
                    if error.is_over_quota_without_date:
                        refusals.append(self._limiter.now())
                    raise

            retried = backoff.on_exception(
                backoff.constant,
                _TRANSIENT,
                max_tries=self._max_tries,
                giveup=_is_certificate_error,
                jitter=None,
                on_backoff=lambda details: self._wait(details, request, on_wait),
                logger=None,
                interval=0,
            )(try_once)
            try:
                return retried()
            except RetriableResponseError as error:
                if not error.is_over_quota_without_date or not self._settings.max_retries:
                    raise
                seconds = max(WINDOW_SECONDS - (self._limiter.now() - refusals[0]), 0)
                self._logger.warning(
                    "%s: waiting %.1f s, until the quota's window has passed", request.subject, seconds
                )
                self._wait_before_retry(error, seconds, on_wait)
                return send()

        return send_with_retries

    def _wait(self, details: Details, request: ApiRequest, on_wait: Callable[[str], object]) -> None:
        error = details["exception"]
        headers = error.headers if isinstance(error, RetriableResponseError) else {}
        seconds = seconds_before_retry(details["tries"], headers, now=self._today(), draw=self._draw)
        self._logger.warning(
            "%s: try %d of %d failed, waiting %.1f s: %s",
            request.subject,
            details["tries"],
            self._max_tries,
            seconds,
            _reason(error).removeprefix(f"{request.subject}: "),
        )
        self._wait_before_retry(error, seconds, on_wait)

    def _wait_before_retry(self, error: BaseException, seconds: float, on_wait: Callable[[str], object]) -> None:
        is_over_quota = isinstance(error, RetriableResponseError) and error.is_over_quota
        if is_over_quota:
            self._limiter.hold(seconds)
        on_wait(QUOTA if is_over_quota else "the next try")
        self._limiter.wait(seconds)

    @contextmanager
    def final_errors(self, request: ApiRequest) -> Iterator[None]:
        """Turn the error of the last try into the one that the user reads.

        Raises:
            PigmentError: The error.
        """
        try:
            yield
        except RetriableResponseError as error:
            raise error.final from None
        except requests.RequestException as error:
            raise self._final_error(error, request) from None

    def _final_error(self, error: requests.RequestException, request: ApiRequest) -> PigmentError:
        reason = _reason(error)
        if _is_certificate_error(error):
            return RequestRefusedError(
                f"{request.subject}: no trusted connection to {self._settings.api_url}: {reason}. Check api_url; "
                "behind a proxy with a certificate of its own, set REQUESTS_CA_BUNDLE to its file."
            )
        if isinstance(error, ConnectionSetupError):
            return PigmentExportError(f"{request.subject}: cannot reach {self._settings.api_url}: {reason}")
        proxy = self._find_proxy()
        through = f" through the proxy {redacted(proxy)}" if proxy else ""
        tries = "1 try" if self._max_tries == 1 or not isinstance(error, _TRANSIENT) else f"{self._max_tries} tries"
        if _is_silence(error):
            meaning = (
                f"no bytes arrived for {self._settings.request_timeout_seconds} s{through} ({tries}). Run again later, "
                "or raise request_timeout_seconds."
            )
        elif isinstance(error, _TRUNCATED):
            meaning = f"the response was truncated: {reason} ({tries}). Nothing was emitted. Run again later."
        else:
            meaning = (
                f"cannot reach {self._settings.api_url}{through}: {reason} ({tries}). Check api_url, the network and "
                "the proxy."
            )
        return PigmentExportError(f"{request.subject}: {meaning}")


def seconds_before_retry(
    attempt: int, headers: Mapping[str, str], *, now: datetime, draw: Callable[[], float]
) -> float:
    """Return how many seconds to wait after a failed try.

    `Retry-After` is honoured in both its forms, up to the quota's window; without it the wait is exponential with full
    jitter.

    Args:
        attempt: The number of the failed try, from 1.
        headers: The failed response's headers.
        now: The time, to which a date in `Retry-After` is compared.
        draw: Draws a number from 0 to 1.
    """
    requested = _retry_after(headers.get("Retry-After", ""), now)
    if requested is not None:
        return min(max(requested, 0.0), WINDOW_SECONDS)
    ceiling: float = min(MAX_WAIT_SECONDS, BASE_WAIT_SECONDS * 2 ** (attempt - 1))
    return draw() * ceiling


def _retry_after(value: str, now: datetime) -> float | None:
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # The latter for a year of more digits than a C integer has.
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return (until - now).total_seconds()


def _is_silence(error: requests.RequestException) -> bool:
    """Return whether no bytes arrived in time: in the middle of a body, that is a ConnectionError around urllib3's."""
    return isinstance(error, requests.Timeout) or any(isinstance(cause, ReadTimeoutError) for cause in error.args[:1])


def _is_certificate_error(error: BaseException) -> bool:
    """Return whether TLS failed for a reason that no retry changes, such as a certificate that is not trusted."""
    return isinstance(error, requests.exceptions.SSLError) and not isinstance(_innermost(error), _TLS_INTERRUPTED)


def _reason(error: BaseException) -> str:
    """Return the message of an error; of errors that wrap each other, the innermost one's.

    That of a 429 is short: it may be logged for each try of all streams, and the final error has the remedy.
    """
    if isinstance(error, RetriableResponseError):
        return "Pigment's quota is used up (429)" if error.is_over_quota else str(error.final)
    error = _innermost(error)
    return redacted(str(error) or type(error).__name__)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(inner := getattr(error, "reason", None) or _cause(error), BaseException):
        error = inner
    return error


def _cause(error: BaseException) -> BaseException | None:
    """Return the error behind an error, or None; `from None` hides it."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
