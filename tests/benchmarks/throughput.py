"""Rows per second on one large table: the tap, a plain SDK tap, the limit for BATCH, and dlt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.columns import WHOLE
from tests.benchmarks.commands import module, served_table, table_config, tap_command
from tests.benchmarks.measure import Contender, WrittenFiles, take_turns
from tests.benchmarks.results import (
    Bar,
    BarGroup,
    Ratio,
    Report,
    at_least,
    megabytes,
    ratio_table,
    speed_table,
    summary,
)
from tests.benchmarks.server import STREAM

if TYPE_CHECKING:
    from pathlib import Path

RECORD = "tap-pigment, RECORD"
BATCH = "tap-pigment, BATCH Parquet"
PLAIN = "plain SDK tap, RECORD"
LIMIT = "requests and one DuckDB COPY, no validation"
DLT = "dlt, Arrow to Parquet, no hash"

_BATCH_ROWS = 100_000
_RATIOS = (
    Ratio(RECORD, PLAIN, at_least(16)),
    Ratio(BATCH, LIMIT, at_least(0.8)),
    Ratio(BATCH, DLT, None),
)


def report_throughput(rows: int, rounds: int) -> Report:
    """Measure all contenders."""
    with served_table(rows) as (api_url, folder):
        contenders = [
            record_contender(api_url, folder, rows),
            _plain(api_url, folder, rows),
            batch_contender(api_url, folder, rows),
            _limit(api_url, folder, rows),
            _dlt(api_url, folder, rows),
        ]
        runs = take_turns(contenders, rounds)
    summaries = {name: summary(measurements, rows) for name, measurements in runs.measurements.items()}
    tables = [*speed_table(summaries), "", *ratio_table("ratio of rows per second", _RATIOS, runs.measurements)]
    bars = [
        Bar(
            name,
            of.rows_per_second,
            f"{of.rows_per_second:,.0f} rows/s, {megabytes(of.peak_bytes)}",
            is_highlighted=name in {RECORD, BATCH},
        )
        for name, of in summaries.items()
    ]
    return Report(f"One table of {rows:,} rows", tables, runs.failures, [BarGroup("", bars)] if bars else [])


def record_contender(api_url: str, folder: Path, rows: int) -> Contender:
    """Return the tap, emitting RECORD messages."""
    return Contender(RECORD, tap_command(folder / "record.json", table_config(api_url)), rows)


def batch_contender(api_url: str, folder: Path, rows: int) -> Contender:
    """Return the tap, writing BATCH files."""
    batches = folder / "batches"
    batch_config = {
        "encoding": {"format": "parquet"},
        "storage": {"root": batches.as_uri(), "prefix": ""},
        "batch_size": _BATCH_ROWS,
    }
    command = tap_command(folder / "batch.json", table_config(api_url, batch_config=batch_config))
    return Contender(BATCH, command, rows, WrittenFiles(batches, "**/*.parquet", "contentHash"))


def _plain(api_url: str, folder: Path, rows: int) -> Contender:
    config = {"api_url": api_url, "api_key": "none"}
    return Contender(PLAIN, tap_command(folder / "plain.json", config, "tests.benchmarks.plain_tap"), rows)


def _limit(api_url: str, folder: Path, rows: int) -> Contender:
    output = folder / "limit"
    command = module("tests.benchmarks.batch_limit", api_url, str(output))
    return Contender(LIMIT, command, rows, WrittenFiles(output, "*.parquet", "contentHash"))


def _dlt(api_url: str, folder: Path, rows: int) -> Contender:
    output = folder / "dlt"
    return Contender(
        DLT,
        module("tests.benchmarks.dlt_arrow", api_url, str(output)),
        rows,
        WrittenFiles(output, f"{output.name}/{STREAM}/*.parquet", WHOLE),
        # No telemetry, no search for an earlier state, and no files in the home directory.
        environment={
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RESTORE_FROM_DESTINATION": "false",
            "DLT_DATA_DIR": str(output),
        },
    )
