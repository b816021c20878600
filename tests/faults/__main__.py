"""Run every fault against the tap and print the outcomes; exit code 1 if rows were lost or a failure was silent.

Each fault occurs in a sample (discovery), in the listing of blocks (metadata), and in the export of a stream, with and
without a state; once, and always; over HTTP/1.1 and HTTP/2. The server is a real one on localhost. The tap runs in this
process, with a clock on which waits between tries take no time.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from tests.faults.matrix import cells, outcomes
from tests.faults.report import bugs, full_table, is_bug, short_table
from tests.support.wire import Authority


def main() -> int:
    """Run the matrix and return its exit code."""
    logging.disable(logging.CRITICAL)  # Every cell logs its failures.
    with tempfile.TemporaryDirectory() as folder:
        found = outcomes(cells(), Authority(Path(folder)))
    report = [*full_table(found), "", *short_table(found), "", *bugs(found)]
    print("\n".join(report))  # noqa: T201 - the program prints a report.
    return int(any(is_bug(outcome) for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
