"""Print how many cells of a column are filled in some Parquet files: `... parquet_rows GLOB COLUMN`.

A program of its own, because what the benchmark itself holds in memory would be counted as its contenders'.
"""

from __future__ import annotations

import sys

import duckdb

if __name__ == "__main__":
    files, column = sys.argv[1:]
    filled = duckdb.execute(f'SELECT count("{column}") FROM read_parquet(?)', [files]).fetchone()  # noqa: S608 - our own.
    print(filled[0] if filled else 0)  # noqa: T201 - whoever started this reads it.
