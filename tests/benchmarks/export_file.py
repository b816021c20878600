"""Write a table export as Pigment would send it: `python -m tests.benchmarks.export_file ROWS FILE`."""

from __future__ import annotations

import random
import sys
from itertools import count
from pathlib import Path

from tests.benchmarks.columns import COLUMNS

BLOCK_ROWS = 1_000_000

_MONTHS = [
    f"{month} {year}"
    for year in range(22, 28)
    for month in ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
]
_ENTITIES = ["ACME France SAS", "ACME UK Ltd", '"ACME ""Nordics"" AB"', '"ACME Deutschland; Holding GmbH"']
_DEPARTMENTS = [f"Department {number:03d}" for number in range(120)]
_ACCOUNTS = [f"{4000 + number} - Account name {number}" for number in range(400)]
_BEFORE_YEAR = b";Actual;"
_YEAR = 2025


def write(rows: int, path: Path) -> None:
    """Write an export of a number of rows: BOM, semicolons, CRLF, quotes, blanks, about 110 bytes a row.

    The first million rows are drawn at random, from the same seed each time. Drawing twenty million would take
    minutes, so each further block is the first one with another year in its posting dates: no row of one is in another.
    """
    with path.open("wb") as export:
        export.write(b"\xef\xbb\xbf" + ";".join(COLUMNS).encode() + b"\r\n")
        first = _block(min(rows, BLOCK_ROWS))
        for years_back in count():
            missing = rows - years_back * BLOCK_ROWS
            if missing <= 0:
                return
            block = first.replace(_BEFORE_YEAR + b"%d" % _YEAR, _BEFORE_YEAR + b"%d" % (_YEAR - years_back))
            export.write(block if missing >= BLOCK_ROWS else b"".join(block.splitlines(keepends=True)[:missing]))


def _block(rows: int) -> bytes:
    rng = random.Random(1)  # noqa: S311 - test data, the same each time.
    return "".join(_line(rng, row) for row in range(rows)).encode()


def _line(rng: random.Random, row: int) -> str:
    cells = (
        rng.choice(_MONTHS),
        rng.choice(_ENTITIES),
        rng.choice(_DEPARTMENTS),
        rng.choice(_ACCOUNTS),
        "Actual",
        f"{_YEAR}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        f"{rng.uniform(-1e6, 1e6):.2f}",
        str(rng.randint(0, 9999)),
        "TRUE" if row % 3 else "FALSE",
        "" if row % 4 else f"Réf {row}",
    )
    return ";".join(cells) + "\r\n"


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
