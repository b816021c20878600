"""Run a contender and measure it: time from start to end, processor time, peak memory, and the rows that came out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.contenders import Contender, WrittenFiles

# What reads every contender's pipe; counting costs grep a tenth of a second for a million records.
_COUNT_RECORDS = ("grep", "-c", '^{"type": *"RECORD"')
_SHOWN_LINES = 2


class FailedError(Exception):
    """A contender failed, or did not write the rows it should have."""


@dataclass(frozen=True)
class Measurement:
    """What a run cost. Bytes are the peak of the largest of its processes."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


def measure(contender: Contender, rows: int) -> Measurement:
    """Return what a run costs that fetches an export of so many rows.

    Raises:
        FailedError: If it does not end well, or other rows come out.
    """
    files = contender.files
    if files:
        files.folder.mkdir()
    try:
        measurement, records = _run(contender)
        written = _rows_in(files) if files else records
    finally:
        if files:
            shutil.rmtree(files.folder)
    if written != rows:
        raise FailedError(f"wrote {written:,} rows of {rows:,}")
    return measurement


def _run(contender: Contender) -> tuple[Measurement, int]:
    """Run a contender's command and return its cost and the RECORD lines it wrote."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        environment = {**os.environ, **contender.environment}
        process = subprocess.Popen(contender.command, stdout=subprocess.PIPE, stderr=errors, env=environment)
        bytewise = {**os.environ, "LC_ALL": "C"}
        reader = subprocess.Popen(_COUNT_RECORDS, stdin=process.stdout, stdout=subprocess.PIPE, env=bytewise)
        assert process.stdout
        process.stdout.close()  # The reader's end is the only one.
        counted, _ = reader.communicate()
        # Unlike resource.getrusage, this is about one child and its own children, not about all there ever were.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise FailedError(f"exit code {process.returncode}: {_end_of(errors.read())}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measurement(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit), int(counted)


def _rows_in(files: WrittenFiles) -> int:
    if not any(files.folder.glob(files.glob)):
        raise FailedError("wrote no Parquet files")
    # In a process of its own: on Linux a child's peak is never below what its parent held when it was started.
    program = (sys.executable, "-m", "tests.benchmarks.parquet_rows", str(files.folder / files.glob), files.column)
    count = subprocess.run(program, capture_output=True, check=False)
    if count.returncode:
        raise FailedError(f"its Parquet files cannot be counted: {_end_of(count.stderr)}")
    return int(count.stdout)


def _end_of(log: bytes) -> str:
    lines = log.decode(errors="replace").strip().splitlines()
    return " / ".join(lines[-_SHOWN_LINES:]) or "it says nothing"
