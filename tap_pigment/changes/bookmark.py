"""The state of a stream: a flat bookmark of less than 300 bytes, and the types of its columns. No I/O."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tap_pigment.changes.snapshot_chain import is_snapshot_name
from tap_pigment.columns import ADDED_COLUMNS, ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOKMARK_VERSION = 1

# A bookmark is input: what names a file or is part of a message must have the right form.
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BODY = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Bookmark:
    """What a run writes into the state for the next one.

    Attributes:
        rows: The number of rows of the export.
        digest: The digest of all rows, for `change_detection: stream`.
        snapshot: The name of the snapshot of all rows, for `change_detection: row`.
        body: A digest of the export's bytes and of how records are made of them; None without `change_detection`.
        version: The version of the last ACTIVATE_VERSION.
        types: The type of each column that has one other than text, by name. A column that is blank throughout keeps
            the type that it had.
        key: A digest of the key of a table or a metric, whose dimensions may change; only of runs without a catalog.
        names: The names of columns by header, see `StreamRun.names`; only of runs without a catalog.
    """

    rows: int
    digest: str | None = None
    snapshot: str | None = None
    body: str | None = None
    version: int | None = None
    key: str | None = None
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def to_state(self) -> dict[str, Any]:
        """Return the bookmark as JSON."""
        members = {
            **asdict(self),
            "types": {name: kind.value for name, kind in self.types.items()} or None,
            "names": dict(self.names) or None,
        }
        return {"v": BOOKMARK_VERSION} | {name: member for name, member in members.items() if member is not None}


def read_bookmark(state: Mapping[str, Any]) -> Bookmark | None:
    """Return the bookmark in a stream's state, or None if it has none of a known format."""
    rows = _count(state.get("rows"))
    if state.get("v") != BOOKMARK_VERSION or rows is None:
        return None
    return Bookmark(
        rows=rows,
        digest=_matching(_DIGEST, state.get("digest")),
        snapshot=_snapshot(state.get("snapshot")),
        body=_matching(_BODY, state.get("body")),
        version=_count(state.get("version")),
        key=_matching(_KEY, state.get("key")),
        types=_types(state.get("types")),
        names=_names(state.get("names")),
    )


def given_bookmarks(state: object) -> dict[str, Bookmark]:
    """Return the bookmarks of a known format in a state, by stream name."""
    bookmarks = state.get("bookmarks") if isinstance(state, dict) else None
    members = bookmarks.items() if isinstance(bookmarks, dict) else ()
    found = {str(name): read_bookmark(member) for name, member in members if isinstance(member, dict)}
    return {name: bookmark for name, bookmark in found.items() if bookmark}


def next_version(now_ms: int, previous: Bookmark | None) -> int:
    """Return the version of a run's records: the time in milliseconds, and above the last version in any case."""
    return max(now_ms, (previous.version or 0) + 1 if previous else 0)


def _snapshot(value: object) -> str | None:
    return value if isinstance(value, str) and is_snapshot_name(value) else None


def _types(value: object) -> dict[str, ColumnType]:
    known = {kind.value for kind in ColumnType}
    members = value.items() if isinstance(value, dict) else ()
    return {str(name): ColumnType(kind) for name, kind in members if isinstance(kind, str) and kind in known}


def _names(value: object) -> dict[str, str]:
    """Return names by header; none if two are the same, or one is that of an added column, which no run writes."""
    members = value.items() if isinstance(value, dict) else ()
    names = {str(header): name for header, name in members if isinstance(name, str)}
    all_names = {name.casefold() for name in (*names.values(), *ADDED_COLUMNS)}
    return names if len(all_names) == len(names) + len(ADDED_COLUMNS) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
