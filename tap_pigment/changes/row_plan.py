"""Plans a sync of single rows: what changed since snapshots, and the snapshot that the next run compares with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.changes.bookmark import Bookmark
from tap_pigment.changes.row_diff import CurrentRows, kept_columns, number_kept_rows
from tap_pigment.changes.shrink_guard import check_shrinkage
from tap_pigment.changes.snapshot_chain import plan_comparison
from tap_pigment.changes.snapshot_file import Snapshot, read_snapshot, write_snapshot
from tap_pigment.changes.stream_run import SyncPlan
from tap_pigment.errors import SnapshotError, StoreError, counted
from tap_pigment.exports import validate
from tap_pigment.output import DeletedRows, RecordSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_pigment.changes.snapshot_chain import Comparison, Lineage
    from tap_pigment.changes.snapshot_store import SnapshotStore
    from tap_pigment.changes.stream_run import StreamRun
    from tap_pigment.exports import ExportFile, StreamDatabase
    from tap_pigment.output import RowSelection

_DELETED_ROWS_STAY = "Rows deleted since the last run stay in the target"


@dataclass(frozen=True)
class RowPlanner:
    """Plans one stream of one run.

    Attributes:
        run: The stream and the run.
        file: The export.
        database: The database.
        store: The store of snapshots.
    """

    run: StreamRun
    file: ExportFile
    database: StreamDatabase
    store: SnapshotStore

    def plan(self) -> SyncPlan:
        """Validate the export, store its snapshot, and return the plan.

        Raises:
            PigmentError: If the export is not valid or has lost too many rows, or the store fails.
        """
        named = self._named_snapshot()
        lineage = named.lineage if named else None
        comparison = plan_comparison(self._snapshot_in_state, lineage, self.store.names(self.run.name))
        if named and not comparison.others and (unchanged := self.run.unchanged_plan(self.file)):
            self._remove(comparison.obsolete)
            return unchanged
        return self._compare(named, comparison)

    def _compare(self, named: Snapshot | None, comparison: Comparison) -> SyncPlan:
        run, file = self.run, self.file
        if comparison.others:
            run.logger.warning(
                "%s: the target may have loaded rows of %s of other runs; rows that differ from them are emitted too",
                run.name,
                counted(len(comparison.others), "snapshot"),
            )
        others = [self._read(other) for other in comparison.others]
        relevant = [snapshot for snapshot in (named, *others) if snapshot]
        is_full = named is None or None in others or any(map(self._why_incomparable, relevant))

        export = validate(file, self.database, run.columns, run.key, keep=kept_columns(run.columns, run.key))
        rows = export.table.rows
        self._check_shrinkage(rows, relevant)
        occurrences = number_kept_rows(export) if run.key.is_keyless and export.may_repeat else None
        current = CurrentRows(export, run.columns, run.key, occurrences)
        changed = None if is_full else current.changed_since(relevant)
        deleted = self._deleted_rows(current, relevant)

        is_unchanged = changed is not None and not changed.rows and deleted is None
        name = self._snapshot_in_state
        if not is_unchanged or comparison.others:
            name = self._store_snapshot(current, rows, comparison.lineage)
        self._remove(comparison.obsolete)
        self._report(rows, changed, deleted)
        records = None
        if changed is None or changed.rows:
            records = RecordSet(export.table, run.columns, run.key, occurrences, changed, marks_deletions=True)
        bookmark = Bookmark(rows, snapshot=name, body=run.body_digest(file))
        return SyncPlan(file.received_at, bookmark, records, deleted)

    def _deleted_rows(self, current: CurrentRows, relevant: Sequence[Snapshot]) -> DeletedRows | None:
        """Return the deleted rows, or None if there are none; snapshots with a key of other types show none."""
        run = self.run
        identifiable = [snapshot for snapshot in relevant if snapshot.spec.key_types == run.spec.key_types]
        table, rows = current.deleted_since(identifiable)
        deleted_at = self.file.received_at.isoformat()
        return DeletedRows(self.database, table, rows, run.columns, run.key, deleted_at) if rows else None

    def _store_snapshot(self, current: CurrentRows, rows: int, lineage: Lineage) -> str:
        """Store the snapshot of the export and return its name."""
        path = self.file.path.with_suffix(".snapshot")
        write_snapshot(self.database, Snapshot(path, self.run.spec, rows, lineage), current.relation())
        return self.store.put(self.run.name, path, self.file.received_at)

    def _report(self, rows: int, changed: RowSelection | None, deleted: DeletedRows | None) -> None:
        self.run.logger.info(
            "%s: %s of %s rows to emit%s, %s deleted",
            self.run.name,
            f"{rows if changed is None else changed.rows:,}",
            f"{rows:,}",
            " (full send)" if changed is None else "",
            f"{deleted.rows if deleted else 0:,}",
        )

    @property
    def _snapshot_in_state(self) -> str | None:
        return self.run.bookmark.snapshot if self.run.bookmark else None

    def _named_snapshot(self) -> Snapshot | None:
        """Return the snapshot that the state names, or None with a line that says why it cannot be used."""
        run = self.run
        if self._snapshot_in_state:
            return self._read(self._snapshot_in_state)
        if run.bookmark and run.bookmark.rows:
            run.logger.warning(
                "%s: full send, because the last run left no snapshot. %s.", run.name, _DELETED_ROWS_STAY
            )
        else:
            run.logger.info("%s: full send, because the state names no snapshot", run.name)
        return None

    def _read(self, name: str) -> Snapshot | None:
        """Return a snapshot, or None if it is missing or damaged; report what prevents a comparison with it."""
        run = self.run
        path = self.file.path.with_suffix(f".{name}")
        try:
            self.store.fetch(run.name, name, path)
            snapshot = read_snapshot(self.database, path)
        except SnapshotError as error:
            run.logger.warning(
                "%s: full send, because a snapshot cannot be used: %s. %s.", run.name, error, _DELETED_ROWS_STAY
            )
            return None
        if reason := self._why_incomparable(snapshot):
            run.logger.warning("%s: full send, because %s.", run.name, reason)
        return snapshot

    def _why_incomparable(self, snapshot: Snapshot) -> str | None:
        """Return why rows of a snapshot cannot be compared with those of the export, or None if they can."""
        spec = self.run.spec
        reason = spec.difference(snapshot.spec)
        if reason and snapshot.spec.key_types != spec.key_types:
            return f"{reason}. {_DELETED_ROWS_STAY} under their former key; load the table again from scratch"
        if reason and snapshot.spec.maps != spec.maps:
            return f"{reason}. If maps change the key, rows stay in the target under the former one; load it again"
        return reason

    def _check_shrinkage(self, rows: int, relevant: Sequence[Snapshot]) -> None:
        previous = [snapshot.rows for snapshot in relevant] + ([self.run.bookmark.rows] if self.run.bookmark else [])
        percent = self.run.settings.max_shrink_percent
        check_shrinkage(self.run.name, rows=rows, previous_rows=max(previous, default=None), max_percent=percent)

    def _remove(self, names: Sequence[str]) -> None:
        """Remove snapshots; a failure is a warning, and the next run tries again."""
        for name in names:
            try:
                self.store.remove(self.run.name, name)
            except StoreError as error:
                self.run.logger.warning("%s: an obsolete snapshot stays: %s", self.run.name, error)
