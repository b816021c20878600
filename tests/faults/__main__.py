"""Run every fault against the tap and print what became of it; exit code 1 if rows were lost or a failure was silent.

Each fault shows while columns are learnt from an export's beginning (discovery), while a sync lists the blocks
(metadata), and in a stream's export, with and without a state; once, and always; over HTTP/1.1 and HTTP/2. The server
is a real one on localhost, and the tap runs in this process, with a clock on which waits between tries take no time.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from tests.faults.matrix import cells, outcomes
from tests.faults.report import bugs, full_table, is_bug, short_table
from tests.wire import Authority


def main() -> int:
    """Run the matrix and return its exit code."""
    logging.disable(logging.CRITICAL)  # Every cell would tell its failures.
    with tempfile.TemporaryDirectory() as folder:
        found = outcomes(cells(), Authority(Path(folder)))
    report = [*full_table(found), "", *short_table(found), "", *bugs(found)]
    print("\n".join(report))  # noqa: T201 - the report is what this program is for.
    return int(any(is_bug(outcome) for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
