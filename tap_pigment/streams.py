"""One block as a Singer stream.

The stream is no `RESTStream`: that reads a response into memory and emits records while it reads, whereas an export is
on disk and validated before its first message. Requests, with the SDK's authenticator and `backoff`, are the client's.

Private names of the SDK in use, seen in singer-sdk 0.54.9: `_write_schema_message`, `_generate_schema_messages`,
`_write_batch_message`, `_singer_catalog_entry`, `_stream_version`, `_tap`, and `helpers._batch.BatchConfig`.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import CatalogEntry, Metadata, MetadataMapping

from tap_pigment.catalog import (
    HOW_TO_REFRESH,
    export_request,
    narrowed_export,
    repeated_header_warning,
    selected_columns,
)
from tap_pigment.changes import RecordSpec, StreamRun, changed_key_warning, keyless_notice, plan_sync
from tap_pigment.columns import CONTENT_HASH, DELETED_AT, RowKey, with_nullable_columns
from tap_pigment.errors import RequestRefusedError, SpoolError
from tap_pigment.exports import JoinedParts, PostponedError, nul_warning, overlap_warning, preload
from tap_pigment.output import BlockWriter, deletion_blocks, record_blocks, write_batch_files
from tap_pigment.pagination import ExportPartsPaginator
from tap_pigment.pigment import BlockType
from tap_pigment.pigment_stream import PigmentStream
from tap_pigment.run_report import Result, Stage
from tap_pigment.settings import ChangeDetection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record

    from tap_pigment.catalog import NarrowedExport, StreamSource
    from tap_pigment.changes import Bookmark, SyncPlan
    from tap_pigment.columns import Column
    from tap_pigment.errors import PigmentError
    from tap_pigment.exports import ExportFile
    from tap_pigment.pigment import Block
    from tap_pigment.run_context import RunContext
    from tap_pigment.run_report import StreamProgress


class ExportStream(PigmentStream):
    """The export of a block: downloaded and validated as a whole before the first message is written.

    Args:
        tap: The tap.
        run: What the tap and its streams share.
        source: The block, with the stream's name and settings.
        schema: The JSON schema of the records.
        key: The Singer primary key.
        failure: The error that ends the stream when it is synced, such as one in its settings; None if there is none.
    """

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
        super().__init__(tap, run, source.name, schema, key, failure=failure)
        self._source = source
        self._part_names = source.override.part_names

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
    def block(self) -> Block:
        """The block that the stream extracts."""
        return self._source.block

    def report_discovery(self) -> None:
        """Report what the user should know of the stream once it is in the catalog."""
        super().report_discovery()
        compares_rows = self._run.settings.change_detection is ChangeDetection.ROW
        if RowKey.from_primary_key(self.primary_keys).is_keyless and not compares_rows:
            self.logger.info("%s", keyless_notice(self.name))

    # The download

    @property
    def requests(self) -> int:
        """How many requests its sync takes at least: one for each part of the export."""
        return len(self._part_names)

    def get_new_paginator(self) -> ExportPartsPaginator:
        """Return a paginator over the parts of the export."""
        return ExportPartsPaginator(len(self._part_names))

    def download(self) -> ExportFile:
        """Return the block's export, complete and on disk: of a list, without deselected properties if Pigment can.

        Raises:
            PigmentError: If no try of a part succeeds, or the parts do not fit together.
            PostponedError: If other streams come first, and there is no room on the disk beside their exports.
        """
        if self.failure:
            raise self.failure
        progress = self._run.report.stream(self.name)
        properties = self.effective_schema["properties"]
        selected = self._selected_names(properties)
        narrowed = narrowed_export(self._source, properties, selected, self._run.settings)
        try:
            with progress.downloading():
                file = self._download_narrowed(narrowed, progress) if narrowed else None
                return file or self._download_parts(None, progress)
        except BaseException as error:
            self._run.room.release(self.name)
            # A disk that is full now may have room when its turn comes.
            is_full = isinstance(error, SpoolError) and self._run.room.is_ahead(self.name)
            if not (is_full or isinstance(error, PostponedError)):
                raise
            self.logger.info("%s: export postponed: those of other streams take the room on the disk", self.name)
            raise PostponedError from None

    def _download_narrowed(self, narrowed: NarrowedExport, progress: StreamProgress) -> ExportFile | None:
        """Return a list's export without its deselected properties, or None if Pigment does not give that."""
        try:
            file = self._download_parts(narrowed.properties, progress)
        except RequestRefusedError as error:
            if not error.is_about_body:
                raise
            self.logger.info(
                "%s: Pigment refuses the request for only the selected columns; requesting all columns", self.name
            )
            return None
        if missing := narrowed.header.difference(file.header):
            file.delete()
            self.logger.info(
                "%s: the export of only the selected columns lacks %s; requesting all columns",
                self.name,
                ", ".join(sorted(missing)),
            )
            return None
        return file

    def _download_parts(self, properties: Sequence[str] | None, progress: StreamProgress) -> ExportFile:
        """Return the export with some properties of a list, or with all columns."""
        paginator = self.get_new_paginator()
        with JoinedParts(self.name, self._run.client) as export:
            while not paginator.finished:
                number = paginator.current_value
                request = export_request(self._source, self._run.settings, number, properties)
                progress.begin_part(number + 1, len(self._part_names))
                part = self._run.downloader.download(request, progress)
                export.add(part, self._part_names[number], request)
                paginator.advance(part.response)
            return export.file()

    # The sync

    def sync(self, context: Context | None = None) -> None:  # type: ignore[misc] # noqa: ARG002 - the SDK's signature. It is final there, and writes SCHEMA before a record is known.
        """Emit what the plan says, once the export is validated.

        Raises:
            PigmentError: If the export does not arrive or is not valid; then nothing was emitted.
        """
        progress = self._run.report.stream(self.name)
        with (
            self._run.failures.of_stream(self.name),
            progress.syncing(),
            self._run.stop.checked(),
            self._planned() as plan,
        ):
            if plan.is_unchanged:
                progress.result = Result.UNCHANGED
            else:
                self._emit(plan, progress)
            if not self._is_test:
                self._write_activation_and_state(plan.bookmark, activates=plan.activates)

    @contextmanager
    def _planned(self) -> Iterator[SyncPlan]:
        """Give the plan of what to emit; the export is deleted at the end."""
        preload()
        with self._run.room.syncing(self.name):
            file = self._run.prefetcher.take(self, on_wait=self._run.states.write_if_due)
            try:
                run = self._stream_run(file)
                with self._plan(run, file) as plan:
                    self._stream_version = self._new_version(run.bookmark)
                    yield replace(plan, bookmark=self._completed(plan.bookmark, run))
            finally:
                file.delete()

    def _stream_run(self, file: ExportFile) -> StreamRun:
        """Return what planning needs to know of the stream and of this run."""
        columns = self._selected_columns(file.header)
        key = RowKey.from_primary_key(self.primary_keys)
        settings = self._run.settings
        return StreamRun(
            name=self.name,
            columns=columns,
            key=key,
            spec=RecordSpec.of(columns, key, self.config),
            settings=settings.for_test_run() if self._is_test else settings,
            bookmark=None if self._is_test else self._previous_bookmark(),
            tap_version=self._run.client.user_agent,
            session=self._run.session,
            store=None if self._is_test else self._run.store,
            logger=self.logger,
        )

    def _completed(self, bookmark: Bookmark, run: StreamRun) -> Bookmark:
        """Return a bookmark with what discovery needs in the next run; warn if the key is not that of the last one."""
        if self._tap.input_catalog is not None:
            return replace(bookmark, types=run.types)
        has_dimensions = self._source.block.type in {BlockType.TABLE, BlockType.METRIC}
        key = run.key_digest if has_dimensions else None
        previous = run.bookmark.key if run.bookmark else None
        if previous not in {None, key} and run.store is None:  # A snapshot shows it too.
            self.logger.warning("%s", changed_key_warning(self.name, run.key.primary_key))
        return replace(bookmark, types=run.types, names=run.names, key=key)

    @contextmanager
    def _plan(self, run: StreamRun, file: ExportFile) -> Iterator[SyncPlan]:
        with ExitStack() as stack:
            with self._run.report.stream(self.name).during(Stage.VALIDATING):
                plan = stack.enter_context(plan_sync(run, file))
            yield plan

    def _selected_names(self, properties: Iterable[str]) -> list[str]:
        return [name for name in properties if self.mask["properties", name]]

    def _selected_columns(self, header: Sequence[str]) -> tuple[Column, ...]:
        properties = self.effective_schema["properties"]
        selected = self._selected_names(properties)
        columns, unknown = selected_columns(
            self.name,
            properties,
            selected,
            header,
            friendly=self._source.has_friendly_headers(self._run.settings),
        )
        if repeated := repeated_header_warning(self.name, header, columns):
            self.logger.warning("%s", repeated)
        if unknown:
            self.logger.warning(
                "%s: columns that are not in the catalog are skipped: %s. %s",
                self.name,
                ", ".join(unknown),
                HOW_TO_REFRESH,
            )
        return columns

    def _emit(self, plan: SyncPlan, progress: StreamProgress) -> None:
        """Write SCHEMA, and then the rows as RECORD or BATCH messages."""
        if records := plan.records:
            for warning in (
                nul_warning(records.table, records.columns),
                overlap_warning(records.table, records.columns, records.occurrences),
            ):
                if warning:
                    self.logger.warning("%s", warning)
        self._write_schema_message()
        batch_config = None if self._is_test else self.get_batch_config(self.config)
        progress.rows = sum(rows.rows for rows in (plan.records, plan.deleted) if rows)
        progress.deleted_rows = plan.deleted_rows
        if batch_config:
            written = self._write_batches(plan, batch_config)
        elif self._needs_no_record_path and isinstance(self._tap.message_writer, BlockWriter):
            written = self._write_blocks(plan, self._tap.message_writer)
        else:
            written = self._write_records(plan)
        self._count_records(written, progress)

    def _write_schema_message(self) -> None:
        """Write SCHEMA; with `row`, every column outside of the key may be null, as it is in deleted rows."""
        for message in self._generate_schema_messages():
            if self._run.settings.change_detection is ChangeDetection.ROW:
                message.schema = with_nullable_columns(message.schema, message.key_properties or ())
            self._tap.write_message(message)

    def _write_blocks(self, plan: SyncPlan, writer: BlockWriter) -> Iterator[int]:
        """Write RECORD messages in blocks, and yield the number of rows of each."""
        message: dict[str, Any] = {"type": "RECORD", "stream": self.name, "record": "\0"}
        if self._stream_version is not None:
            message["version"] = self._stream_version
        message["time_extracted"] = plan.received_at.isoformat()
        before, after = json.dumps(message, separators=(",", ":")).split(json.dumps("\0"))
        # Deleted rows first, as in `_records`.
        blocks = chain(
            deletion_blocks(plan.deleted, before=before, after=after) if plan.deleted else (),
            record_blocks(plan.records, before=before, after=after) if plan.records else (),
        )
        for block, rows in blocks:
            writer.write_block(block)
            yield rows

    def _write_records(self, plan: SyncPlan) -> Iterator[int]:
        """Write RECORD messages one by one, through stream maps and flattening, and yield how many a row became."""
        for record in islice(_records(plan), self.ABORT_AT_RECORD_COUNT):
            yield self._write_record(record, plan.received_at)

    def _write_batches(self, plan: SyncPlan, batch_config: BatchConfig) -> Iterator[int]:
        """Write BATCH messages, one for each file, and yield the number of rows of each."""
        if plan.records is None:
            return
        with self.get_batch_counter() as counter:
            for url, rows in write_batch_files(plan.records, batch_config, f"{self.tap_name}--{self.name}"):
                self._write_batch_message(batch_config.encoding, [url])
                counter.increment()
                yield rows

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002 - the SDK's signature.
        """Yield the records of the export, downloaded and validated first; `sync` does not need this."""
        with self._planned() as plan:
            yield from _records(plan)

    @property
    def _needs_no_record_path(self) -> bool:
        """Whether records leave unchanged and without a limit on their number."""
        flattened = any(stream_map.flattening_enabled for stream_map in self.stream_maps)
        return not (self._has_maps or flattened or self._is_test)


def _records(plan: SyncPlan) -> Iterator[Record]:
    """Return the records of a plan, those of deleted rows first.

    A target, or a stream map, may take two keys for one, such as `Acme` and `acme`. Then the row that exists must be
    the last one that it loads.
    """
    return chain(plan.deleted.records() if plan.deleted else (), plan.records.records() if plan.records else ())
