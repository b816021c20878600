"""Peak memory of the tap in every mode, at two sizes of an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.commands import served_table, table_config, tap_command
from tests.benchmarks.measure import Contender, log, take_turns
from tests.benchmarks.results import Report, memory_table
from tests.benchmarks.row_changes import KEYS, second_run
from tests.benchmarks.throughput import batch_contender, record_contender

if TYPE_CHECKING:
    from tests.benchmarks.measure import Runs


def report_memory(sizes: tuple[int, int]) -> Report:
    """Measure one run of each mode on an export of each size."""
    peaks: dict[str, dict[int, int]] = {}
    failures: list[str] = []
    for rows in sizes:
        for name, runs in _runs(rows).items():
            failures += (f"{name}, {rows:,} rows: {failure}" for failure in runs.failures)
            for [measurement] in runs.measurements.values():
                peaks.setdefault(name, {})[rows] = measurement.peak_bytes
    return Report("Memory", memory_table(peaks), failures)


def _runs(rows: int) -> dict[str, Runs]:
    """Return the run of each mode by name."""
    runs = {}
    with served_table(rows) as (api_url, folder):
        stream_config = table_config(api_url, change_detection="stream")
        snapshots = str(folder / "snapshots")
        row_config = table_config(api_url, change_detection="row", snapshot_uri=snapshots)
        for name, contender in {
            "RECORD": record_contender(api_url, folder, rows),
            "BATCH Parquet": batch_contender(api_url, folder, rows),
            "`stream`": Contender("`stream`", tap_command(folder / "stream.json", stream_config), rows),
            "`row`, first run": Contender("`row`", tap_command(folder / "first.json", row_config), rows),
        }.items():
            log(f"{name}, {rows:,} rows")
            runs[name] = take_turns([contender], rounds=1)
    for name, key in KEYS.items():
        with second_run(rows, key) as second:
            runs[f"`row`, 1 % changed, {name}"] = take_turns([second.row], rounds=1)
    return runs
