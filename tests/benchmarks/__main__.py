"""Measure the tap, beside others where they do the same work, and print a report in Markdown.

throughput  rows per second on one large table, beside a plain SDK tap, the limit for BATCH, and dlt
streams     syncs of 100 to 1,000 small lists with a catalog, beside a plain SDK tap: time, and bytes of STATE messages
discovery   discovery of 300 small lists, at once and after 100 ms before each export
quota       one sync of 1,000 small lists with a quota of 500 requests: by 1 process, by 4, and by a plain SDK tap
changes     `change_detection: row` against a full send, alone and through target-postgres
memory      peak memory in every mode, on exports of --rows and of --large
shapes      peak memory on exports of blank cells (--blank), and on exports of many columns (--wide)

Without a CASE, all but memory and shapes. A missed target does not fail the benchmark: the exit code is 1 if a run
fails.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import tap_pigment
from tests.benchmarks.discovery import report_discovery
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.many_streams import report_streams
from tests.benchmarks.measure import log
from tests.benchmarks.memory import Shape, report_memory, report_shapes
from tests.benchmarks.plot import svg
from tests.benchmarks.quota import report_quota
from tests.benchmarks.row_changes import report_row_changes
from tests.benchmarks.throughput import report_throughput

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.results import Report

CASES = ("throughput", "streams", "discovery", "quota", "changes", "memory", "shapes")


def main() -> int:
    """Run the benchmark and return its exit code."""
    options = _options()
    _compile()
    at_start = versions()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {at_start}. Start-up included, median of {options.rounds}.")  # noqa: T201 - the report.
    failures: list[str] = []
    for case in options.cases or CASES[:-2]:
        log(case)
        report = _report(case, options)
        failures += report.failures
        print("", f"## {report.title}", "", *report.lines, sep="\n", flush=True)  # noqa: T201 - the report.
        if options.plot and report.groups:
            runs = "one run each" if report.is_one_run else f"median of {options.rounds}"
            title = f"{report.title}, start-up included, {runs}"
            notes = [f"{datetime.now(UTC):%Y-%m-%d}, {machine()}.", f"{at_start}."]
            options.plot.mkdir(parents=True, exist_ok=True)
            (options.plot / f"{case}.svg").write_text(svg(report.groups, title, notes), "utf-8")
    if versions() != at_start:
        failures.append(f"The code changed during the measurement: now {versions()}")
    if failures:
        print("", "## Failures", "", *(f"- {failure}" for failure in failures), sep="\n")  # noqa: T201 - the report.
    return 1 if failures else 0


def _report(case: str, options: argparse.Namespace) -> Report:
    reports: dict[str, Callable[[], Report]] = {
        "throughput": lambda: report_throughput(options.rows, options.rounds),
        "streams": lambda: report_streams(options.rounds),
        "discovery": lambda: report_discovery(options.rounds),
        "quota": report_quota,
        "changes": lambda: report_row_changes(options.rows, options.rounds),
        "memory": lambda: report_memory((options.rows, options.large)),
        "shapes": lambda: report_shapes((*options.blank, *options.wide)),
    }
    return reports[case]()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", choices=CASES, metavar="CASE", help="the cases to run")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large table (default: 1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender, in turns (default: 3)")
    parser.add_argument(
        "--large", type=int, default=20_000_000, metavar="ROWS", help="rows of the second size for memory (20000000)"
    )
    for option, shape, defaults, cells in (
        ("--blank", Shape.blank, ("3000000x40", "5000000x40", "10000000x40", "1000000x200"), "blank cells"),
        ("--wide", Shape.filled, ("10000x1000", "10000x2000", "10000x4000"), "numbers"),
    ):
        help_text = f"exports of {cells} for shapes ({' '.join(defaults)})"
        default = list(map(shape, defaults))
        parser.add_argument(option, type=shape, nargs="*", default=default, metavar="ROWSxCOLUMNS", help=help_text)
    parser.add_argument(
        "--plot", type=Path, metavar="FOLDER", help="draw all cases but memory and shapes as CASE.svg in a folder"
    )
    return parser.parse_args()


def _compile() -> None:
    """Compile all imported modules, as an installer does: where no bytecode is written, each run would compile them."""
    log("compiling")
    for folder in (sysconfig.get_path("purelib"), Path(tap_pigment.__file__).parent, Path(__file__).parent):
        compileall.compile_dir(folder, quiet=2, workers=0)


if __name__ == "__main__":
    sys.exit(main())
