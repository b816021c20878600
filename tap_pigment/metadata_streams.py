"""What Pigment lists, as Singer streams: applications, blocks and views.

They are emitted as records by the SDK, whole in each run: a few rows need neither BATCH files nor a comparison with the
last run.

Private names of the SDK in use, seen in singer-sdk 0.54.9: `_write_schema_message` and `_stream_version`.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from tap_pigment.catalog import (
    APPLICATIONS,
    BLOCKS,
    METADATA_TABLES,
    VIEWS,
    BlockStream,
    application_rows,
    block_rows,
    check_unique,
    is_metadata_entry,
    view_rows,
)
from tap_pigment.changes import Bookmark, check_shrinkage, may_activate
from tap_pigment.errors import PigmentExportError, counted
from tap_pigment.exports import in_thread
from tap_pigment.pigment_stream import PigmentStream
from tap_pigment.run_report import Stage
from tap_pigment.streams import ExportStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_pigment.catalog import BlockInventory, MetadataTable
    from tap_pigment.errors import PigmentError
    from tap_pigment.run_context import RunContext


class MetadataStream(PigmentStream):
    """One of the lists of Pigment's metadata.

    Args:
        tap: The tap.
        run: What the tap and its streams share.
        table: The stream's name, key and schema.
        read_rows: Yields all rows; they may be requested only then.
        listed_at: When Pigment listed the rows; None if that is when they are read.
        requests: How many requests that takes.
        failure: Why not all rows can be listed; None if they can.
    """

    def __init__(  # noqa: PLR0913 - the parts of a stream.
        self,
        tap: Tap,
        run: RunContext,
        table: MetadataTable,
        read_rows: Callable[[], Iterator[Record]],
        *,
        listed_at: datetime | None = None,
        requests: int = 0,
        failure: PigmentError | None = None,
    ) -> None:
        super().__init__(tap, run, table.name, deepcopy(dict(table.schema)), table.key, failure=failure)
        self._table = table
        self._read_rows = read_rows
        self._listed_at = listed_at
        self._requests = requests

    @property
    def requests(self) -> int:
        """How many requests its sync takes at least."""
        return self._requests

    def sync(self, context: Context | None = None) -> None:  # type: ignore[misc] # noqa: ARG002 - the SDK's signature. It is final there, and writes ACTIVATE_VERSION before the first record.
        """Emit all rows, once Pigment has listed them.

        Raises:
            PigmentError: If they cannot be listed; then nothing was emitted.
        """
        settings = self._run.settings
        progress = self._run.report.stream(self.name)
        with self._run.failures.of_stream(self.name), progress.syncing(), self._run.stop.checked():
            if self.failure:
                raise self.failure
            listed_at = self._listed_at or datetime.now(UTC)
            with progress.during(Stage.LISTING):
                rows = in_thread(lambda: list(islice(self._read_rows(), self.ABORT_AT_RECORD_COUNT)))
            previous = None if self._is_test else self._previous_bookmark()
            self._check(rows, previous)
            self._stream_version = self._new_version(previous)
            self._write_schema_message()
            progress.rows = len(rows)
            self._count_records((self._write_record(row, listed_at) for row in rows), progress)
            if not self._is_test:
                percent = settings.max_shrink_percent
                activates = settings.activates_versions and may_activate(rows=len(rows), max_percent=percent)
                self._write_activation_and_state(Bookmark(len(rows)), activates=activates)

    def _check(self, rows: Sequence[Record], previous: Bookmark | None) -> None:
        """Check that the rows have unique keys and have not become far fewer; warn if nothing deletes lost rows."""
        check_unique(self._table, rows)
        settings = self._run.settings
        previous_rows = previous.rows if previous else 0
        check_shrinkage(self.name, rows=len(rows), previous_rows=previous_rows, max_percent=settings.max_shrink_percent)
        if len(rows) < previous_rows and not settings.activates_versions:
            self.logger.warning(
                "%s: %s fewer than in the last run, and no ACTIVATE_VERSION is emitted. A target that merges or "
                "appends keeps the deleted rows; their _sdc_extracted_at is that of an earlier run.",
                self.name,
                counted(previous_rows - len(rows), "row"),
            )

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002 - the SDK's signature.
        """Yield all rows; `sync` does not need this."""
        yield from self._read_rows()


def metadata_streams(tap: Tap, run: RunContext, inventory: BlockInventory, listed_at: datetime) -> list[MetadataStream]:
    """Return the streams of metadata: all, or those of the given catalog.

    Args:
        tap: The tap, whose other streams `pigment_blocks` names.
        run: What the tap and its streams share.
        inventory: The applications and blocks.
        listed_at: When Pigment listed them.
    """
    catalog = tap.input_catalog

    def applications() -> Iterator[Record]:
        return application_rows(inventory.listing.applications)

    def blocks() -> Iterator[Record]:
        streams = {
            stream.block.id: BlockStream(stream.name, stream.selected, stream.failure is not None)
            for stream in tap.streams.values()
            if isinstance(stream, ExportStream)
        }
        return block_rows(inventory, streams, run.settings, has_catalog=catalog is not None)

    listed_blocks = [block for blocks in inventory.listing.blocks.values() for block in blocks]

    def views() -> Iterator[Record]:
        return view_rows(view for block in listed_blocks for view in run.client.views_of_block(block))

    failures = {name: _incomplete(name, inventory) for name in (BLOCKS, VIEWS) if inventory.listing.failures}
    rows = {
        APPLICATIONS: (applications, listed_at, 0),
        BLOCKS: (blocks, listed_at, 0),
        VIEWS: (views, None, len(listed_blocks)),
    }
    return [
        MetadataStream(
            tap,
            run,
            METADATA_TABLES[name],
            read_rows,
            listed_at=read_at,
            requests=requests,
            failure=failures.get(name),
        )
        for name, (read_rows, read_at, requests) in rows.items()
        if name in run.settings.reserved_names
        and (catalog is None or (name in catalog and is_metadata_entry(catalog[name], run.settings)))
    ]


def _incomplete(name: str, inventory: BlockInventory) -> PigmentError:
    application_id = next(iter(inventory.listing.failures))
    return PigmentExportError(
        f"{name}: its rows would be incomplete: Pigment does not list the blocks of application {application_id}. "
        "Nothing was emitted. Correct that failure first, or set application_ids to the applications that can be "
        "listed."
    )
