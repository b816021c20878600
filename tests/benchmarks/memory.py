"""Peak memory of the tap: in every mode at two sizes of an export, and for blank and for wide exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.benchmarks.commands import served_export, served_table, table_config, tap_command, tap_config
from tests.benchmarks.measure import Contender, log, take_turns
from tests.benchmarks.results import Report, megabytes, memory_table, table
from tests.benchmarks.row_changes import KEYS, second_run
from tests.benchmarks.server import STREAM
from tests.benchmarks.throughput import batch_contender, record_contender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.measure import Runs

_SHAPED_MODES = ("RECORD", "`row`, first run")


@dataclass(frozen=True)
class Shape:
    """The numbers of rows and columns of an export, written as `3000000x40`, and its cells: all are the same."""

    rows: int
    columns: int
    cell: str

    @classmethod
    def blank(cls, text: str) -> Self:
        """Return the shape of an export of blank cells."""
        rows, columns = map(int, text.split("x"))
        return cls(rows, columns, cell="")

    @classmethod
    def filled(cls, text: str) -> Self:
        """Return the shape of an export of numbers."""
        rows, columns = map(int, text.split("x"))
        return cls(rows, columns, cell="12")

    def __str__(self) -> str:
        """Return the shape in words."""
        return f"{self.rows:,} rows of {self.columns:,} {'columns' if self.cell else 'blank columns'}"


def report_shapes(shapes: Sequence[Shape]) -> Report:
    """Measure one run on each shape, with and without a snapshot of its rows, which have no key."""
    lines: list[tuple[str, ...]] = []
    failures: list[str] = []
    for shape in shapes:
        runs = _shaped_runs(shape)
        failures += (f"{shape}: {failure}" for failure in runs.failures)
        figures = [
            f"{megabytes(run.peak_bytes)}, {run.seconds:.0f} s"
            for mode in _SHAPED_MODES
            for run in runs.measurements.get(mode, ())
        ]
        if not runs.failures:
            lines.append((str(shape), *figures))
    return Report("Memory by shape", table(("peak memory, seconds", *_SHAPED_MODES), lines), failures)


def _shaped_runs(shape: Shape) -> Runs:
    """Return the run of each mode by name."""
    with served_export("tests.benchmarks.shaped_file", shape.rows, str(shape.columns), shape.cell) as (api_url, folder):
        plain = tap_config(api_url, stream_overrides={STREAM: {"key_columns": []}})
        by_row = {**plain, "change_detection": "row", "snapshot_uri": str(folder / "snapshots")}
        commands = tap_command(folder / "plain.json", plain), tap_command(folder / "row.json", by_row)
        contenders = [
            Contender(mode, command, shape.rows) for mode, command in zip(_SHAPED_MODES, commands, strict=True)
        ]
        log(str(shape))
        return take_turns(contenders, rounds=1)


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
