"""Run the benchmark: every contender in turn, round after round, on one export; tables in Markdown on stdout."""

from __future__ import annotations

import argparse
import compileall
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import tap_pigment
from tests.benchmarks.changes import report_changes
from tests.benchmarks.contenders import Contender, contenders, our_contenders
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.measure import FailedError, Measurement, measure
from tests.benchmarks.plot import svg
from tests.benchmarks.results import memory_table, ratio_table, speed_table, summary
from tests.benchmarks.server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def main() -> int:
    """Run the benchmark and return its exit code: 1 if a contender failed. A target that is missed is said, no more."""
    options = _options()
    _compile()
    if options.changes:
        return report_changes(options.rows, options.rounds, options.changes, options.large)
    at_start = versions()
    with _served_export(options.rows) as (api_url, folder):
        runs, failures = _rounds(contenders(api_url, folder), options.rows, options.rounds)
    large_runs: dict[str, list[Measurement]] = {}
    if options.large:
        with _served_export(options.large) as (api_url, folder):
            large_runs, large_failures = _rounds(our_contenders(api_url, folder), options.large, rounds=1)
        failures += large_failures
    if versions() != at_start:
        failures.append(f"the code changed while it was measured: now {versions()}")

    summaries = {name: summary(measurements, options.rows) for name, measurements in runs.items() if measurements}
    title = f"{options.rows:,} rows, start-up included, median of {options.rounds}"
    when = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}"
    report = [f"{title}. {when}; {at_start}.", "", *speed_table(summaries), "", *ratio_table(runs)]
    peaks = {
        name: {options.rows: summaries[name].peak_bytes, options.large: large_run.peak_bytes}
        for name, [large_run] in large_runs.items()
        if name in summaries
    }
    if peaks:
        report += ["", *memory_table(peaks)]
    if failures:
        report += ["", *(f"- {failure}" for failure in failures)]
    print("\n".join(report))  # noqa: T201 - the report is what this program is for.
    if options.plot and summaries:
        options.plot.write_text(svg(summaries, title, [f"{when}.", f"{at_start}."]), "utf-8")
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the export (default: 1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs (default: 3)")
    parser.add_argument(
        "--large", type=int, metavar="ROWS", help="run this tap on an export of so many rows, for memory"
    )
    parser.add_argument(
        "--changes",
        type=int,
        metavar="ROWS",
        help="compare sending only what changed with sending all: the tap alone on --rows, for memory on --large, and "
        "through target-postgres on so many rows",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw rows per second into this SVG")
    return parser.parse_args()


def _compile() -> None:
    """Compile what will be imported, as an installer does: where no bytecode is written, each run would do it anew."""
    _say("compiling")
    for folder in (sysconfig.get_path("purelib"), Path(tap_pigment.__file__).parent, Path(__file__).parent):
        compileall.compile_dir(folder, quiet=2, workers=0)


@contextmanager
def _served_export(rows: int) -> Iterator[tuple[str, Path]]:
    """Write and serve an export; yield the API's address and a folder for the runs."""
    with tempfile.TemporaryDirectory(prefix="tap-pigment-benchmark-") as name:
        folder = Path(name)
        export = folder / "export.csv"
        _say(f"writing an export of {rows:,} rows")
        # In a process of its own, so that this one stays small: see measure.py.
        subprocess.run([sys.executable, "-m", "tests.benchmarks.export_file", str(rows), str(export)], check=True)
        with serving(export) as api_url:
            yield api_url, folder


def _rounds(
    taking_part: Mapping[str, Contender], rows: int, rounds: int
) -> tuple[dict[str, list[Measurement]], list[str]]:
    """Run the contenders in turns; return the measurements by name, and what failed. Who fails takes part no more."""
    runs: dict[str, list[Measurement]] = {name: [] for name in taking_part}
    failures: dict[str, str] = {}
    for number in range(1, rounds + 1):
        for name, contender in taking_part.items():
            if name in failures:
                continue
            try:
                run = measure(contender, rows)
            except FailedError as error:
                failures[name] = f"{name}, {rows:,} rows: {error}"
                _say(f"round {number}: {failures[name]}")
                continue
            runs[name].append(run)
            _say(f"round {number}: {name}: {run.seconds:.2f} s, {run.peak_bytes / 1e6:.0f} MB")
    return {name: measured for name, measured in runs.items() if name not in failures}, list(failures.values())


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)  # noqa: T201 - progress.


if __name__ == "__main__":
    sys.exit(main())
