"""Rows as lines of JSON, which take their `contentHash` in Python unless they have it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tap_pigment.naming import OCCURRENCE

if TYPE_CHECKING:
    import duckdb


class WholeLines:
    """Lines of JSON, fetched in blocks.

    Args:
        result: The lines, as bytes.
    """

    def __init__(self, result: duckdb.DuckDBPyConnection) -> None:
        self._result = result

    def fetch(self, rows: int) -> tuple[bytes, int]:
        """Return the next lines, at most so many, and how many they are: 0 at the end."""
        block = self._result.fetchmany(rows)
        return b"".join([line for (line,) in block]), len(block)


class Lines:
    """Lines of JSON, fetched in blocks.

    DuckDB's own SHA-256 takes four times as long as OpenSSL's, which uses what the processor has for it. So DuckDB
    gives the text to be hashed beside the line, and works on the next rows meanwhile.

    Args:
        result: For each row, as bytes: the line as far as the hash, and the text to be hashed; and `occurrence`, where
            identical rows are numbered.
        after: What each line ends with, from the record's closing brace on.
        is_first: Whether each row says that it is the first of its kind, of which there are no others.
    """

    def __init__(self, result: duckdb.DuckDBPyConnection, after: str, *, is_first: bool) -> None:
        self._result = result
        self._end = (f'","{OCCURRENCE}":1{after}' if is_first else f'"{after}').encode()
        self._numbered_end = f'","{OCCURRENCE}":%d{after.replace("%", "%%")}'.encode()

    def fetch(self, rows: int) -> tuple[bytes, int]:
        """Return the next lines, at most so many, and how many they are: 0 at the end."""
        block = self._result.fetchmany(rows)
        if not block:
            return b"", 0
        starts, hashed, *numbers = zip(*block, strict=True)
        pieces = [self._end] * (3 * len(block))
        pieces[::3] = starts
        pieces[1::3] = [hashlib.sha256(text).hexdigest().encode() for text in hashed]
        if numbers:
            pieces[2::3] = [self._numbered_end % number for number in numbers[0]]
        return b"".join(pieces), len(block)
