"""Run a contender and measure it: time from start to end, processor time, peak memory, and what it wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

RECORD_LINE = '^{"type": *"RECORD"'
STATE_LINE = '^{"type": *"STATE"'
CATALOG_STREAM_LINE = '"tap_stream_id":'

_SHOWN_LINES = 2


class FailedError(Exception):
    """A contender failed, or wrote another number of rows than it should."""


@dataclass(frozen=True)
class WrittenFiles:
    """The Parquet files of a run.

    Attributes:
        folder: Empty before a run, and deleted after it.
        glob: The files in it that hold the rows.
        column: A column that is filled in every row.
    """

    folder: Path
    glob: str
    column: str


@dataclass(frozen=True)
class Contender:
    """One way to download exports.

    Attributes:
        name: Its name in tables.
        command: The command line; its stdout is a pipe that is read to the end.
        rows: How many rows it must write: other numbers are failures.
        files: The files that hold its rows; None if its stdout does.
        counted: The pattern of the lines of stdout to count as rows.
        environment: Variables in addition to those of this process.
        restore: Called after each run, so that the next one starts from the same files; None for nothing.
    """

    name: str
    command: tuple[str, ...]
    rows: int
    files: WrittenFiles | None = None
    counted: str = RECORD_LINE
    environment: Mapping[str, str] = field(default_factory=dict)
    restore: Callable[[], object] | None = None


@dataclass(frozen=True)
class Measurement:
    """The costs of a run. Bytes are the peak of the largest of its processes."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Runs:
    """The measurements of each contender by name, one for each round, and the failures of the others."""

    measurements: Mapping[str, Sequence[Measurement]]
    failures: Sequence[str]


def take_turns(contenders: Sequence[Contender], rounds: int) -> Runs:
    """Measure contenders in turns, round after round; one that fails is out."""
    measurements: dict[str, list[Measurement]] = {contender.name: [] for contender in contenders}
    failures: dict[str, str] = {}
    for number in range(1, rounds + 1):
        for contender in contenders:
            name = contender.name
            if name in failures:
                continue
            try:
                run = measure(contender)
            except FailedError as error:
                failures[name] = f"{name}: {error}"
                log(f"round {number}: {failures[name]}")
                continue
            measurements[name].append(run)
            log(
                f"round {number}: {name}: {run.seconds:.2f} s, {run.processor_seconds:.2f} s of processors, "
                f"{run.peak_bytes / 1e6:.0f} MB"
            )
    return Runs({name: runs for name, runs in measurements.items() if name not in failures}, list(failures.values()))


def measure(contender: Contender) -> Measurement:
    """Return the costs of a run.

    Raises:
        FailedError: If its exit code is not 0, or it does not write the expected rows.
    """
    files = contender.files
    if files:
        files.folder.mkdir()
    try:
        measurement, lines = _run(contender)
        written = _rows_in(files) if files else lines
    finally:
        if files:
            shutil.rmtree(files.folder)
        if contender.restore:
            contender.restore()
    if written != contender.rows:
        raise FailedError(f"wrote {written:,} rows of {contender.rows:,}")
    return measurement


def run_into(output: Path, command: Sequence[str]) -> None:
    """Run a command that is not measured, and write its stdout to a file.

    Raises:
        FailedError: If its exit code is not 0.
    """
    with output.open("wb") as stdout:
        finished = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=False)
    if finished.returncode:
        raise FailedError(f"{' '.join(command)}: exit code {finished.returncode}: {_end_of(finished.stderr)}")


def log(progress: str) -> None:
    """Report progress on stderr."""
    print(progress, file=sys.stderr, flush=True)  # noqa: T201 - progress.


def _run(contender: Contender) -> tuple[Measurement, int]:
    """Run a contender's command, and return its costs and the number of counted lines."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        environment = {**os.environ, **contender.environment}
        process = subprocess.Popen(contender.command, stdout=subprocess.PIPE, stderr=errors, env=environment)
        # It reads every contender's pipe; to count costs it a tenth of a second for a million records.
        counter = ("grep", "-c", contender.counted)
        bytewise = {**os.environ, "LC_ALL": "C"}
        reader = subprocess.Popen(counter, stdin=process.stdout, stdout=subprocess.PIPE, env=bytewise)
        assert process.stdout
        process.stdout.close()  # The reader's end is the only one.
        counted, _ = reader.communicate()
        # Unlike resource.getrusage, this is about one child and its own children, not about all earlier ones.
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
    # In a process of its own: on Linux a child's peak is never below its parent's memory at the start.
    program = (sys.executable, "-m", "tests.benchmarks.parquet_rows", str(files.folder / files.glob), files.column)
    count = subprocess.run(program, capture_output=True, check=False)
    if count.returncode:
        raise FailedError(f"cannot count the rows of the Parquet files: {_end_of(count.stderr)}")
    return int(count.stdout)


def _end_of(log: bytes) -> str:
    lines = log.decode(errors="replace").strip().splitlines()
    return " / ".join(lines[-_SHOWN_LINES:]) or "no message"
