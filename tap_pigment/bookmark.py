"""What the state keeps of a stream: a flat bookmark of less than 300 bytes. No I/O."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOKMARK_VERSION = 1

# A bookmark is data from outside: what names a file or stands in a message has to look like it.
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BODY = re.compile(r"[0-9a-f]{32}")
_SNAPSHOT = re.compile(r"[0-9]{8}T[0-9]{12}Z-[0-9a-f]{32}")


@dataclass(frozen=True)
class Bookmark:
    """What a run leaves for the next one.

    Attributes:
        rows: The number of rows of the export.
        digest: What `change_detection` compares exports by; None where it is off.
        snapshot: The name of the snapshot with which the next run compares; None where there is none.
        body: What the export's bytes and its makeup are recognised by, without reading them; None where it is off.
        version: The last version that was activated downstream; None where none was.
    """

    rows: int
    digest: str | None = None
    snapshot: str | None = None
    body: str | None = None
    version: int | None = None

    def to_state(self) -> dict[str, Any]:
        """Return the bookmark as JSON."""
        return {"v": BOOKMARK_VERSION} | {name: member for name, member in asdict(self).items() if member is not None}


def read_bookmark(state: Mapping[str, Any]) -> Bookmark | None:
    """Return the bookmark that a stream's state holds, or None if there is none that is known here."""
    rows = _count(state.get("rows"))
    if state.get("v") != BOOKMARK_VERSION or rows is None:
        return None
    return Bookmark(
        rows=rows,
        digest=_text_like(_DIGEST, state.get("digest")),
        snapshot=_text_like(_SNAPSHOT, state.get("snapshot")),
        body=_text_like(_BODY, state.get("body")),
        version=_count(state.get("version")),
    )


def next_version(now_ms: int, former: Bookmark | None) -> int:
    """Return the version of a run's records: the time in milliseconds, above the last one in any case."""
    return max(now_ms, (former.version or 0) + 1 if former else 0)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text_like(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
