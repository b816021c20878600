"""One stream in one run: what a plan is made from, and what it consists of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.changes.record_spec import digest_of
from tap_pigment.columns import ColumnType, snake_case
from tap_pigment.settings import ChangeDetection

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from datetime import datetime

    from tap_pigment.changes.bookmark import Bookmark
    from tap_pigment.changes.record_spec import RecordSpec
    from tap_pigment.changes.snapshot_store import SnapshotStore
    from tap_pigment.columns import Column, RowKey
    from tap_pigment.exports import DuckDBSession, ExportFile
    from tap_pigment.output import DeletedRows, RecordSet
    from tap_pigment.settings import Settings

_BODY_CHARACTERS = 32
_KEY_CHARACTERS = 16


@dataclass(frozen=True)
class StreamRun:
    """One stream in one run.

    Attributes:
        name: The stream's name.
        columns: The selected columns.
        key: The key.
        spec: How records are made of rows.
        settings: The settings.
        bookmark: The bookmark of the last run; None if there is none.
        tap_version: The tap's name and version: another version compares every export again.
        session: DuckDB.
        store: The store of snapshots; None without `change_detection: row`.
        logger: Reports what is not emitted, and why all rows are.
    """

    name: str
    columns: Sequence[Column]
    key: RowKey
    spec: RecordSpec
    settings: Settings
    bookmark: Bookmark | None
    tap_version: str
    session: DuckDBSession
    store: SnapshotStore | None
    logger: logging.Logger

    @property
    def previous_rows(self) -> int | None:
        """The number of rows of the last run's export; None if unknown."""
        return self.bookmark.rows if self.bookmark else None

    @property
    def types(self) -> dict[str, ColumnType]:
        """The type of each column that has one other than text; columns that are not selected keep theirs."""
        selected = {column.name: column.type for column in self.columns}
        previous = self.bookmark.types if self.bookmark else {}
        return {name: kind for name, kind in {**previous, **selected}.items() if kind is not ColumnType.TEXT}

    @property
    def key_digest(self) -> str:
        """A digest of the names of the key columns, in any order."""
        return digest_of(sorted(self.key.primary_key))[:_KEY_CHARACTERS]

    @property
    def names(self) -> dict[str, str]:
        """The names that differ from their headers, or that a display name may become, by header.

        Columns that are missing now keep theirs, unless another column has taken it.
        """
        counts = Counter(column.header for column in self.columns)
        found = {
            column.header: column.name
            for column in self.columns
            if column.name != column.header or column.name == snake_case(column.name)
        }
        previous = self.bookmark.names if self.bookmark else {}
        taken = {column.name.casefold() for column in self.columns}
        kept = {header: name for header, name in previous.items() if name.casefold() not in taken}
        # Nothing tells columns with the same header apart in the next run.
        return {header: name for header, name in {**kept, **found}.items() if counts[header] <= 1}

    def body_digest(self, file: ExportFile) -> str | None:
        """Return a digest of an export's bytes and of how records are made of them; None without `change_detection`."""
        if self.settings.change_detection is ChangeDetection.NONE:
            return None
        activates = self.settings.activates_versions
        parts = [self.tap_version, self.settings.change_detection, activates, self.spec.digest, file.sha256]
        return digest_of(parts)[:_BODY_CHARACTERS]

    def unchanged_plan(self, file: ExportFile) -> SyncPlan | None:
        """Return the plan for an export that is the same as the last one, to the byte; None if it is not."""
        body = self.body_digest(file)
        if body is None or self.bookmark is None or self.bookmark.body != body:
            return None
        self.logger.info("%s: unchanged since the last run, to the byte; no records emitted", self.name)
        return SyncPlan(file.received_at, self.bookmark)


@dataclass(frozen=True)
class SyncPlan:
    """What a sync emits.

    Attributes:
        received_at: When the export began to arrive.
        bookmark: The bookmark of the state that follows.
        records: The rows to emit; None for none.
        deleted: The deleted rows to emit; None for none.
        activates: Whether ACTIVATE_VERSION follows.
    """

    received_at: datetime
    bookmark: Bookmark
    records: RecordSet | None = None
    deleted: DeletedRows | None = None
    activates: bool = False

    @property
    def deleted_rows(self) -> int | None:
        """The number of deleted rows to emit; None where rows are not compared."""
        if self.deleted is not None:
            return self.deleted.rows
        return None if self.bookmark.snapshot is None else 0

    @property
    def is_unchanged(self) -> bool:
        """Whether only a state is emitted."""
        return self.records is None and self.deleted is None
