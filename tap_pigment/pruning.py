"""Which snapshots there are, and which of them no run will ask for again."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from tap_pigment.bookmark import read_bookmark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_pigment.snapshots import Entry, SnapshotStore


def named_snapshots(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the name of the snapshot that a state has for each stream, whether Meltano has wrapped it up or not."""
    bookmarks = _member(_member(state, "singer_state") or state, "bookmarks")
    found = {stream: read_bookmark(_member(bookmarks, stream)) for stream in bookmarks}
    return {stream: bookmark.snapshot for stream, bookmark in found.items() if bookmark and bookmark.snapshot}


def _member(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a member that is an object; an empty one if it is not."""
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def listed(store: SnapshotStore, named: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each snapshot, by stream and age, and for each that the state names and the store lacks.

    Args:
        store: Where the snapshots are.
        named: The name of the snapshot that the state has for a stream.

    Raises:
        SnapshotError: If they cannot be listed.
    """
    entries = list(store.entries())
    for entry in entries:
        yield f"{_line(entry)}{'  named by the state' if named.get(entry.stream) == entry.name else ''}"
    there = {(entry.stream, entry.name) for entry in entries}
    for stream, name in named.items():
        if (stream, name) not in there:
            yield f"{stream}  {name}  named by the state and not there: the next run sends all rows"


def pruned(store: SnapshotStore, named: Mapping[str, str]) -> Iterator[str]:
    """Remove the snapshots that are older than the one that the state names, and yield a line for each.

    What is newer may be that of a run whose state has yet to come back. A stream is left alone if the state names no
    snapshot of it, or one that the store lacks: then it may be the state of another store.

    Args:
        store: Where the snapshots are.
        named: The name of the snapshot that the state has for a stream.

    Raises:
        SnapshotError: If they cannot be listed, or one cannot be removed.
    """
    for stream, group in groupby(list(store.entries()), key=lambda entry: entry.stream):
        entries = list(group)
        if named.get(stream) not in {entry.name for entry in entries}:
            yield f"left alone: {stream}, as the state names none of its {len(entries):,} snapshots"
            continue
        for entry in _older(entries, named[stream]):
            store.remove(stream, entry.name)
            yield f"removed: {_line(entry)}"


def _older(entries: Sequence[Entry], name: str) -> list[Entry]:
    return [entry for entry in entries if entry.name < name]


def _line(entry: Entry) -> str:
    return f"{entry.stream}  {entry.name}  {entry.made_at:%Y-%m-%d %H:%M:%S} UTC  {entry.size:,} bytes"
