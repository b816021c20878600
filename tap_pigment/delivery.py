"""What leaves of an export, and what the state says of it then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_pigment.bookmark import Bookmark
    from tap_pigment.deletions import Deletions
    from tap_pigment.outlet import Outlet


@dataclass(frozen=True)
class Delivery:
    """What leaves of one export.

    Attributes:
        received_at: When the export began to arrive.
        bookmark: What the state says when it has left.
        outlet: The rows that leave; None for none.
        deletions: The rows that are gone; None where that is not told.
        activates: Whether targets are told to delete what has not left.
    """

    received_at: datetime
    bookmark: Bookmark
    outlet: Outlet | None = None
    deletions: Deletions | None = None
    activates: bool = False

    def record_blocks(self, stream: str, *, version: int | None) -> Iterator[tuple[bytes, int]]:
        """Yield blocks of RECORD messages, a line each, and how many there are in each block."""
        message: dict[str, Any] = {"type": "RECORD", "stream": stream, "record": "\0"}
        if version is not None:
            message["version"] = version
        message["time_extracted"] = self.received_at.isoformat()
        before, after = json.dumps(message, separators=(",", ":")).split(json.dumps("\0"))
        if self.outlet:
            yield from self.outlet.record_blocks(before, after)
        if self.deletions:
            yield from self.deletions.record_blocks(before, after)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the records one by one."""
        if self.outlet:
            yield from self.outlet.records()
        if self.deletions:
            yield from self.deletions.records()
