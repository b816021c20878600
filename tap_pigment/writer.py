"""Writes Singer messages to stdout: one by one as the SDK does, and record lines in whole blocks."""

from __future__ import annotations

import sys

from singer_sdk.io_base import SingerWriter


class BlockWriter(SingerWriter):
    """The SDK's writer, which also takes blocks of lines that are JSON already."""

    def write_block(self, block: bytes) -> None:
        """Write lines of UTF-8, the last one ended like the others."""
        sys.stdout.flush()
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
