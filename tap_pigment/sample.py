"""The beginning of an export: its header and first rows, read no further than they need."""

from __future__ import annotations

import csv
import itertools
from typing import TYPE_CHECKING

from tap_pigment.body import TryAgainError, decoded_pieces, unproven_end
from tap_pigment.csv_rows import is_not_utf8, rows_one_by_one, write_quoted
from tap_pigment.errors import PigmentExportError
from tap_pigment.failures import not_csv
from tap_pigment.shape import CsvShape, shape_of
from tap_pigment.spool import Spool, malformed, read_header

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from requests import Response

    from tap_pigment.folder import SpoolFolder
    from tap_pigment.protocol import Call

SAMPLE_ROWS = 1_000
_PIECE_BYTES = 1 << 18  # No more than a sample needs.


def receive_sample(response: Response, received_at: datetime, call: Call, folder: SpoolFolder, *, rows: int) -> Spool:
    """Return the header and the first rows of an export, read no further than they need; the response is closed.

    Raises:
        TryAgainError: If not even a header comes, the body is no export, or one of the rows is not as the header says.
    """
    shape = CsvShape()
    path = folder.new_file()
    try:
        with response, path.open("wb") as body:
            for piece in decoded_pieces(response, call, piece_bytes=_PIECE_BYTES):
                if not shape.size and (problem := not_csv(response.headers.get("Content-Type", ""), piece)):
                    raise TryAgainError(PigmentExportError(f"While {call.purpose}: {problem}."), response)
                shape.feed(piece)
                body.write(piece)
                if shape.lines > rows:
                    break
        if not shape.lines and (problem := unproven_end(response)):
            raise TryAgainError(
                PigmentExportError(f"While {call.purpose}: the header is incomplete: {problem}."), response
            )
        if (header := read_header(shape, call, response)) is None:
            raise TryAgainError(
                PigmentExportError(
                    f"While {call.purpose}: the export is empty, without even a header. Run again later."
                ),
                response,
            )
        found, problem = _whole_rows(path, shape, rows)
        if problem:
            raise malformed(call, problem, response)
    finally:
        path.unlink(missing_ok=True)
    sample = folder.new_file()
    write_quoted(found, sample)
    return Spool(sample, shape_of(sample), header, received_at)


def _whole_rows(path: Path, shape: CsvShape, rows: int) -> tuple[list[list[str]], str]:
    """Return the header and up to `rows` rows of a body left anywhere, and what is wrong with them, if anything is."""
    found: list[list[str]] = []
    problem = ""
    try:
        found.extend(fields or [""] for _, fields in itertools.islice(rows_one_by_one(path), rows + 1))
    except csv.Error as error:
        problem = "" if shape.open_quote else f"row {len(found)} is not CSV: {error}"
    width = len(found[0])
    if not shape.line_ends and len(found) == shape.lines + 1:
        found = found if len(found[-1]) == width else found[:-1]
    for number, fields in enumerate(found):
        if len(fields) != width:
            problem = f"row {number} has {len(fields)} fields where the header has {width}"
            break
        if any(is_not_utf8(field) for field in fields):
            problem = f"row {number} is not UTF-8"
            break
    return found, problem
