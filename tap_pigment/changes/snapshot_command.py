"""What `--snapshots` lists and removes: the snapshots of a store, by what a state names."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from tap_pigment.changes.bookmark import given_bookmarks
from tap_pigment.changes.snapshot_chain import plan_comparison
from tap_pigment.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_pigment.changes.snapshot_chain import Lineage
    from tap_pigment.changes.snapshot_store import SnapshotStore


def named_snapshots(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the snapshot that a state names for each stream."""
    return {stream: bookmark.snapshot for stream, bookmark in given_bookmarks(state).items() if bookmark.snapshot}


def list_snapshots(store: SnapshotStore, named: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each snapshot, and for each one that the state names and the store lacks.

    Args:
        store: The store.
        named: The snapshot that the state names for each stream.

    Raises:
        StoreError: If they cannot be listed.
    """
    entries = list(store.entries())
    for entry in entries:
        yield f"{entry}{'  named by the state' if named.get(entry.stream) == entry.name else ''}"
    stored = {(entry.stream, entry.name) for entry in entries}
    for stream, name in named.items():
        if (stream, name) not in stored:
            yield f"{stream}  {name}  named by the state and missing: the next run does a full send"


def prune_snapshots(
    store: SnapshotStore, named: Mapping[str, str], read_lineage: Callable[[str, str], Lineage]
) -> Iterator[str]:
    """Remove the snapshots that no run needs any more, and yield a line for each.

    Args:
        store: The store.
        named: The snapshot that the state names for each stream.
        read_lineage: Returns the lineage of a stream's snapshot, or raises SnapshotError.

    Raises:
        StoreError: If they cannot be listed, or one cannot be read or removed.
    """
    for stream, group in groupby(list(store.entries()), key=lambda entry: entry.stream):
        entries = {entry.name: entry for entry in group}
        name = named.get(stream)
        if name not in entries:
            yield f"{stream}  skipped: the state names none of its {len(entries):,} snapshots"
            continue
        try:
            lineage = read_lineage(stream, name)
        except SnapshotError as error:
            yield f"{stream}  skipped: {name} cannot be used: {error}. The next run does a full send"
            continue
        for obsolete in plan_comparison(name, lineage, entries).obsolete:
            store.remove(stream, obsolete)
            yield f"{entries[obsolete]}  removed"
