"""An export's bytes as fields, with what CSV readers usually hide: line ends, quotes and the BOM."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_DELIMITERS = (";", ",", "\t", "|")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Field:
    """One field, without its quotes."""

    text: str
    is_quoted: bool = False


@dataclass(frozen=True)
class CsvText:
    """An export, or its beginning.

    Attributes:
        header: The texts of the first row.
        rows: The other rows.
        delimiter: Which character separates the fields; None if there is only one column.
        line_ends: The line ends between rows: CRLF, LF or CR in their characters.
        has_final_line_end: Whether the last row has a line end.
        has_loose_quote: Whether a quote stands where RFC 4180 allows none.
        has_bom: Whether it begins with a byte order mark.
        is_utf_8: Whether all bytes are UTF-8.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Field, ...], ...]
    delimiter: str | None
    line_ends: frozenset[str]
    has_final_line_end: bool
    has_loose_quote: bool
    has_bom: bool
    is_utf_8: bool

    @property
    def columns(self) -> Iterator[list[str]]:
        """The filled cells of each column that has any; rows of another length do not count."""
        rows = [row for row in self.rows if len(row) == len(self.header)]
        columns = ([field.text for field in column if field.text] for column in zip(*rows, strict=True))
        return (cells for cells in columns if cells)


def read_csv(body: bytes, *, is_whole: bool) -> CsvText | None:
    """Return an export; None if there is no row. Of one that is not whole, the last line is dropped."""
    has_bom = body.startswith(codecs.BOM_UTF8)
    content = body.removeprefix(codecs.BOM_UTF8)
    try:
        text, is_utf_8 = _decoded(content, is_whole=is_whole), True
    except UnicodeDecodeError:
        text, is_utf_8 = content.decode("latin-1"), False
    if not is_whole:
        text = _whole_rows(text)
    if not text:
        return None
    delimiter = _delimiter(text)
    rows, line_ends, has_loose_quote = _split(text, delimiter or ";")
    return CsvText(
        header=tuple(field.text for field in rows[0]),
        rows=tuple(rows[1:]),
        delimiter=delimiter,
        line_ends=frozenset(line_ends),
        has_final_line_end=text.endswith(("\n", "\r")),
        has_loose_quote=has_loose_quote,
        has_bom=has_bom,
        is_utf_8=is_utf_8,
    )


def _decoded(content: bytes, *, is_whole: bool) -> str:
    """Decode UTF-8; a character that the end cuts is no error unless the body is whole."""
    return codecs.getincrementaldecoder("utf-8")().decode(content, final=is_whole)


def _whole_rows(text: str) -> str:
    """Return a text up to its last line end outside quotes."""
    end = 0
    quotes = 0
    position = 0
    for line_end in _LINE_END.finditer(text):
        quotes += text.count('"', position, line_end.start())
        position = line_end.end()
        if quotes % 2 == 0:
            end = position
    # A body that stops after CR may have lost the LF.
    return text[:end].removesuffix("\r")


def _delimiter(text: str) -> str | None:
    """Return the delimiter that gives the most columns in the first line."""
    line = _LINE_END.split(text, maxsplit=1)[0]
    best = max(_DELIMITERS, key=line.count)
    return best if best in line else None


def _split(text: str, delimiter: str) -> tuple[list[tuple[Field, ...]], set[str], bool]:
    """Return the rows, the line ends behind them, and whether a quote stands in an unquoted field or behind one."""
    d = re.escape(delimiter)
    token = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"(?={d}|\r|\n|\Z)|([^{d}\r\n]*))({d}|\r\n|\n|\r|\Z)')
    rows: list[tuple[Field, ...]] = []
    line_ends: set[str] = set()
    row: list[Field] = []
    has_loose_quote = False
    position = 0
    while position < len(text) or row:
        found = token.match(text, position)
        assert found is not None  # noqa: S101  # The second alternative matches anything, up to a delimiter.
        quoted, plain, end = found.groups()
        has_loose_quote |= quoted is None and '"' in plain
        row.append(Field(plain) if quoted is None else Field(quoted.replace('""', '"'), is_quoted=True))
        position = found.end()
        if end != delimiter:
            rows.append(tuple(row))
            row = []
            if end:
                line_ends.add(end)
    return rows, line_ends, has_loose_quote
