"""The limit for BATCH: a download with requests and one DuckDB COPY with the same types and `contentHash`.

It validates nothing: `python -m tests.benchmarks.batch_limit URL FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import requests

from tests.benchmarks.columns import COLUMNS, DAY, NUMBER, WHOLE, YES_NO
from tests.benchmarks.server import EXPORT_PATH

if __name__ == "__main__":
    url, folder = sys.argv[1:]
    with (
        requests.post(url + EXPORT_PATH, json={}, stream=True, timeout=60) as response,
        Path(folder, "csv").open("wb") as f,
    ):
        f.writelines(response.iter_content(1 << 20))
    types = dict.fromkeys(COLUMNS, "VARCHAR") | {NUMBER: "DOUBLE", WHOLE: "BIGINT", YES_NO: "BOOLEAN", DAY: "DATE"}
    cells = ", ".join(f"{name}::{kind} AS {name}" for name, kind in types.items())
    parts = [
        f"'{len(name)}:{name},', coalesce(strlen({name}) || ':' || {name} || ',', '-')" for name in sorted(COLUMNS)
    ]
    rows = f"read_csv('{folder}/csv', delim = ';', header = true, all_varchar = true)"
    query = f"SELECT {cells}, sha256(concat({', '.join(parts)})) AS contentHash FROM {rows}"  # noqa: S608 - our names.
    duckdb.execute(f"COPY ({query}) TO '{folder}/limit.parquet'")
