"""The header and first rows of an export, for discovery: read no further than needed, and never on disk."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.errors import PigmentExportError
from tap_pigment.exports.csv_counter import CsvCounter
from tap_pigment.exports.csv_fallback import is_not_utf8, read_rows
from tap_pigment.exports.download import malformed, read_header
from tap_pigment.pigment import RetriableResponseError, export_chunks, missing_end_proof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from requests import Response

    from tap_pigment.pigment import ApiRequest, PigmentClient

SAMPLE_ROWS = 1_000
_CHUNK_BYTES = 1 << 18  # Hardly more than a sample needs.
_MAX_SAMPLE_BYTES = 1 << 26


@dataclass(frozen=True)
class ExportSample:
    """The beginning of an export.

    Attributes:
        header: The fields of its first line.
        rows: The fields of the first rows, each as many as the header has.
    """

    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]


def fetch_sample(client: PigmentClient, request: ApiRequest, *, rows: int = SAMPLE_ROWS) -> ExportSample:
    """Return the header and first rows of an export; the connection closes as soon as they have arrived.

    Raises:
        PigmentError: If they do not arrive, or are not CSV.
    """
    return client.fetch(request, lambda response: read_sample(response, request, rows=rows), phase="discovery")


def read_sample(response: Response, request: ApiRequest, *, rows: int) -> ExportSample:
    """Return the header and first rows of a response.

    Raises:
        RetriableResponseError: If not even a header arrives, the body is not an export, or a row does not have the
            header's width.
    """
    counts = CsvCounter()
    body = bytearray()
    for chunk in export_chunks(response, request, chunk_bytes=_CHUNK_BYTES):
        counts.feed(chunk)
        body += chunk
        if counts.line_ends > rows or counts.is_header_too_long or len(body) >= _MAX_SAMPLE_BYTES:
            break
    is_header_whole = counts.line_ends or counts.is_header_too_long
    if not is_header_whole and (problem := missing_end_proof(response)):
        raise RetriableResponseError(
            PigmentExportError(f"{request.subject}: the header is incomplete: {problem}. Run again later."), response
        )
    header = read_header(counts, request, response)
    if header is None:
        raise RetriableResponseError(
            PigmentExportError(f"{request.subject}: the export is empty, without even a header. Run again later."),
            response,
        )
    found, fault = _whole_rows(bytes(body), counts, len(header), rows)
    if fault:
        raise malformed(request, fault, response)
    return ExportSample(header, found)


def _whole_rows(body: bytes, counts: CsvCounter, width: int, rows: int) -> tuple[list[list[str]], str]:
    """Return up to `rows` whole rows of a body that ends anywhere, and what is wrong with one of them, if anything."""
    text = io.StringIO(body.decode("utf-8-sig", "surrogateescape"), newline="")
    found: list[list[str]] = []
    fault = ""
    try:
        found.extend(fields for _, fields in itertools.islice(read_rows(text), rows + 1))
    except csv.Error as error:
        fault = "" if counts.has_open_quote else f"row {len(found):,} is not CSV: {error}"
    is_truncated = len(body) >= _MAX_SAMPLE_BYTES
    if (
        not counts.ends_with_newline
        and len(found) == counts.line_ends + 1
        and (is_truncated or len(found[-1]) != width)
    ):
        found.pop()  # The last row may be truncated.
    for row, fields in enumerate(found):
        if len(fields) != width:
            return [], f"row {row:,} has {len(fields):,} fields, the header has {width:,}"
        if any(is_not_utf8(field) for field in fields):
            return [], f"row {row:,} is not UTF-8"
    return found[1:], fault
