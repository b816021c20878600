"""Row by row: what has changed since the snapshot that the state names, and the snapshot that the next state will name.

A run writes a new snapshot under a new name, and only its state makes that the one to compare with. If the target
failed, its state still names the old one, and the changes are sent again; what such a run may have sent is known from
the snapshot that it has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.bookmark import Bookmark
from tap_pigment.changes import Changes
from tap_pigment.columns import KEYLESS
from tap_pigment.deletions import Deletions
from tap_pigment.delivery import Delivery
from tap_pigment.errors import SnapshotError
from tap_pigment.former import Snapshot, read_snapshot
from tap_pigment.guard import check_shrinkage
from tap_pigment.outlet import Outlet
from tap_pigment.snapshots import SnapshotStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_pigment.difference import Difference
    from tap_pigment.dispatch import Dispatch
    from tap_pigment.export import Export

_NOT_TOLD = "Rows that have gone since the last run cannot be told from here, and stay downstream as they are"


class RowComparison:
    """An export that is checked and compared with the snapshot that the state names.

    Args:
        dispatch: The run of the stream.
        export: The export.

    Raises:
        SnapshotError: If the store's address is none.
    """

    def __init__(self, dispatch: Dispatch, export: Export) -> None:
        self._dispatch = dispatch
        self._export = export
        self._known = dispatch.former or Bookmark(0)
        self._logger = dispatch.logger
        self._store = SnapshotStore(dispatch.settings.snapshot_uri)

    def delivery(self, body: str | None) -> Delivery:
        """Return the rows that differ, or all if there is no snapshot to compare with; the new snapshot is stored then.

        Args:
            body: What the export's bytes are recognised by.

        Raises:
            PigmentError: If the export is not as it should be.
            ShrunkExportError: If too many rows are gone.
            SnapshotError: If the new snapshot cannot be stored.
        """
        dispatch, export = self._dispatch, self._export
        named = self._named_snapshot()
        newer = self._newer_snapshots()
        formers = [snapshot for snapshot in (named, *newer) if snapshot]
        changes = Changes(
            export,
            dispatch.columns,
            dispatch.key,
            dispatch.makeup,
            formers,
            is_all=named is not None and None not in newer,
        )
        changes.check()
        difference = changes.difference()
        if changes.why_all:
            self._logger.warning("All rows are sent: %s.", changes.why_all)
        self._guard(difference, formers)
        name = self._known.snapshot
        if not (named and not newer and difference.is_empty and named.fingerprints == changes.fingerprints):
            name = self._store_snapshot(changes, named)
        self._logger.info(
            "%s of %d rows are sent, %d are gone.",
            "All" if difference.changed is None else difference.changed.rows,
            export.rows,
            difference.gone.rows,
        )
        return self._delivery(difference, Bookmark(export.rows, snapshot=name, body=body))

    def _named_snapshot(self) -> Snapshot | None:
        """Return the snapshot that the state names; None, and why, if there is none to use."""
        if self._known.snapshot is None:
            if self._known.rows:
                self._logger.warning("The last run has left no snapshot. All rows are sent. %s.", _NOT_TOLD)
            else:
                self._logger.info("The state names no snapshot: all rows are sent.")
            return None
        return self._snapshot(self._known.snapshot)

    def _newer_snapshots(self) -> list[Snapshot | None]:
        """Return the snapshots of runs whose state has not come back, None for one that cannot be used."""
        names = [name for name in self._store.names(self._dispatch.name) if name > (self._known.snapshot or "")]
        if names:
            self._logger.warning(
                "Snapshots that are newer than what the state names: %d. Any part of them may be downstream: what "
                "differs from one of them is sent again, and what has gone since is marked.",
                len(names),
            )
        return [self._snapshot(name) for name in names]

    def _snapshot(self, name: str) -> Snapshot | None:
        """Return a snapshot of the store; None, and why, if it cannot be used."""
        path = self._export.spool.path.with_suffix(f".{name}")
        try:
            self._store.fetch(self._dispatch.name, name, path)
            snapshot = read_snapshot(self._export.engine, path)
        except SnapshotError as error:
            self._logger.warning("No snapshot to compare with: %s. All rows are sent. %s.", error, _NOT_TOLD)
            return None
        if reason := self._dispatch.makeup.difference(snapshot.makeup):
            self._logger.warning("All rows are sent: %s.", reason)
            if snapshot.makeup.key_types != self._dispatch.makeup.key_types:
                self._logger.warning("%s, under the former key. Load the table anew.", _NOT_TOLD)
            elif snapshot.makeup.maps != self._dispatch.makeup.maps:
                self._logger.warning("Where maps change the key, rows stay under the former one: load the table anew.")
        return snapshot

    def _guard(self, difference: Difference, formers: Sequence[Snapshot]) -> None:
        """Check that not too many rows are gone.

        Without a key, a row that was edited is one that is gone and one that is new: only the number of rows tells, of
        the longest export that may be downstream.
        """
        before, gone = difference.before, difference.gone.rows
        if tuple(self._dispatch.key) == KEYLESS and before:
            before = max(former.rows for former in formers)
            gone = min(gone, before - self._export.rows)
        percent = self._dispatch.settings.max_shrink_percent
        check_shrinkage(self._dispatch.name, gone=gone, before=before, max_percent=percent)

    def _store_snapshot(self, changes: Changes, named: Snapshot | None) -> str:
        """Store a snapshot of the export and return its name; the one before what is named goes."""
        path = self._export.spool.path.with_suffix(".snapshot")
        changes.write(path, previous=self._known.snapshot)
        name = self._store.put(self._dispatch.name, path, self._export.spool.received_at)
        if named and named.previous:
            # The state that came back names a later one.
            try:
                self._store.remove(self._dispatch.name, named.previous)
            except SnapshotError as error:
                self._logger.warning("An old snapshot stays: %s.", error)
        return name

    def _delivery(self, difference: Difference, bookmark: Bookmark) -> Delivery:
        export, columns, key = self._export, self._dispatch.columns, self._dispatch.key
        received_at = export.spool.received_at
        selection, gone = difference.changed, difference.gone
        outlet = deletions = None
        if selection is None or selection.rows:
            outlet = Outlet(export, columns, key, selection=selection, tells_deletions=True)
        if gone.rows:
            deletions = Deletions(export.engine, gone, columns, key, received_at.isoformat())
        return Delivery(received_at, bookmark, outlet, deletions)
