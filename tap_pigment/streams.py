"""One block as a Singer stream."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.pagination import SinglePagePaginator
from singer_sdk.singerlib import CatalogEntry, Metadata, MetadataMapping
from singer_sdk.streams import RESTStream

from tap_pigment import engine
from tap_pigment.batches import Batches
from tap_pigment.body import TryAgainError
from tap_pigment.bookmark import next_version, read_bookmark
from tap_pigment.catalog import HOW_TO_REFRESH, selected_columns
from tap_pigment.dispatch import Dispatch
from tap_pigment.errors import FoundLateError, NotFoundError
from tap_pigment.makeup import Makeup
from tap_pigment.naming import CONTENT_HASH, DELETED_AT
from tap_pigment.outcome import map_errors
from tap_pigment.protocol import Right
from tap_pigment.schema import ChangeDetection
from tap_pigment.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import requests
    from backoff.types import Details
    from singer_sdk.authenticators import BearerTokenAuthenticator
    from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.metrics import Counter
    from singer_sdk.singerlib import RecordMessage

    from tap_pigment.bookmark import Bookmark
    from tap_pigment.client import Client
    from tap_pigment.columns import Column
    from tap_pigment.delivery import Delivery
    from tap_pigment.protocol import Call
    from tap_pigment.settings import Settings
    from tap_pigment.spool import Reception, Spool
    from tap_pigment.tap import TapPigment


class ExportStream(RESTStream[None]):
    """The export of a block, as records: fetched whole and checked before the first message is written.

    Args:
        tap: The tap.
        name: The stream's name.
        call: What exports the block.
        schema: JSON schema of the records.
        key: Names of the key's columns.
        application_id: The application's id, for the catalog.
        block_id: The block's id, for the catalog.
        is_gone: Pigment does not list the block any more.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # Cells have become what the schema says already.
    STATE_MSG_FREQUENCY = sys.maxsize  # A state before the end of an export would say nothing.

    def __init__(  # noqa: PLR0913 - the parts of a catalog entry.
        self,
        tap: TapPigment,
        name: str,
        call: Call,
        schema: dict[str, Any],
        key: Sequence[str],
        *,
        application_id: str,
        block_id: str,
        is_gone: bool = False,
    ) -> None:
        self._client: Client = tap.client
        self._settings: Settings = tap.settings
        self._take_spool: Callable[[ExportStream], Spool] = tap.take_spool
        self._call = call
        self._application_id = application_id
        self._block_id = block_id
        self._is_gone = is_gone
        self._delivery: Delivery | None = None
        self._pigment_tap = tap
        super().__init__(tap, name, schema, call.path, http_method=call.method)
        self.primary_keys = key

    # The catalog

    @property
    def metadata(self) -> MetadataMapping:
        """The stream's metadata, in which what the tap adds cannot be deselected."""
        metadata = super().metadata
        for name in (CONTENT_HASH, DELETED_AT):
            if name in self.schema["properties"]:
                metadata["properties", name].inclusion = Metadata.InclusionType.AUTOMATIC
        return metadata

    @property
    def _singer_catalog_entry(self) -> CatalogEntry:
        """The catalog entry; the block's id stands in `table_name`, so that a stream keeps its name and its block."""
        entry = super()._singer_catalog_entry
        entry.database = self._application_id
        entry.table = self._block_id
        return entry

    @property
    def replication_method(self) -> str:
        """Always FULL_TABLE: an export is a full copy, whatever a catalog asks for."""
        return "FULL_TABLE"

    # The request

    @property
    def url_base(self) -> str:
        """Where Pigment's API is."""
        return self._settings.api_url

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """What adds the key that may export."""
        return self._client.authenticator(Right.EXPORT)

    @property
    def requests_session(self) -> requests.Session:
        """The session that all streams share."""
        return self._client.session

    @property
    def timeout(self) -> int:
        """Longest silence on a connection, in seconds."""
        return self._settings.request_timeout_seconds

    @property
    def http_headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"User-Agent": self._client.user_agent}

    def get_url_params(self, context: Context | None, next_page_token: None) -> dict[str, Any]:  # noqa: ARG002
        """Return the query of the export's request."""
        return dict(self._call.params)

    def prepare_request_payload(self, context: Context | None, next_page_token: None) -> dict[str, Any] | None:  # noqa: ARG002
        """Return the body of the export's request."""
        return None if self._call.body is None else dict(self._call.body)

    def get_new_paginator(self) -> SinglePagePaginator:
        """Return a paginator over the parts of the export, of which there is one."""
        return SinglePagePaginator()

    def backoff_wait_generator(self) -> Generator[float, None, None]:
        """Return no waits: `backoff_handler` does the waiting."""
        return self._client.retry.no_waits()

    def backoff_max_tries(self) -> int:
        """Return how often an export is tried."""
        return self._client.retry.max_tries()

    def backoff_jitter(self, value: float) -> float:
        """Return the wait as it is: the jitter is in it."""
        return value

    def backoff_handler(self, details: Details) -> None:
        """Wait before the next try."""
        self._client.retry.pause(details)

    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        """Return `func` with the tap's retries: the SDK's would log the request itself at each wait."""
        return self._client.retry.decorated(
            func,
            waits=self.backoff_wait_generator,
            max_tries=self.backoff_max_tries,
            jitter=self.backoff_jitter,
            on_backoff=self.backoff_handler,
        )

    def fetch(self, *, counts_cells: bool | None = None) -> Spool:
        """Return the block's export, complete and on disk.

        Args:
            counts_cells: Whether to count its cells as they arrive; only its lines where the state names a snapshot
                that may have them, if nothing is said.

        Raises:
            PigmentError: If it cannot be had.
        """
        if self._is_gone:
            raise NotFoundError(
                f"{self.name}: the block is in the catalog and no longer in Pigment. Nothing was sent. {HOW_TO_REFRESH}"
            )
        if counts_cells is None:
            counts_cells = not self._may_know_lines
        reception = self._client.reception(self._call, counts_cells=counts_cells)
        spools: list[Spool] = []
        with self.get_http_request_counter() as counter, self._client.retry.final_errors(self._call):
            request = self.request_decorator(self._receiving(reception, spools, counter))
            paginator = self.get_new_paginator()
            while not paginator.finished:
                prepared = self._prepare_request(context=None, page=paginator)
                try:
                    paginator.advance(request(prepared, None))
                except TryAgainError as error:
                    return self._client.settled(reception, error)
        return spools[0]

    def _receiving(self, reception: Reception, spools: list[Spool], counter: Counter) -> RequestFunc:
        """Return what sends a request once and puts the body that answers it on disk."""

        def receive(prepared: requests.PreparedRequest, context: Context | None) -> requests.Response:
            counter.increment()
            response = self._client.send(prepared, self._call)
            spools.append(self._client.receive(reception, response))
            self._write_request_duration_log(self.path or "", response, context, None)
            return response

        return receive

    def parse_response(self, response: requests.Response) -> Iterator[Record]:  # noqa: ARG002
        """Yield the records of the export that is open: the response is on disk already."""
        yield from self.get_records(None)

    # The records

    def sync(self, context: Context | None = None) -> None:  # type: ignore[misc] # final, but nothing else runs before SCHEMA is written.
        """Sync the stream, once its export has arrived and been checked.

        Raises:
            PigmentError: If it has not, or is not as the catalog says; then nothing was written.
        """
        with self._pigment_tap.failing_late(self.name), self._prepared_delivery():
            self._stream_version = self._next_version()
            super().sync(context)

    @contextmanager
    def _prepared_delivery(self) -> Iterator[Delivery]:
        """Give what leaves of the export, once that has arrived and been checked."""
        engine.load()
        with ExitStack() as resources:
            try:
                delivery = self._entered_delivery(self._take_spool(self), resources)
            except FoundLateError as error:
                self.logger.warning("The export is asked for again: %s.", error.fault)
                resources.close()
                delivery = self._entered_delivery(self.fetch(counts_cells=True), resources)
            self._delivery = delivery
            try:
                yield delivery
            finally:
                self._delivery = None

    def _entered_delivery(self, spool: Spool, resources: ExitStack) -> Delivery:
        """Return what leaves of an export, which is deleted with the resources."""
        resources.callback(spool.delete)
        columns = self._selected_columns(spool.header)
        dispatch = Dispatch(
            self.name,
            columns,
            self.primary_keys,
            Makeup.of(columns, self.primary_keys, self.config),
            self._settings if self.ABORT_AT_RECORD_COUNT is None else self._settings.for_a_look(),
            self._former_bookmark(),
            self._client.user_agent,
            self.logger,
        )
        return resources.enter_context(dispatch.delivery(spool))

    @property
    def _may_know_lines(self) -> bool:
        """Whether there may be a snapshot that has most lines of the export: these need no look at their cells."""
        former = read_bookmark(self._state_before)
        return self._settings.change_detection is ChangeDetection.ROW and bool(former and former.snapshot)

    def _next_version(self) -> int | None:
        """Return the version of the records; None where none will ever be activated."""
        settings = self._settings
        if settings.emit_activate_version_messages and settings.change_detection is not ChangeDetection.ROW:
            return next_version(time.time_ns() // 1_000_000, read_bookmark(self._state_before))
        return None

    def _former_bookmark(self) -> Bookmark | None:
        """Return what the state knows of the last run."""
        state = self._state_before
        bookmark = read_bookmark(state)
        if state and not bookmark:
            self.logger.warning("The state of this stream is none that this version of the tap knows. It is ignored.")
        return bookmark

    @property
    def _state_before(self) -> dict[str, Any]:
        """The state of the stream; not `stream_state`, which leaves an entry for a stream that then fails."""
        state: dict[str, Any] = self.tap_state.get("bookmarks", {}).get(self.name, {})
        return state

    def _selected_columns(self, headers: Sequence[str]) -> tuple[Column, ...]:
        properties = self.effective_schema["properties"]
        selected = [name for name in properties if self.mask["properties", name]]
        columns, unknown = selected_columns(
            self.name, properties, selected, headers, friendly=self._settings.friendly_headers
        )
        if unknown:
            self.logger.warning(
                "Columns that the catalog does not know, left out: %s. %s", ", ".join(unknown), HOW_TO_REFRESH
            )
        return columns

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the export's records; the bookmark advances after the last of them."""
        if self._delivery is None:
            with self._prepared_delivery():
                yield from self.get_records(context)
            return
        for record in self._delivery.records():
            if self._has_maps:
                with self._map_errors(record):
                    # The SDK asks again, where its error could not be told from others.
                    self.stream_maps[0].get_filter_result(record)
            yield record
        self._advance_bookmark(self._delivery)

    def _advance_bookmark(self, delivery: Delivery) -> None:
        former = read_bookmark(self.stream_state)
        version = self._stream_version if delivery.activates else former.version if former else None
        self.stream_state.clear()
        self.stream_state.update(replace(delivery.bookmark, version=version).to_state())

    @property
    def emit_activate_version_messages(self) -> bool:
        """Never: the SDK would send it before the first record, and targets delete as soon as it comes."""
        return False

    def _write_state_message(self) -> None:
        """Write the one state of the stream, after all that it stands for."""
        if self._delivery and self._delivery.activates and self._stream_version is not None:
            self._write_activate_version_message(self._stream_version)
        super()._write_state_message()

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Do nothing: there are no such markers, and the SDK would write a state for a stream that has failed."""

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write the records: in whole blocks, unless something has to look at single ones."""
        writer = self._pigment_tap.message_writer
        if self._delivery is None or not (write_messages and isinstance(writer, BlockWriter) and self._is_plain):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        blocks = self._delivery.record_blocks(self.name, version=self._stream_version)
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            counter.with_context({})
            timer.with_context({})
            for block, rows in blocks:
                writer.write_block(block)
                counter.increment(rows)
                self._pigment_tap.exit_if_stopped()
        self._write_final_state()

    def _write_final_state(self) -> None:
        """Advance the bookmark and write the state."""
        if self._delivery:
            self._advance_bookmark(self._delivery)
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        """Return how to write BATCH files, or None for records; where records are limited in number it is these."""
        return None if self.ABORT_AT_RECORD_COUNT is not None else super().get_batch_config(config)

    def get_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> Iterator[tuple[BaseBatchFileEncoding, list[str]]]:
        """Yield the files of the export that is open, one for each message."""
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            counter.with_context(context or {})
            timer.with_context(context or {})
            if self._delivery is None or self._delivery.outlet is None:
                return
            for url, rows in Batches(self._delivery.outlet, batch_config, f"{self.tap_name}--{self.name}").write():
                counter.increment(rows)
                yield batch_config.encoding, [url]

    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        """Write the BATCH messages, and the one state after the last of them."""
        with self.get_batch_counter() as counter:
            for encoding, manifest in self.get_batches(batch_config, context):
                counter.increment()
                self._write_batch_message(encoding=encoding, manifest=manifest)
        self._write_final_state()

    @property
    def _is_plain(self) -> bool:
        """Whether records leave as they are, all of them: no map, no flattening, no limit on their number."""
        flattened = any(stream_map.flattening_enabled for stream_map in self.stream_maps)
        return not self._has_maps and not flattened and self.ABORT_AT_RECORD_COUNT is None

    @cached_property
    def _has_maps(self) -> bool:
        """Whether a record leaves otherwise than once and as it is, but for flattening."""
        return [type(stream_map) for stream_map in self.stream_maps] != [SameRecordTransform]

    def _map_errors(self, record: Record) -> AbstractContextManager[None]:
        return map_errors(self.name, is_gone=record.get(DELETED_AT) is not None) if self._has_maps else nullcontext()

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Yield a record's messages, with the time at which its export arrived."""
        with self._map_errors(record):
            for message in super()._generate_record_messages(record):
                if self._delivery:
                    message.time_extracted = self._delivery.received_at
                yield message
