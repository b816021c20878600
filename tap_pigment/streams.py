"""One block as a Singer stream.

The stream is no `RESTStream`: that reads a response into memory and emits records while it reads, whereas an export is
on disk and validated before its first message. Requests, with the SDK's authenticator and `backoff`, are the client's.

Private names of the SDK in use, seen in singer-sdk 0.54.9: `_generate_record_messages`, `_write_schema_message`,
`_write_activate_version_message`, `_write_batch_message`, `_singer_catalog_entry`, `_stream_version`, `_tap`, and
`helpers._batch.BatchConfig`.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib import CatalogEntry, Metadata, MetadataMapping

from tap_pigment.catalog import HOW_TO_REFRESH, export_request, selected_columns
from tap_pigment.changes import RecordSpec, StreamRun, keyless_notice, next_version, plan_sync, read_bookmark
from tap_pigment.columns import CONTENT_HASH, DELETED_AT, RowKey
from tap_pigment.exports import nul_warning, preload
from tap_pigment.output import (
    BlockWriter,
    FlatStateMessage,
    deletion_blocks,
    record_blocks,
    with_exact_numbers,
    write_batch_files,
)
from tap_pigment.pagination import ExportPartsPaginator
from tap_pigment.redaction import PRINTABLE_RECORDS
from tap_pigment.run_report import Result, Stage
from tap_pigment.settings import ChangeDetection
from tap_pigment.stream_failures import map_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record

    from tap_pigment.catalog import StreamSource
    from tap_pigment.changes import Bookmark, SyncPlan
    from tap_pigment.columns import Column
    from tap_pigment.errors import PigmentError
    from tap_pigment.exports import ExportFile
    from tap_pigment.run_context import RunContext
    from tap_pigment.run_report import StreamProgress


class ExportStream(Stream):
    """The export of a block: downloaded and validated as a whole before the first message is written.

    Args:
        tap: The tap.
        run: What the tap and its streams share.
        source: The block, with the stream's name and settings.
        schema: The JSON schema of the records.
        key: The Singer primary key.
        failure: The error that ends the stream when it is synced, such as one in its settings; None if there is none.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # Cells have the types of the schema already.

    def __init__(  # noqa: PLR0913 - the parts of a catalog entry.
        self,
        tap: Tap,
        run: RunContext,
        source: StreamSource,
        schema: dict[str, Any],
        key: Sequence[str],
        *,
        failure: PigmentError | None = None,
    ) -> None:
        super().__init__(tap, schema, source.name)
        self.logger.addFilter(PRINTABLE_RECORDS)
        self._run = run
        self._source = source
        self._requests = [export_request(source, run.settings)]
        self.failure = failure
        self.primary_keys = key

    # The catalog

    @property
    def metadata(self) -> MetadataMapping:
        """The stream's metadata, in which the columns that the tap adds cannot be deselected."""
        metadata = super().metadata
        for name in (CONTENT_HASH, DELETED_AT):
            if name in self.schema["properties"]:
                metadata["properties", name].inclusion = Metadata.InclusionType.AUTOMATIC
        return metadata

    @property
    def _singer_catalog_entry(self) -> CatalogEntry:
        """The catalog entry; its `table_name` is the block's id, so that stream and block stay together."""
        entry = super()._singer_catalog_entry
        entry.database = self._source.block.application_id
        entry.table = self._source.block.id
        return entry

    @property
    def replication_method(self) -> str:
        """Always FULL_TABLE: an export is a full copy, whatever a catalog asks for."""
        return "FULL_TABLE"

    @property
    def emitted_names(self) -> tuple[str, ...]:
        """The names of the streams that are emitted: stream maps may rename a stream, copy it, or remove it."""
        removed = RemoveRecordTransform
        return tuple(stream_map.stream_alias for stream_map in self.stream_maps if not isinstance(stream_map, removed))

    def report_discovery(self) -> None:
        """Report what the user should know of the stream once it is in the catalog."""
        if self.failure:
            self.logger.warning("%s Until then, each sync fails this stream.", self.failure)
        compares_rows = self._run.settings.change_detection is ChangeDetection.ROW
        if RowKey.from_primary_key(self.primary_keys).is_keyless and not compares_rows:
            self.logger.info("%s", keyless_notice(self.name))

    # The download

    def get_new_paginator(self) -> ExportPartsPaginator:
        """Return a paginator over the parts of the export."""
        return ExportPartsPaginator(len(self._requests))

    def download(self) -> ExportFile:
        """Return the block's export, complete and on disk.

        Raises:
            PigmentError: If no try succeeds.
        """
        if self.failure:
            raise self.failure
        progress = self._run.report.stream(self.name)
        paginator = self.get_new_paginator()
        files = []
        with progress.downloading():
            while not paginator.finished:
                file = self._run.downloader.download(self._requests[paginator.current_value], progress)
                files.append(file)
                paginator.advance(file.response)
        [export] = files  # An export has one part.
        return export

    # The sync

    def sync(self, context: Context | None = None) -> None:  # type: ignore[misc] # noqa: ARG002 - the SDK's signature. It is final there, and writes SCHEMA before a record is known.
        """Emit what the plan says, once the export is validated.

        Raises:
            PigmentError: If the export does not arrive or is not valid; then nothing was emitted.
        """
        progress = self._run.report.stream(self.name)
        with (
            self._run.failures.collected(self.name),
            progress.syncing(),
            self._run.stop.checked(),
            self._planned() as plan,
        ):
            if plan.is_unchanged:
                progress.result = Result.UNCHANGED
            else:
                self._emit(plan, progress)
            if not self._is_test:
                if plan.activates and self._stream_version is not None:
                    self._write_activate_version_message(self._stream_version)
                self._write_state(plan)

    @contextmanager
    def _planned(self) -> Iterator[SyncPlan]:
        """Give the plan of what to emit; the export is deleted at the end."""
        preload()
        file = self._run.prefetcher.take(self)
        try:
            columns = self._selected_columns(file.header)
            key = RowKey.from_primary_key(self.primary_keys)
            settings = self._run.settings
            run = StreamRun(
                self.name,
                columns,
                key,
                RecordSpec.of(columns, key, self.config),
                settings.for_connection_test() if self._is_test else settings,
                None if self._is_test else self._previous_bookmark(),
                self._run.client.user_agent,
                self._run.session,
                None if self._is_test else self._run.store,
                self.logger,
            )
            with self._plan(run, file) as plan:
                self._stream_version = self._new_version(run)
                names = run.names if self._tap.input_catalog is None else {}
                yield replace(plan, bookmark=replace(plan.bookmark, types=run.types, names=names))
        finally:
            file.delete()

    @contextmanager
    def _plan(self, run: StreamRun, file: ExportFile) -> Iterator[SyncPlan]:
        with ExitStack() as stack:
            with self._run.report.stream(self.name).during(Stage.VALIDATING):
                plan = stack.enter_context(plan_sync(run, file))
            yield plan

    def _selected_columns(self, header: Sequence[str]) -> tuple[Column, ...]:
        properties = self.effective_schema["properties"]
        selected = [name for name in properties if self.mask["properties", name]]
        columns, unknown = selected_columns(
            self.name,
            properties,
            selected,
            header,
            friendly=self._source.has_friendly_headers(self._run.settings),
        )
        if unknown:
            self.logger.warning(
                "%s: columns that are not in the catalog are skipped: %s. %s",
                self.name,
                ", ".join(unknown),
                HOW_TO_REFRESH,
            )
        return columns

    def _previous_bookmark(self) -> Bookmark | None:
        """Return the bookmark of the last run, or None if there is none of a known format."""
        # Not `stream_state`, which leaves an entry for a stream that then fails.
        state: dict[str, Any] = self.tap_state.get("bookmarks", {}).get(self.name, {})
        bookmark = read_bookmark(state)
        if state and not bookmark:
            self.logger.warning("%s: ignoring a bookmark of unknown format; sending all rows", self.name)
        return bookmark

    def _new_version(self, run: StreamRun) -> int | None:
        """Return the version of the records, or None if none will ever be activated."""
        if run.settings.activates_versions and not self._is_test:
            return next_version(time.time_ns() // 1_000_000, run.bookmark)
        return None

    def _emit(self, plan: SyncPlan, progress: StreamProgress) -> None:
        """Write SCHEMA, and then the rows as RECORD or BATCH messages."""
        if plan.records and (warning := nul_warning(plan.records.table, plan.records.columns)):
            self.logger.warning("%s", warning)
        self._write_schema_message()
        batch_config = None if self._is_test else self.get_batch_config(self.config)
        progress.rows = sum(rows.rows for rows in (plan.records, plan.deleted) if rows)
        progress.deleted_rows = plan.deleted_rows
        with (
            self.get_record_counter() as counter,
            self.get_sync_timer() as timer,
            progress.during(Stage.EMITTING),
        ):
            counter.with_context({})
            counter.log_interval = math.inf  # One metric with the total, and no parts of it before.
            timer.with_context({})
            if batch_config:
                written = self._write_batches(plan, batch_config)
            elif self._needs_no_record_path and isinstance(self._tap.message_writer, BlockWriter):
                written = self._write_blocks(plan, self._tap.message_writer)
            else:
                written = self._write_records(plan)
            for rows in written:
                counter.increment(rows)
                progress.emitted_rows += rows
                self._run.stop.exit_if_made()

    def _write_blocks(self, plan: SyncPlan, writer: BlockWriter) -> Iterator[int]:
        """Write RECORD messages in blocks, and yield the number of rows of each."""
        message: dict[str, Any] = {"type": "RECORD", "stream": self.name, "record": "\0"}
        if self._stream_version is not None:
            message["version"] = self._stream_version
        message["time_extracted"] = plan.received_at.isoformat()
        before, after = json.dumps(message, separators=(",", ":")).split(json.dumps("\0"))
        blocks = chain(
            record_blocks(plan.records, before=before, after=after) if plan.records else (),
            deletion_blocks(plan.deleted, before=before, after=after) if plan.deleted else (),
        )
        for block, rows in blocks:
            writer.write_block(block)
            yield rows

    def _write_records(self, plan: SyncPlan) -> Iterator[int]:
        """Write RECORD messages one by one, through stream maps and flattening, and yield how many a row became."""
        for record in islice(_records(plan), self.ABORT_AT_RECORD_COUNT):
            with self._map_errors(record):
                messages = list(self._generate_record_messages(record))
            for message in messages:
                message.time_extracted = plan.received_at
                message.record = with_exact_numbers(message.record)
                self._tap.write_message(message)
            yield len(messages)

    def _write_batches(self, plan: SyncPlan, batch_config: BatchConfig) -> Iterator[int]:
        """Write BATCH messages, one for each file, and yield the number of rows of each."""
        if plan.records is None:
            return
        with self.get_batch_counter() as counter:
            for url, rows in write_batch_files(plan.records, batch_config, f"{self.tap_name}--{self.name}"):
                self._write_batch_message(batch_config.encoding, [url])
                counter.increment()
                yield rows

    def _write_state(self, plan: SyncPlan) -> None:
        """Write the one STATE of the stream, after everything that it stands for."""
        bookmarks = self.tap_state.setdefault("bookmarks", {})
        previous = read_bookmark(bookmarks.get(self.name, {}))
        version = self._stream_version if plan.activates else previous.version if previous else None
        bookmarks[self.name] = replace(plan.bookmark, version=version).to_state()
        # Not the SDK's writer, which compares and copies the bookmarks of all streams each time.
        self._tap.write_message(FlatStateMessage(self.tap_state))

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002 - the SDK's signature.
        """Yield the records of the export, downloaded and validated first; `sync` does not need this."""
        with self._planned() as plan:
            yield from _records(plan)

    @property
    def _is_test(self) -> bool:
        """Whether `--test` limits the number of records."""
        return self.ABORT_AT_RECORD_COUNT is not None

    @property
    def _needs_no_record_path(self) -> bool:
        """Whether records leave unchanged and without a limit on their number."""
        flattened = any(stream_map.flattening_enabled for stream_map in self.stream_maps)
        return not (self._has_maps or flattened or self._is_test)

    @cached_property
    def _has_maps(self) -> bool:
        """Whether stream maps may change, drop or multiply records."""
        return [type(stream_map) for stream_map in self.stream_maps] != [SameRecordTransform]

    def _map_errors(self, record: Record) -> AbstractContextManager[None]:
        return map_errors(self.name, is_deleted=record.get(DELETED_AT) is not None) if self._has_maps else nullcontext()


def _records(plan: SyncPlan) -> Iterator[Record]:
    return chain(plan.records.records() if plan.records else (), plan.deleted.records() if plan.deleted else ())
