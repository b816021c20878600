"""The client of Pigment's REST API: the only place that sends requests.

Files and streams are the concern of its callers: they pass the function that reads a response.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from http import HTTPStatus
from importlib.metadata import version
from random import random
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from singer_sdk import metrics
from singer_sdk.authenticators import BearerTokenAuthenticator

from tap_pigment.errors import PigmentExportError, RequestRefusedError, RunStoppedError, counted
from tap_pigment.pigment import api
from tap_pigment.pigment.api import WINDOW_SECONDS, Scope
from tap_pigment.pigment.http2_adapter import HTTP_2, Http2Adapter, proxy_of
from tap_pigment.pigment.http2_connection import ReadDeadline
from tap_pigment.pigment.quota import RequestQuota
from tap_pigment.pigment.rate_limiter import RateLimiter
from tap_pigment.pigment.responses import (
    ACCEPT_ENCODING,
    RetriableResponseError,
    decoded_chunks,
    is_retriable,
    is_success,
    read_json,
    response_error,
)
from tap_pigment.pigment.retry import Retry
from tap_pigment.settings import is_loopback

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from tap_pigment.pigment.api import ApiRequest, Application, Block, View
    from tap_pigment.pigment.request_stats import RequestStats
    from tap_pigment.settings import Settings

_MAX_ERROR_BYTES = 1 << 14
_MAX_ERROR_SECONDS = 10
_METADATA_SECONDS = 120

Result = TypeVar("Result")


class _Session(requests.Session):
    """A session that ignores the target of a redirect.

    `requests` parses the target and reads the whole body to prepare the next request, even if none follows.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of `requests`.
        """Return None: no response is a redirect."""
        return


class PigmentClient:
    """Pigment's API for one run: one session, one rate limiter, and one authenticator for each scope.

    All threads share it.

    Args:
        settings: The settings.
        logger: Reports every wait.
        clock: Returns the time in seconds.
        sleep: Waits for some seconds, by the same clock; the default ends early when the client is cancelled.
        draw: Draws a number from 0 to 1, for jitter.

    Attributes:
        session: The session of all requests.
        user_agent: Name and version of the tap.
    """

    def __init__(
        self,
        settings: Settings,
        logger: logging.Logger,
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], object] | None = None,
        draw: Callable[[], float] = random,
    ) -> None:
        self._settings = settings
        self._logger = logger
        self._cancelled = threading.Event()
        self._quota = RequestQuota(settings, logger, clock=clock)
        self._limiter = RateLimiter(
            self._quota,
            logger,
            clock=clock,
            sleep=sleep or self._cancelled.wait,
            is_cancelled=self._cancelled.is_set,
        )
        self._retry = Retry(settings, logger, limiter=self._limiter, draw=draw, find_proxy=self._proxy)
        self._has_warned_of_http_1 = False
        self._lock = threading.Lock()
        self._authenticators = {
            Scope.EXPORT: BearerTokenAuthenticator(token=settings.api_key),
            Scope.MODELING_METADATA: BearerTokenAuthenticator(token=settings.metadata_api_key),
        }
        self.session = _Session()
        self.session.mount("https://", Http2Adapter())
        self.session.mount("http://", Http2Adapter())
        self.user_agent = f"tap-pigment/{version('tap-pigment')}"

    @property
    def stats(self) -> RequestStats:
        """The counts of requests, retries, bytes and waits."""
        return self._limiter.stats

    def cancel(self) -> None:
        """Stop for good: waits and transfers in other threads end with an error, and nothing more is sent."""
        self._cancelled.set()
        self.session.close()

    def close(self) -> None:
        """Close all connections, and `quota_file`."""
        self.session.close()
        self._quota.close()

    def open_quota(self) -> None:
        """Open `quota_file`, if it is set.

        Raises:
            SettingsError: If it cannot be used.
        """
        self._quota.open()

    def report_long_wait(self, what: str, requests: int) -> None:
        """Report how long it takes to send so many more requests, if they exceed the quota.

        Args:
            what: What sends them, such as `Discovery`.
            requests: How many, at least.

        Raises:
            SettingsError: If `quota_file` cannot be used.
        """
        if windows := self._limiter.windows_to_wait(requests):
            self._logger.warning(
                "%s needs %s, and requests_per_window allows %s in 5 minutes: it takes at least %d minutes. To extract "
                "fewer blocks, set include or exclude.",
                what,
                counted(requests, "request"),
                f"{self._settings.requests_per_window:,}",
                windows * WINDOW_SECONDS // 60,
            )

    def raise_if_cancelled(self, request: ApiRequest) -> None:
        """Raise an error if the client was cancelled.

        Raises:
            RunStoppedError: If it was.
        """
        if self._cancelled.is_set():
            raise RunStoppedError(f"{request.subject}: the run was stopped.")

    # Metadata

    def applications(self) -> tuple[Application, ...]:
        """Return the applications that the key can see.

        Raises:
            PigmentError: If they cannot be listed.
        """
        return api.read_applications(self._fetch_json(api.list_applications()))

    def blocks(self, application_id: str) -> tuple[Block, ...]:
        """Return the lists, metrics and tables of an application.

        Raises:
            PigmentError: If they cannot be listed.
        """
        return api.read_blocks(self._fetch_json(api.list_blocks(application_id)), application_id)

    def views(self, application_id: str, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        """Return the views of an application: with one request, or one for each block where Pigment refuses that.

        Raises:
            PigmentError: If they cannot be listed.
        """
        try:
            responses = [self._fetch_json(api.list_views(application_id))]
        except RequestRefusedError as error:
            if not error.is_about_body:
                raise
            responses = [self._fetch_json(api.list_views(application_id, block.id)) for block in blocks]
        views = [view for response in responses for view in api.read_views(response, application_id)]
        return tuple({view.id: view for view in views}.values())

    def views_of_block(self, block: Block) -> tuple[View, ...]:
        """Return the views of a block: only such a listing shows which block a view belongs to.

        Raises:
            PigmentError: If they cannot be listed.
        """
        return api.read_views_of_block(self._fetch_json(api.list_views(block.application_id, block.id)), block)

    def _fetch_json(self, request: ApiRequest) -> object:
        return self.fetch(request, lambda response: read_json(response, request), phase="metadata")

    # Requests

    def fetch(
        self,
        request: ApiRequest,
        read: Callable[[requests.Response], Result],
        *,
        phase: str,
        on_try: Callable[[], object] = lambda: None,
        on_wait: Callable[[str], object] = lambda _: None,
    ) -> Result:
        """Send a request, and return what `read` makes of its response; both are retried together.

        Args:
            request: The request.
            read: Reads the response's body. It raises `RetriableResponseError` where another try may succeed.
            phase: The tag of the SDK's request metric: `metadata`, `discovery`, or in a sync the stream's name.
            on_try: Called before each request, retries included.
            on_wait: Called before each wait, with what the request waits for, such as `the quota`.

        Raises:
            PigmentError: If no try succeeds.
        """
        tries = itertools.count()

        def try_once() -> Result:
            self._limiter.wait_for_turn(on_wait)
            self.raise_if_cancelled(request)
            on_try()
            counter.increment()
            self.stats.count_request(is_retry=next(tries) > 0)
            total_seconds = self._total_seconds(request)
            deadline = ReadDeadline(self._settings.request_timeout_seconds, total_seconds)
            try:
                response = self._send(request, deadline)
                with self.stats.counted_body(response):
                    return read(response)
            except (RetriableResponseError, requests.RequestException) as error:
                self.raise_if_cancelled(request)  # Then nothing is sent again, and no failure is reported.
                if deadline.is_over and isinstance(error, requests.RequestException):
                    raise _took_too_long(request, total_seconds) from None
                raise

        with metrics.http_request_counter(phase, endpoint=request.path) as counter, self._retry.final_errors(request):
            return self._retry.wrap(try_once, request, on_wait)()

    def _total_seconds(self, request: ApiRequest) -> int:
        """Return how long a request may take with its whole response; silence ends it earlier."""
        if request.scope is Scope.EXPORT:
            return self._settings.max_export_seconds
        return max(_METADATA_SECONDS, 2 * self._settings.request_timeout_seconds)

    def _send(self, request: ApiRequest, deadline: ReadDeadline) -> requests.Response:
        """Send a request once, and return a successful response with its body still unread."""
        prepared = self.session.prepare_request(
            requests.Request(
                request.method,
                self._settings.api_url + request.path,
                headers={"User-Agent": self.user_agent, "Accept-Encoding": ACCEPT_ENCODING},
                params=dict(request.params),
                json=request.body,
                auth=self._authenticators[request.scope],
            )
        )
        response = self.session.send(
            prepared,
            timeout=deadline,  # type: ignore[arg-type] # the adapter takes it.
            allow_redirects=False,
            **self._environment(prepared.url),
        )
        if not is_success(response.status_code):
            self._raise_error(response, request, deadline)
        self._warn_of_http_1(response)
        return response

    def _environment(self, url: str | None) -> Any:  # noqa: ANN401 - keywords of `Session.send`.
        """Return the proxies and certificates of the environment: Session.send does not read them by itself."""
        return self.session.merge_environment_settings(url, {}, stream=True, verify=None, cert=None)

    def _proxy(self) -> str | None:
        """Return the proxy that requests pass, or None; an invalid address is an error of the request itself."""
        with suppress(requests.exceptions.InvalidProxyURL):
            return proxy_of(self._settings.api_url, self._environment(self._settings.api_url)["proxies"])
        return None

    def _raise_error(self, response: requests.Response, request: ApiRequest, deadline: ReadDeadline) -> None:
        deadline.shorten(_MAX_ERROR_SECONDS)
        with self.stats.counted_body(response):
            has_text = response.status_code >= HTTPStatus.BAD_REQUEST
            text = _beginning(response, request).decode("utf-8", "replace") if has_text else ""
        error = response_error(
            request,
            response.status_code,
            text,
            response.headers.get("Location", ""),
            keys=(self._settings.api_key, self._settings.metadata_api_key),
        )
        if is_retriable(response.status_code):
            raise RetriableResponseError(error, response)
        raise error

    def _warn_of_http_1(self, response: requests.Response) -> None:
        """Warn once of HTTP/1.1, in which Pigment truncates an export that fails without an error."""
        if response.raw.version == HTTP_2 or is_loopback(urlsplit(self._settings.api_url).hostname or ""):
            return
        with self._lock:
            if not self._has_warned_of_http_1:
                self._logger.warning(
                    "%s answers over HTTP/1.1, over which Pigment may truncate an export without an error. The tap "
                    "checks the end of each export. If you use a proxy, let HTTP/2 pass through it.",
                    self._settings.api_url,
                )
            self._has_warned_of_http_1 = True


def _beginning(response: requests.Response, request: ApiRequest) -> bytes:
    """Return the beginning of an error response's body, as far as it can be read; its status is what counts."""
    try:
        return next(decoded_chunks(response, request, chunk_bytes=_MAX_ERROR_BYTES), b"")
    except (RetriableResponseError, requests.RequestException):
        return b""


def _took_too_long(request: ApiRequest, total_seconds: int) -> PigmentExportError:
    remedy = (
        "Raise max_export_seconds, or run again later."
        if request.scope is Scope.EXPORT
        else "Run again later, or raise request_timeout_seconds."
    )
    return PigmentExportError(f"{request.subject}: the response was not complete after {total_seconds:,} s. {remedy}")
