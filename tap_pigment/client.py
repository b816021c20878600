"""The only place that talks to Pigment: session, authenticators, pacing, backoff, spooling."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from importlib.metadata import version
from random import random
from time import monotonic
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from singer_sdk import metrics
from singer_sdk.authenticators import BearerTokenAuthenticator

from tap_pigment import protocol
from tap_pigment.body import TryAgainError
from tap_pigment.errors import PigmentExportError, RequestRefusedError
from tap_pigment.failures import failure, is_retriable, is_success, not_csv
from tap_pigment.folder import SpoolFolder
from tap_pigment.pacing import Pacer
from tap_pigment.protocol import Right
from tap_pigment.retry import Retry
from tap_pigment.sample import SAMPLE_ROWS, receive_sample
from tap_pigment.schema import ChangeDetection
from tap_pigment.settings import is_loopback
from tap_pigment.spool import Reception, Spool
from tap_pigment.transport import HTTP_2, Http2Adapter

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from tap_pigment.protocol import Application, Block, Call
    from tap_pigment.settings import Settings

_MAX_ERROR_BYTES = 1 << 14
_MAX_CONNECTIONS = 64

Answer = TypeVar("Answer")


class Client:
    """Pigment's API, for one run: one session, one pacer and one authenticator for each key, shared by all threads.

    Args:
        settings: The settings.
        logger: Where every wait is told.
        clock: The time in seconds, from whenever.
        sleep: Waits for some seconds, by the same clock; the default is cut short by `close`.
        draw: Draws a number from 0 to 1, for jitter.
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
        self._closing = threading.Event()
        self._pacer = Pacer(
            settings,
            logger,
            clock=clock,
            sleep=sleep or self._closing.wait,
            is_cancelled=self._closing.is_set,
        )
        self.retry = Retry(settings, logger, pacer=self._pacer, draw=draw)
        self.tally = self._pacer.tally
        self._folder = SpoolFolder(settings.spool_dir)
        self._unended_lines_seen = False
        self._may_hide_cuts = False
        self._lock = threading.Lock()
        self._authenticators = {
            Right.EXPORT: BearerTokenAuthenticator(token=settings.api_key),
            Right.MODELING_METADATA: BearerTokenAuthenticator(token=settings.metadata_api_key),
        }
        self.session = requests.Session()
        self.session.mount("https://", Http2Adapter())
        self.session.mount("http://", HTTPAdapter(pool_maxsize=_MAX_CONNECTIONS))
        self.user_agent = f"tap-pigment/{version('tap-pigment')}"

    def close(self) -> None:
        """Stop what is under way in other threads; what they wait for or receive ends in an error."""
        self._closing.set()
        self.session.close()

    def authenticator(self, right: Right) -> BearerTokenAuthenticator:
        """Return the authenticator with the key that has a right."""
        return self._authenticators[right]

    # Metadata

    def applications(self) -> tuple[Application, ...]:
        """Return the applications that the key can see.

        Raises:
            PigmentError: If they cannot be listed.
        """
        return protocol.read_applications(self._ask(protocol.list_applications()))

    def blocks(self, application_id: str) -> tuple[Block, ...]:
        """Return the lists, metrics and tables of an application.

        Raises:
            PigmentError: If they cannot be listed.
        """
        return protocol.read_blocks(self._ask(protocol.list_blocks(application_id)), application_id)

    def views(self, application_id: str, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        """Return the views of an application: asked for at once, or block by block where Pigment insists on it.

        Raises:
            PigmentError: If they cannot be listed.
        """
        try:
            answers = [self._ask(protocol.list_views(application_id))]
        except RequestRefusedError:
            answers = [self._ask(protocol.list_views(application_id, block.id)) for block in blocks]
        views = [view for answer in answers for view in protocol.read_views(answer, application_id)]
        return tuple({view.id: view for view in views}.values())

    def _ask(self, call: Call) -> object:
        """Return the JSON that answers a call."""

        def ask() -> object:
            response = self.send(self.prepared(call), call)
            with self.tally.counted_body(response):
                try:
                    return response.json()
                except requests.JSONDecodeError:
                    problem = not_csv(response.headers.get("Content-Type", ""), response.content)
                    raise TryAgainError(
                        PigmentExportError(
                            f"While {call.purpose}: the answer is not JSON"
                            + (f": {problem}." if problem else ". Check api_url.")
                        ),
                        response,
                    ) from None

        return self._answer(ask, call, phase="metadata")

    def _answer(self, ask: Callable[[], Answer], call: Call, *, phase: str) -> Answer:
        """Return what `ask` returns, every try counted."""
        with metrics.http_request_counter(phase, endpoint=call.path) as counter, self.retry.final_errors(call):

            def counted() -> Answer:
                counter.increment()
                return ask()

            return self.retry.decorated(counted)()

    # Exports

    def sample(self, call: Call, *, rows: int = SAMPLE_ROWS) -> Spool:
        """Return an export's header and first rows; the connection is closed as soon as they have come.

        Raises:
            PigmentError: If they do not come, or are no CSV.
        """

        def sample() -> Spool:
            response = self.send(self.prepared(call), call)
            with self.tally.counted_body(response):
                return receive_sample(response, datetime.now(UTC), call, self._folder, rows=rows)

        return self._answer(sample, call, phase="discovery")

    def reception(self, call: Call, *, counts_cells: bool = True) -> Reception:
        """Return what receives the tries at an export, and counts its cells or only its lines."""
        return Reception(
            call,
            self._folder,
            is_hashed=self._settings.change_detection is not ChangeDetection.NONE,
            counts_cells=counts_cells,
            is_cancelled=self._closing.is_set,
        )

    def receive(self, reception: Reception, response: requests.Response) -> Spool:
        """Return the body of an export's response, complete and on disk.

        Raises:
            TryAgainError: If it is not complete.
        """
        with self.tally.counted_body(response):
            received_at = datetime.now(UTC)
            return reception.receive(response, received_at, line_end_expected=not self._unended_lines_seen)

    def settled(self, reception: Reception, error: TryAgainError) -> Spool:
        """Return the export that all tries agree on, but for its last line end; else raise the last try's error.

        Raises:
            TryAgainError: The last try's error.
        """
        spool = reception.accepted_without_line_end()
        if spool is None:
            reception.forget()
            raise error
        with self._lock:
            if not self._unended_lines_seen:
                self._logger.warning(
                    "Pigment does not end the last line of an export: all tries ended at the same byte. Exports "
                    "without it are taken for complete from here on."
                )
            self._unended_lines_seen = True
        return spool

    # One request

    def prepared(self, call: Call) -> requests.PreparedRequest:
        """Return a call as a request, without its key."""
        request = requests.Request(
            call.method,
            self._settings.api_url + call.path,
            headers={"User-Agent": self.user_agent},
            params=dict(call.params),
            json=call.body,
            auth=self.authenticator(call.right),
        )
        return self.session.prepare_request(request)

    def send(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        """Send a request once, when its turn has come, and return the response, its body still to be read.

        Raises:
            TryAgainError: If another try may succeed.
            PigmentError: If none will.
            requests.RequestException: If there is no answer.
        """
        self._pacer.wait_for_turn()
        if self._closing.is_set():
            raise PigmentExportError(f"While {call.purpose}: the run was stopped.")
        # Session.send does not look at REQUESTS_CA_BUNDLE by itself.
        environment = self.session.merge_environment_settings(request.url, {}, stream=True, verify=None, cert=None)
        self.tally.count_request()
        response = self.session.send(
            request, timeout=self._settings.request_timeout_seconds, allow_redirects=False, **environment
        )
        if is_success(response.status_code):
            self._warn_of_hidden_cuts(response)
            return response
        with self.tally.counted_body(response):
            text = response.raw.read(_MAX_ERROR_BYTES, decode_content=True).decode("utf-8", "replace")
        error = failure(
            call,
            response.status_code,
            text,
            response.headers.get("Location", ""),
            keys=(self._settings.api_key, self._settings.metadata_api_key),
        )
        if is_retriable(response.status_code):
            raise TryAgainError(error, response)
        raise error

    def _warn_of_hidden_cuts(self, response: requests.Response) -> None:
        """Say once that an export which fails half-way may look like a short one: HTTP/1.1 has no word for it."""
        if response.raw.version == HTTP_2 or is_loopback(urlsplit(self._settings.api_url).hostname or ""):
            return
        with self._lock:
            if not self._may_hide_cuts:
                self._logger.warning(
                    "%s answers in HTTP/1.1, in which an export that fails half-way may be cut without notice. Each is "
                    "checked for its end all the same. If a proxy is on the way, let HTTP/2 pass through it.",
                    self._settings.api_url,
                )
            self._may_hide_cuts = True
