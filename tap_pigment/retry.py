"""Trying again: after what, how often, after which wait, and what to say in the end."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import backoff
import requests
from urllib3.exceptions import ReadTimeoutError

from tap_pigment.body import TryAgainError
from tap_pigment.errors import PigmentExportError
from tap_pigment.failures import WINDOW_SECONDS, redacted, seconds_before_retry

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Generator, Iterator

    from backoff.types import Details

    from tap_pigment.pacing import Pacer
    from tap_pigment.protocol import Call
    from tap_pigment.settings import Settings

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")

_TRANSIENT = (
    TryAgainError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class Retry:
    """How failed requests are sent again.

    The waiting is done by the pacer, not by `backoff`, so that it can be cut short and be given another clock.

    Args:
        settings: The settings.
        logger: Where every wait is told.
        pacer: What waits, counts, and holds back all requests once the quota is used up.
        draw: Draws a number from 0 to 1, for jitter.
        today: The date and time, to which a date in `Retry-After` is compared.
    """

    def __init__(
        self,
        settings: Settings,
        logger: logging.Logger,
        *,
        pacer: Pacer,
        draw: Callable[[], float],
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._logger = logger
        self._pacer = pacer
        self._draw = draw
        self._today = today

    def decorated(
        self,
        ask: Callable[Arguments, Answer],
        *,
        waits: Callable[[], Generator[float, None, None]] | None = None,
        max_tries: Callable[[], int] | None = None,
        jitter: Callable[[float], float] | None = None,
        on_backoff: Callable[[Details], None] | None = None,
    ) -> Callable[Arguments, Answer]:
        """Return `ask` as a function that tries again after failures that another try may mend.

        When all end at the quota, which frees only as its window passes, the rest of the window is waited out, once: it
        is over 5 minutes after the first refusal, at the latest.
        """

        @wraps(ask)
        def ask_patiently(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            refused_at: list[float] = []

            def ask_once() -> Answer:
                try:
                    return ask(*args, **kwargs)
                except TryAgainError as error:
                    if error.leaves_no_quota:
                        refused_at.append(self._pacer.now())
                    raise

            trying = backoff.on_exception(
                waits or self.no_waits,
                _TRANSIENT,
                max_tries=max_tries or self.max_tries,
                jitter=jitter,
                on_backoff=on_backoff or self.pause,
                logger=None,
            )(ask_once)
            try:
                return trying()
            except TryAgainError as error:
                if not error.leaves_no_quota or not self._settings.max_retries:
                    raise
                seconds = max(WINDOW_SECONDS - (self._pacer.now() - refused_at[0]), 0)
                self._logger.warning("Waiting %.1f s, until the window of the quota has passed.", seconds)
                self._wait_before_another_try(error, seconds)
                return ask(*args, **kwargs)

        return ask_patiently

    def no_waits(self) -> Generator[float, None, None]:
        """Return waits of nothing."""
        return backoff.constant(interval=0)

    def max_tries(self) -> int:
        """Return how often a request is sent at the most."""
        return self._settings.max_retries + 1

    def pause(self, details: Details) -> None:
        """Wait before the next try, and say why."""
        error = details["exception"]
        headers = error.headers if isinstance(error, TryAgainError) else {}
        seconds = seconds_before_retry(details["tries"], headers, now=self._today(), draw=self._draw)
        self._logger.warning(
            "Try %d of %d failed. Waiting %.1f s before the next. %s",
            details["tries"],
            self.max_tries(),
            seconds,
            _reason(error),
        )
        self._wait_before_another_try(error, seconds)

    def _wait_before_another_try(self, error: BaseException, seconds: float) -> None:
        self._pacer.tally.count_again()
        if isinstance(error, TryAgainError) and error.is_over_quota:
            self._pacer.hold(seconds)
        self._pacer.wait(seconds)

    @contextmanager
    def final_errors(self, call: Call) -> Iterator[None]:
        """Turn what remains after the last try into the error that tells the user what to do.

        Raises:
            PigmentError: The error.
        """
        try:
            yield
        except TryAgainError as error:
            raise error.final from None
        except requests.RequestException as error:
            raise PigmentExportError(f"While {call.purpose}: {self._meaning(error)}") from None

    def _meaning(self, error: requests.RequestException) -> str:
        reason = _reason(error)
        tries = "1 try" if self.max_tries() == 1 or not isinstance(error, _TRANSIENT) else f"{self.max_tries()} tries"
        match error:
            case requests.exceptions.SSLError():
                return (
                    f"no trusted connection: {reason}. Check api_url; behind a proxy with a certificate of its own, "
                    "set REQUESTS_CA_BUNDLE to it."
                )
            # Silence in the middle of a body comes as a ConnectionError around urllib3's own.
            case _ if isinstance(error, requests.Timeout) or isinstance(
                error.args[0] if error.args else None, ReadTimeoutError
            ):
                return (
                    f"no answer, or silence in the middle of it, for {self._settings.request_timeout_seconds} s "
                    f"({tries}). Run again later, or raise request_timeout_seconds."
                )
            case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
                return f"the answer broke off: {reason} ({tries}). Nothing of it was sent. Run again later."
        return f"cannot reach {self._settings.api_url}: {reason} ({tries}). Check api_url, the network and the proxy."


def _reason(error: BaseException) -> str:
    """Return an error's message; of one that wraps others, the innermost's, which says what has happened."""
    if isinstance(error, TryAgainError):
        return str(error.final)
    while isinstance(inner := getattr(error, "reason", None) or error.__cause__ or error.__context__, BaseException):
        error = inner
    return redacted(str(error) or type(error).__name__)
