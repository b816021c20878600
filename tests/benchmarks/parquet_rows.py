"""Print the number of filled cells of a column in Parquet files: `... parquet_rows GLOB COLUMN`.

It is a program of its own, because memory of the benchmark itself would be counted for its contenders.
"""

from __future__ import annotations

import sys

import duckdb

if __name__ == "__main__":
    files, column = sys.argv[1:]
    filled = duckdb.execute(f'SELECT count("{column}") FROM read_parquet(?)', [files]).fetchone()  # noqa: S608 - our own.
    print(filled[0] if filled else 0)  # noqa: T201 - the parent process reads it.
