"""Counts the rows, fields and bytes of a CSV body while it arrives.

DuckDB reads exports strictly, but not without exception (seen with 2.0.0): it drops a surplus empty field at the end of
a row, skips an empty line, and lets a quote after a space open a field. So the bytes are counted here by other means.
Where the two readers disagree, `csv_fallback` reads the rows one by one.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DELIMITER = ";"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAX_HEADER_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 18
# Applied where each quoted field is left as a run of quotes: a run that does not begin, or does not end, a field. (A
# pattern that starts with a literal is searched for many times faster than one that starts with a class.)
_STRAY_QUOTE = re.compile(rb'"(?:(?<=[^;\n"]")|(?=[^;\r\n"]))')
# A CR at the end of a chunk is judged with the chunk that brings its LF.
_TEXT = bytes(set(range(256)) - set(f"{DELIMITER}\r\n".encode()))
_LONE_RETURN = re.compile(rb"\r(?!\n|\Z)")


class CsvCounter:
    """Rows, fields and quotes of a CSV body, which is fed in chunks of any size.

    Attributes:
        size_bytes: Bytes so far.
        line_ends: Line ends outside of quotes: the header and the rows, in a body that ends its last line.
        delimiters: Field delimiters outside of quotes.
        ends_with_newline: Whether the bytes so far end with a line end outside of quotes.
        has_open_quote: Whether the bytes so far end inside of a quoted field.
        is_irregular: Whether the bytes are not UTF-8, or a quote or a line end stands where RFC 4180 has none, so that
            the counts prove nothing.
        cell_bytes: Bytes of all cells and of the header's names, without quotes, delimiters and line ends.
        longest_line_bytes: No line is longer than this; at least the length of the longest chunk.
        has_nul: Whether the bytes so far hold a NUL character.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self.line_ends = 0
        self.delimiters = 0
        self.ends_with_newline = False
        self.has_open_quote = False
        self.is_irregular = False
        self.cell_bytes = 0
        self.longest_line_bytes = 0
        self.has_nul = False
        self._line_bytes = 0
        self._start = b""
        self._has_header = False
        self._held_mark: bytes | None = b""
        self._mark_bytes = 0
        self._last_byte = b"\n"
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, chunk: bytes) -> None:
        """Count the next bytes of the body."""
        self.size_bytes += len(chunk)
        if self._held_mark is not None:
            chunk = self._held_mark + chunk
            if len(chunk) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(chunk):
                self._held_mark = chunk
                return
            self._held_mark = None
            self._mark_bytes = len(_BYTE_ORDER_MARK) if chunk.startswith(_BYTE_ORDER_MARK) else 0
            chunk = chunk[self._mark_bytes :]
        if not chunk:
            return
        if not self.is_irregular:
            try:
                self._decoder.decode(chunk)
            except UnicodeDecodeError:
                self.is_irregular = True
        if not self._has_header:
            self._start = (self._start + chunk)[:_MAX_HEADER_BYTES]
            self._has_header = any(b"\n" in run for run in self._start.split(b'"')[::2])
        self.has_nul = self.has_nul or b"\0" in chunk
        self._line_bytes += len(chunk)
        self.longest_line_bytes = max(self.longest_line_bytes, self._line_bytes)
        line_ends_before = self.line_ends
        self._count(chunk)
        if self.line_ends > line_ends_before:
            self._line_bytes = len(chunk)

    def _count(self, chunk: bytes) -> None:
        runs = chunk.split(b'"')
        outside = runs[self.has_open_quote :: 2]
        self.has_open_quote ^= len(runs) % 2 == 0
        self.ends_with_newline = not self.has_open_quote and chunk.endswith(b"\n")
        quotes = len(runs) - 1
        self.cell_bytes += len(chunk) - quotes
        if not outside:
            return
        skeleton = b'"'.join(outside) + b'"' * self.has_open_quote
        structure = skeleton.translate(None, _TEXT)  # One pass over the text is faster than three.
        line_ends = structure.count(b"\n")
        delimiters = structure.count(DELIMITER.encode())
        returns = structure.count(b"\r")
        self.line_ends += line_ends
        self.delimiters += delimiters
        seam = self._last_byte + skeleton  # The byte before decides about what begins with this chunk.
        self.is_irregular |= _STRAY_QUOTE.search(seam) is not None or _LONE_RETURN.search(seam) is not None
        self.cell_bytes += self._escaped_quotes(outside) - line_ends - delimiters - returns
        self._last_byte = skeleton[-1:] or self._last_byte

    def _escaped_quotes(self, outside: list[bytes]) -> int:
        """Return how many quotes open directly after one that closes: two that stand for one in the cell."""
        nothing_between = outside.count(b"")
        if not self.has_open_quote and not outside[-1]:
            nothing_between -= 1  # No quote follows, so far.
        opens = len(outside) > 1 or self.has_open_quote
        if opens and not outside[0] and self._last_byte != b'"':
            nothing_between -= 1  # No quote stands before.
        return nothing_between

    @property
    def is_header_too_long(self) -> bool:
        """Whether the first line is longer than any header, so that `header` is an error."""
        return not self._has_header and len(self._start) == _MAX_HEADER_BYTES

    @property
    def header(self) -> tuple[str, ...] | None:
        """The fields of the first line, complete or not, or None if nothing has arrived.

        Raises:
            UnicodeDecodeError: If the header is not UTF-8.
            csv.Error: If the header is not CSV, or too long.
        """
        if not self._start:
            return None
        if self.is_header_too_long:
            raise csv.Error(f"it is longer than {_MAX_HEADER_BYTES:,} bytes")
        text = self._start.decode("utf-8", "surrogateescape")
        fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITER, strict=True), [])
        for field in fields:
            field.encode("utf-8", "surrogateescape").decode("utf-8")
        # A blank line is one blank field, for which csv has no field at all.
        return tuple(fields) or ("",)

    @property
    def header_line(self) -> bytes:
        """The first line with its line end, if it has one, and without a byte order mark before it."""
        end = 0
        for number, run in enumerate(self._start.split(b'"')):
            if number % 2 == 0 and b"\n" in run:
                return self._start[: end + run.index(b"\n") + 1]
            end += len(run) + 1
        return self._start

    @property
    def header_bytes(self) -> int:
        """How many bytes come before the first row: the first line, and a byte order mark before it."""
        return self._mark_bytes + len(self.header_line)

    @property
    def rows(self) -> int:
        """Rows below the header, whether the last line is ended or not."""
        return max(self.line_ends - 1 + (not self.ends_with_newline), 0)

    def has_width(self, fields: int) -> bool:
        """Return whether the body is regular, and has exactly as many delimiters as rows of so many fields have."""
        return not self.is_irregular and self.delimiters == (self.rows + 1) * (fields - 1)


def count_file(path: Path) -> CsvCounter:
    """Return the counts of a whole CSV file."""
    counter = CsvCounter()
    with path.open("rb") as body:
        while chunk := body.read(_CHUNK_BYTES):
            counter.feed(chunk)
    return counter
