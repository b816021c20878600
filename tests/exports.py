"""Checked exports made of rows, without a server."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_pigment.columns import KEYLESS, Column, ColumnType
from tap_pigment.export import Export
from tap_pigment.outlet import Outlet
from tap_pigment.shape import shape_of
from tap_pigment.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextmanager
def outlet_of(folder: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Outlet]:
    """Return the outlet of an export of text columns without a key."""
    path = folder / "export.csv"
    with path.open("w", encoding="utf-8", newline="") as body:
        writer = csv.writer(body, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        writer.writerows([header, *rows])
    columns = [
        Column(name, name, ColumnType.TEXT, nullable=True, position=position) for position, name in enumerate(header)
    ]
    with Export("law", Spool(path, shape_of(path), tuple(header), datetime.now(UTC))) as export:
        export.check(columns, KEYLESS)
        yield Outlet(export, columns, KEYLESS)
