"""Try every fault against the tap, or many runs in a row, and print the outcomes; exit code 1 if anything is wrong.

matrix  every fault: in a sample (discovery), in the listing of blocks (metadata), and in the export of a stream, with
        and without a state; once, and always; over HTTP/1.1 and HTTP/2. This is the default.
soak    --runs runs in a row of 20 blocks, with random faults by --seed and exports that change in between: the rows of
        targets after each run, and open files, threads, files left behind and memory from run to run

The server is a real one on localhost. The tap runs in this process, with a clock on which waits between tries take no
time.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.machine import machine, versions
from tests.faults.matrix import cells, outcomes
from tests.faults.report import bugs, full_table, is_bug, short_table
from tests.faults.soak import soak
from tests.faults.soak_report import soak_report
from tests.support.wire import Authority

MIN_RUNS = 3


def main() -> int:
    """Run the matrix or the soak, and return the exit code."""
    options = _options()
    logging.disable(logging.CRITICAL)  # Each fault is logged.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority(folder)
        if options.case == "soak":
            totals = soak(folder, authority, runs=options.runs, seed=options.seed)
            is_right = totals.is_right
            conditions = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {versions()}. Seed {options.seed}."
            report = [conditions, "", *soak_report(totals)]
        else:
            found = outcomes(cells(), authority)
            is_right = not any(is_bug(outcome) for outcome in found)
            report = [*full_table(found), "", *short_table(found), "", *bugs(found)]
    print("\n".join(report))  # noqa: T201 - the program prints a report.
    return int(not is_right)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", nargs="?", default="matrix", choices=["matrix", "soak"])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.runs < MIN_RUNS:
        parser.error(f"--runs: a soak needs at least {MIN_RUNS}, to see what grows.")
    return options


if __name__ == "__main__":
    sys.exit(main())
