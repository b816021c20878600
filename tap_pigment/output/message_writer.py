"""Writes Singer messages to stdout: one by one as the SDK does, and RECORD lines in blocks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from singer_sdk.io_base import SingerWriter
from singer_sdk.singerlib import StateMessage

if TYPE_CHECKING:
    from singer_sdk.singerlib import Message


class FlatStateMessage(StateMessage):
    """A STATE message that is written without a deep copy of the bookmarks of all streams."""

    def to_dict(self) -> dict[str, Any]:
        """Return the message as JSON."""
        return {"type": self.type, "value": self.value}


class BlockWriter(SingerWriter):
    """The SDK's writer, which also takes blocks of lines that are JSON already.

    Attributes:
        is_interrupted: Whether a message is being written, or was when an exception ended that.
    """

    is_interrupted = False

    def write_message(self, message: Message) -> None:
        """Write a message."""
        self.is_interrupted = True
        super().write_message(message)
        self.is_interrupted = False

    def write_block(self, block: bytes) -> None:
        """Write lines of UTF-8, each with its line end."""
        self.is_interrupted = True
        sys.stdout.flush()
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        self.is_interrupted = False
