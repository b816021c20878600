"""What sending only the changes saves: the tap alone and through target-postgres, against sending all; and its memory.

A run of each kind is a night after one on which everything was sent: of the export one row in a hundred has changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.contenders import Contender
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.measure import FailedError, Measurement, measure
from tests.benchmarks.results import megabytes
from tests.benchmarks.server import APPLICATION_ID, STREAM, serving
from tests.targets.databases import Postgres
from tests.targets.pipeline import environment
from tests.targets.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVERY = 100
"""One row in so many has changed."""
# Of rows without a key, one that has changed is one that is new and one that is gone.
RECORDS_PER_CHANGE = 2


@dataclass(frozen=True)
class Night:
    """The second night of two: what the first has left, and the commands that differ in what they send.

    Attributes:
        rows: The number of rows of the export.
        changed: The command of the tap that sends only what has changed.
        all_rows: The command that sends all rows.
        first_messages: The file in which everything is that the first night sent.
    """

    rows: int
    changed: tuple[str, ...]
    all_rows: tuple[str, ...]
    first_messages: Path

    @property
    def records(self) -> int:
        """How many records the changes are."""
        return RECORDS_PER_CHANGE * len(range(0, self.rows, EVERY))


def report_changes(rows: int, rounds: int, postgres_rows: int, large: int | None) -> int:
    """Print what sending only the changes saves, and return the exit code.

    Args:
        rows: Rows of the export for the tap alone.
        rounds: How often the tap alone runs.
        postgres_rows: Rows of the export for the run through target-postgres.
        large: Rows of the export for memory; None for no such run.
    """
    lines = [
        f"1 % of the rows changed, start-up included. {machine()}; {versions()}.",
        "",
        "| | seconds: changes | all rows | all rows / changes, minimum and median | target |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    with second_night(rows) as night:
        runs = tap_alone(night, rounds)
    ratios = [every.seconds / some.seconds for some, every in zip(runs["changes"], runs["all rows"], strict=True)]
    some, every = (median(run.seconds for run in of) for of in runs.values())
    lines.append(_row(f"tap alone, {rows:,} rows", some, every, (min(ratios), median(ratios)), 2))
    with second_night(postgres_rows) as night:
        seconds = through_postgres(night)
    ratio = seconds["all rows"] / seconds["changes"]
    name = f"into target-postgres, {postgres_rows:,} rows"
    lines.append(_row(name, seconds["changes"], seconds["all rows"], (ratio, ratio), 20))
    peaks = {rows: max(run.peak_bytes for run in runs["changes"])}
    if large:
        with second_night(large) as night:
            peaks[large] = measure(Contender("changes", night.changed), night.records).peak_bytes
    lines += [
        "",
        *(f"Peak memory of the changes at {count:,} rows: {megabytes(peak)}." for count, peak in peaks.items()),
    ]
    print("\n".join(lines))  # noqa: T201 - the report is what this program is for.
    return 0


def _row(name: str, some: float, every: float, ratios: tuple[float, float], target: float) -> str:
    verdict = "met" if ratios[1] >= target else "missed"
    return f"| {name} | {some:.2f} | {every:.2f} | {ratios[0]:.2f} / {ratios[1]:.2f} | {target:g}, {verdict} |"


@contextmanager
def second_night(rows: int) -> Iterator[Night]:
    """Serve an export after a first night with it, and one row in a hundred changed."""
    with tempfile.TemporaryDirectory(prefix="tap-pigment-benchmark-") as name:
        folder = Path(name)
        export = folder / "export.csv"
        subprocess.run([sys.executable, "-m", "tests.benchmarks.export_file", str(rows), str(export)], check=True)
        with serving(export) as api_url:
            config = {
                "api_key": "none",
                "api_url": api_url,
                "application_id": APPLICATION_ID,
                "stream_overrides": {STREAM: {"key_columns": []}},
            }
            row_config = {**config, "change_detection": "row", "snapshot_uri": str(folder / "snapshots")}
            all_rows = _tap(folder / "all.json", config)
            changed = _tap(folder / "row.json", row_config)
            messages, state = folder / "first.jsonl", folder / "state.json"
            with messages.open("wb") as output:
                subprocess.run(changed, stdout=output, stderr=subprocess.DEVNULL, check=True)
            state.write_text(json.dumps(json.loads(_last_line(messages))["value"]))
            change(export)
            yield Night(rows, (*changed, "--state", str(state)), all_rows, messages)


def change(export: Path) -> None:
    """Change one row in a hundred: the comment at its end."""
    changed = export.with_suffix(".changed")
    with export.open("rb") as before, changed.open("wb") as after:
        after.write(before.readline())
        for number, line in enumerate(before):
            after.write(line if number % EVERY else line.replace(b"\r\n", b"!\r\n"))
    changed.replace(export)


def tap_alone(night: Night, rounds: int) -> dict[str, list[Measurement]]:
    """Return what the two cost, in turns.

    A run of the night leaves a snapshot, which the next counts with, as its state does not come back: so it is removed.
    """
    runs: dict[str, list[Measurement]] = {"changes": [], "all rows": []}
    store = night.first_messages.parent / "snapshots" / STREAM
    kept = set(store.iterdir())
    for _ in range(rounds):
        runs["changes"].append(measure(Contender("changes", night.changed), night.records))
        for snapshot in set(store.iterdir()) - kept:
            snapshot.unlink()
        runs["all rows"].append(measure(Contender("all rows", night.all_rows), night.rows))
    return runs


def through_postgres(night: Night) -> dict[str, float]:
    """Return the seconds that each takes into a table of target-postgres that has the first night's rows."""
    with postgres() as url:
        database = Postgres(url, "benchmark")
        config = night.first_messages.with_name("target.json")
        config.write_text(json.dumps({**database.config, "use_copy": True}))
        target = (str(database.command), "--config", str(config))
        _load(("cat", str(night.first_messages)), target)
        # The changes come first: all rows leave them nothing to do.
        seconds = {"changes": _load(night.changed, target)}
        _check(database, night.rows, "_sdc_deleted_at IS NULL")
        seconds["all rows"] = _load(night.all_rows, target)
        return seconds


def _load(tap: tuple[str, ...], target: tuple[str, ...]) -> float:
    """Run the tap into the target and return the seconds until both have ended."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        source = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=log, env=environment())
        sink = subprocess.Popen(
            target,
            stdin=source.stdout,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environment(),
            cwd=tempfile.gettempdir(),
        )
        assert source.stdout
        source.stdout.close()
        codes = (source.wait(), sink.wait())
        if any(codes):
            log.seek(0)
            raise FailedError(f"exit codes {codes}: {log.read()[-500:].decode(errors='replace')}")
    return time.perf_counter() - start


def _check(database: Postgres, rows: int, condition: str) -> None:
    [(live,)] = database.query(f"SELECT count(*) FROM benchmark.{STREAM} WHERE {condition}")  # noqa: S608 - our names.
    if live != rows:
        raise FailedError(f"{live:,} live rows of {rows:,}")


def _tap(path: Path, config: Mapping[str, object]) -> tuple[str, ...]:
    """Return the command of the tap with a config, and with the catalog that it discovers."""
    path.write_text(json.dumps(config))
    command = (sys.executable, "-m", "tap_pigment", "--config", str(path))
    catalog = path.with_suffix(".catalog")
    found = subprocess.run((*command, "--discover"), capture_output=True, check=True)
    catalog.write_bytes(found.stdout)
    return (*command, "--catalog", str(catalog))


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 10_000))
        return file.read().splitlines()[-1]
