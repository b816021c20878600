"""The export through dlt's Arrow path to Parquet, without any hash: `python -m tests.benchmarks.dlt_arrow URL FOLDER`.

It has everything that makes it fast: the columns' types, so that nothing is inferred; batches of Arrow, which dlt
writes to Parquet as they are, so that normalizing and loading only move a file, and one process is enough.
"""
# mypy: disable-error-code="import-not-found,import-untyped"
# Only the dependency group `bench` has dlt and pyarrow; types are checked without it too.

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dlt
import pyarrow as pa
import requests
from pyarrow import csv

from tests.benchmarks.columns import COLUMNS, DAY, NUMBER, WHOLE, YES_NO
from tests.benchmarks.server import EXPORT_PATH, STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator

_COPY_BYTES = 1 << 20
_BLOCK_BYTES = 8 << 20  # The fastest of 1, 8, 16 and 32 MiB; 1 MiB needs 90 MB less.


def main(api_url: str, folder: Path) -> None:
    """Load the export into Parquet files below a folder."""
    spool = folder / "export.csv"
    destination = dlt.destinations.filesystem(folder.as_uri())
    pipeline = dlt.pipeline(
        "benchmark", pipelines_dir=str(folder / "pipelines"), destination=destination, dataset_name=folder.name
    )
    resource = dlt.resource(_batches(f"{api_url}{EXPORT_PATH}", spool), name=STREAM)
    pipeline.run(resource, loader_file_format="parquet")


def _batches(url: str, spool: Path) -> Iterator[pa.RecordBatch]:
    with requests.post(url, json={}, stream=True, timeout=60) as response, spool.open("wb") as out:
        response.raise_for_status()
        shutil.copyfileobj(response.raw, out, _COPY_BYTES)
    types = {
        **dict.fromkeys(COLUMNS, pa.string()),
        NUMBER: pa.float64(),
        WHOLE: pa.int64(),
        YES_NO: pa.bool_(),
        DAY: pa.date32(),
    }
    yield from csv.open_csv(
        spool,
        read_options=csv.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=csv.ParseOptions(delimiter=";"),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=[""], true_values=["TRUE"], false_values=["FALSE"], strings_can_be_null=True
        ),
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
