"""Write an export of any shape, in which each cell but the first of a row is the same.

`python -m tests.benchmarks.shaped_file ROWS COLUMNS CELL FILE`
"""

from __future__ import annotations

import sys
from pathlib import Path


def write(rows: int, columns: int, cell: str, path: Path) -> None:
    """Write an export without quotes, which is CRLF and semicolons for the most part if the cell is blank."""
    end = (";" + cell) * (columns - 1) + "\r\n"
    with path.open("w", encoding="utf-8", newline="") as export:
        export.write(";".join(["Code", *(f"M{number}" for number in range(columns - 1))]) + "\r\n")
        export.writelines(f"K{row:07d}{end}" for row in range(rows))


if __name__ == "__main__":
    write(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
