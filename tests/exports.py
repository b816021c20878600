"""Checked exports made of rows, without a server."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_pigment.columns import KEYLESS, Column, ColumnType
from tap_pigment.export import Export
from tap_pigment.outlet import Outlet
from tap_pigment.shape import CsvShape, LineShape
from tap_pigment.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


COLUMNS = (
    Column("a", "a", ColumnType.TEXT, nullable=False, position=0),
    Column("b", "b", ColumnType.TEXT, nullable=True, position=1),
)
"""The columns of an export of two, of which the first may be the key."""


@contextmanager
def export_of(
    folder: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    quoted: Iterable[bool] = (),
    counts_cells: bool = True,
) -> Iterator[Export]:
    """Return an export that has yet to be checked.

    Args:
        folder: Where its file is written.
        header: Its header.
        rows: Its rows.
        quoted: Whether all cells of a row are in quotes, row for row, or only those that have to be; all for the rest.
        counts_cells: Whether its cells are counted before, and not only its lines.
    """
    path = folder / "export.csv"
    with path.open("w", encoding="utf-8", newline="") as body:
        whole = csv.writer(body, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        sparing = csv.writer(body, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
        whole.writerow(header)
        every_quoted = [*quoted, *[True] * len(rows)]
        for row, is_quoted in zip(rows, every_quoted, strict=False):
            (whole if is_quoted else sparing).writerow(row)
    shape = CsvShape() if counts_cells else LineShape()
    shape.feed(path.read_bytes())
    with Export("law", Spool(path, shape, tuple(header), datetime.now(UTC))) as export:
        yield export


@contextmanager
def outlet_of(folder: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Outlet]:
    """Return the outlet of an export of text columns without a key."""
    columns = [
        Column(name, name, ColumnType.TEXT, nullable=True, position=position) for position, name in enumerate(header)
    ]
    with export_of(folder, header, rows) as export:
        export.check(columns, KEYLESS)
        yield Outlet(export, columns, KEYLESS)
