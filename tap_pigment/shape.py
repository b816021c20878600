"""How many lines and fields a CSV body has, counted as its bytes arrive.

DuckDB reads the exports, and reads them strictly, but not without exception: a surplus empty field at the end of a row
is dropped, an empty line is skipped, a quote after a space opens a field (seen with 2.0). So the bytes are counted here
by other means, and a body in which the two do not agree is looked at row by row.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

DELIMITER = ";"
NO_DELIMITER = "\x01"
"""What stands for a delimiter where lines are read as they are; texts hardly ever have it."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAX_HEADER_BYTES = 1 << 20
_MARK_BYTES = 1 << 17
_PIECE_BYTES = 1 << 18
# Where each quoted field is left as a run of quotes: one that does not begin, or does not end, a field. (A pattern that
# starts with a literal is searched for many times faster than one that starts with a class.)
_STRAY_QUOTE = re.compile(rb'"(?:(?<=[^;\n"]")|(?=[^;\r\n"]))')
# A CR at the end is judged with the piece that brings its LF.
_LONE_RETURN = re.compile(rb"\r(?!\n|\Z)")


class Mark(NamedTuple):
    """Where counting stood: bytes, line ends, and whether inside of a quoted field."""

    size: int
    lines: int
    open_quote: bool


class LineShape:
    """Lines of a CSV body, fed in pieces of any size; what stands in them is not looked at.

    Attributes:
        size: Bytes so far.
        lines: Line ends: the header and the rows of a body that ends its last line, if every row is one line.
        line_ends: Whether the bytes so far end with a line end.
        longest_line: A length in bytes that no line exceeds; at least that of the pieces.
        marks: Where counting stood, from the start on, after every piece of a hundred kilobytes or so.
    """

    open_quote = False

    def __init__(self) -> None:
        self.size = 0
        self.lines = 0
        self.line_ends = False
        self.longest_line = 0
        self.marks = [Mark(0, 0, open_quote=False)]
        self._line_bytes = 0
        self._mark_bytes = 0
        self._start = b""
        self._has_header = False
        self._has_returns = False
        self._is_undelimited = True
        self._held: bytes | None = b""

    def feed(self, piece: bytes) -> None:
        """Count the next bytes of the body."""
        self.size += len(piece)
        if self._held is not None:
            piece = self._held + piece
            if len(piece) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(piece):
                self._held = piece
                return
            self._held = None
            self._mark_bytes = len(_BYTE_ORDER_MARK) * piece.startswith(_BYTE_ORDER_MARK)
            piece = piece[self._mark_bytes :]
        if piece:
            self._look(piece)
        if self.size - self.marks[-1].size >= _MARK_BYTES:
            self.marks.append(Mark(self.size, self.lines, self.open_quote))

    def _look(self, piece: bytes) -> None:
        if not self._has_header:
            self._start = (self._start + piece)[:_MAX_HEADER_BYTES]
            self._has_header = any(b"\n" in run for run in self._start.split(b'"')[::2])
        self._has_returns = self._has_returns or b"\r" in piece
        self._is_undelimited = self._is_undelimited and NO_DELIMITER.encode() not in piece
        self._line_bytes += len(piece)
        self.longest_line = max(self.longest_line, self._line_bytes)
        before = self.lines
        self._count(piece)
        if self.lines > before:
            self._line_bytes = len(piece)

    def _count(self, piece: bytes) -> None:
        self.lines += piece.count(b"\n")
        self.line_ends = piece.endswith(b"\n")

    @property
    def header(self) -> tuple[str, ...] | None:
        """The fields of the first line, ended or not, or None if nothing has come.

        Raises:
            UnicodeDecodeError: If the header is not UTF-8.
            csv.Error: If the header is not CSV.
        """
        if not self._start:
            return None
        text = self._start.decode("utf-8", "surrogateescape")
        fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITER, strict=True), [])
        for field in fields:
            field.encode("utf-8", "surrogateescape").decode("utf-8")
        # A blank line is one blank field, for which csv has no field at all.
        return tuple(fields) or ("",)

    @property
    def rows(self) -> int:
        """Rows below the header, in a body that ends its last line or not."""
        return max(self.lines - 1 + (not self.line_ends), 0)

    def is_made_of(self, rows: int, row_bytes: int) -> bool:
        """Return whether below the first line there is nothing but these lines, and all end in the same way.

        DuckDB drops the delimiter from the end of a line, so nothing is proven where there is one.

        Args:
            rows: How many lines.
            row_bytes: Bytes of all of them, without line ends.
        """
        first_line = len(self._start.partition(b"\n")[0].rstrip(b"\r"))
        ends = self.size - self._mark_bytes - first_line - row_bytes
        return self._is_undelimited and rows == self.rows and ends == self.line_end_bytes * self.lines

    @property
    def line_end_bytes(self) -> int:
        """Bytes of each line end, if all are alike."""
        return 2 if self._has_returns else 1


class CsvShape(LineShape):
    """Lines, fields and quotes of a CSV body, fed in pieces of any size.

    Attributes:
        lines: Line ends outside of quotes: the header and the rows of a body that ends its last line.
        delimiters: Field delimiters outside of quotes.
        open_quote: Whether the bytes so far end inside of a quoted field.
        irregular: Whether quotes or line ends stand where RFC 4180 has none, so that the counts prove nothing.
        cell_bytes: Bytes of all cells and the header's names, without quotes, delimiters and line ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self.delimiters = 0
        self.open_quote = False
        self.irregular = False
        self.cell_bytes = 0
        self._last = b"\n"

    def _count(self, piece: bytes) -> None:
        runs = piece.split(b'"')
        outside = runs[self.open_quote :: 2]
        self.open_quote ^= len(runs) % 2 == 0
        self.line_ends = not self.open_quote and piece.endswith(b"\n")
        quotes = len(runs) - 1
        self.cell_bytes += len(piece) - quotes
        if not outside:
            return
        skeleton = b'"'.join(outside) + b'"' * self.open_quote
        lines = skeleton.count(b"\n")
        delimiters = skeleton.count(DELIMITER.encode())
        returns = skeleton.count(b"\r")
        self.lines += lines
        self.delimiters += delimiters
        # With the byte before, for what began there.
        seam = self._last + skeleton
        self.irregular |= _STRAY_QUOTE.search(seam) is not None or _LONE_RETURN.search(seam) is not None
        self.cell_bytes += self._escaped_quotes(outside) - lines - delimiters - returns
        self._last = skeleton[-1:] or self._last

    def _escaped_quotes(self, outside: list[bytes]) -> int:
        """Return how many quotes open right after one that closes: two that stand for one in the cell."""
        nothing_between = outside.count(b"")
        if not self.open_quote and not outside[-1]:
            nothing_between -= 1  # No quote follows, so far.
        opens = len(outside) > 1 or self.open_quote
        if opens and not outside[0] and self._last != b'"':
            nothing_between -= 1  # No quote stands before.
        return nothing_between

    def agrees_with(self, width: int) -> bool:
        """Return whether there are exactly as many delimiters as rows of `width` fields have."""
        return not self.irregular and self.delimiters == (self.rows + 1) * (width - 1)


def shape_of(path: Path) -> CsvShape:
    """Return the shape of a file."""
    shape = CsvShape()
    with path.open("rb") as body:
        while piece := body.read(_PIECE_BYTES):
            shape.feed(piece)
    return shape
