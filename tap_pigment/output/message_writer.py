"""Writes Singer messages to stdout: one by one as the SDK does, and RECORD lines in blocks."""

from __future__ import annotations

import sys
from typing import Any

from singer_sdk.io_base import SingerWriter
from singer_sdk.singerlib import StateMessage


class FlatStateMessage(StateMessage):
    """A STATE message that is written without a deep copy of the bookmarks of all streams."""

    def to_dict(self) -> dict[str, Any]:
        """Return the message as JSON."""
        return {"type": self.type, "value": self.value}


class BlockWriter(SingerWriter):
    """The SDK's writer, which also takes blocks of lines that are JSON already."""

    def write_block(self, block: bytes) -> None:
        """Write lines of UTF-8, each with its line end."""
        sys.stdout.flush()
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
