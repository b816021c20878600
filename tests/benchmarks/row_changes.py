"""Row changes against a full send: the tap alone, and through target-postgres.

The measured run is the second one: the first emitted all rows, and then one row in a hundred changed.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.columns import KEY
from tests.benchmarks.commands import served_table, table_config, tap_command
from tests.benchmarks.measure import Contender, FailedError, log, run_into, take_turns
from tests.benchmarks.results import Bar, BarGroup, Report, at_least, seconds_bar, seconds_cell, speed_ratios, table
from tests.benchmarks.server import STREAM
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KEYS = {"no key": (), f"key of {len(KEY)} columns": KEY}
"""The keys of the table, by their names in tables."""

_ROWS_PER_CHANGE = 100
_ROW, _FULL = "change_detection: row", "full send"
_TARGET_ALONE = at_least(1)
_TARGET_POSTGRES = at_least(20)


@dataclass(frozen=True)
class SecondRun:
    """A run after one that emitted all rows, and the two ways to do it.

    Attributes:
        row: The tap with `change_detection: row`.
        full: The tap that emits all rows again.
        first_messages: The file of all messages of the first run.
    """

    row: Contender
    full: Contender
    first_messages: Path


def report_row_changes(rows: int, rounds: int) -> Report:
    """Measure `row` against a full send, without a key and with one."""
    lines, failures, groups = [], [], []
    for name, key in KEYS.items():
        with second_run(rows, key) as run:
            runs = take_turns([run.row, run.full], rounds)
        failures += [f"{name}: {failure}" for failure in runs.failures]
        if runs.failures:
            continue
        row, full = (runs.measurements[contender.name] for contender in (run.row, run.full))
        ratios = speed_ratios(row, full)
        figures = seconds_cell(row), seconds_cell(full), f"{min(ratios):.2f}", f"{median(ratios):.2f}"
        lines.append((f"tap alone, {name}", *figures, _TARGET_ALONE.verdict(median(ratios))))
        bars = seconds_bar(_ROW, row, is_highlighted=True), seconds_bar(_FULL, full, is_highlighted=False)
        groups.append(BarGroup(f"The tap alone, {name}", bars))
    try:
        with second_run(rows) as run:
            row_seconds, full_seconds = _through_postgres(run)
    except FailedError as error:
        failures.append(f"target-postgres: {error}")
    else:
        ratio = full_seconds / row_seconds
        figures = f"{row_seconds:.2f}", f"{full_seconds:.2f}", f"{ratio:.2f}", f"{ratio:.2f}"
        lines.append(("into target-postgres, no key, one run", *figures, _TARGET_POSTGRES.verdict(ratio)))
        loads = (_ROW, row_seconds, True), (_FULL, full_seconds, False)
        loaded = [Bar(name, seconds, f"{seconds:.1f} s", highlighted) for name, seconds, highlighted in loads]
        groups.append(BarGroup("Into target-postgres, no key, one run", loaded))
    heads = (
        "1 % of the rows changed",
        "`row`, seconds (least)",
        "full send, seconds (least)",
        "times as fast: minimum",
    )
    lines_of_table = table((*heads, "median", "target"), lines)
    return Report(f"Row changes, 1 % of {rows:,} rows", lines_of_table, failures, groups)


@contextmanager
def second_run(rows: int, key: Sequence[str] = ()) -> Iterator[SecondRun]:
    """Serve an export that was emitted once, and of which one row in a hundred then changed."""
    with served_table(rows) as (api_url, folder):
        snapshots = folder / "snapshots"
        row_config = table_config(api_url, key, change_detection="row", snapshot_uri=str(snapshots))
        row_command = tap_command(folder / "row.json", row_config)
        full_command = tap_command(folder / "full.json", table_config(api_url, key))
        messages, state = folder / "first.jsonl", folder / "state.json"
        log(f"first run, {rows:,} rows")
        run_into(messages, row_command)
        state.write_text(json.dumps(json.loads(_last_line(messages))["value"]), "utf-8")
        changed = _change(folder / "export.csv")
        store = snapshots / STREAM
        kept = set(store.iterdir())

        def remove_new_snapshots() -> None:
            # The next run would compare with them too, because no state names them.
            for snapshot in set(store.iterdir()) - kept:
                snapshot.unlink()

        # Without a key, a changed row is a new row and a deleted one.
        records = changed if key else 2 * changed
        row = Contender("`row`", (*row_command, "--state", str(state)), records, restore=remove_new_snapshots)
        yield SecondRun(row, Contender("full send", full_command, rows), messages)


def _change(export: Path) -> int:
    """Change the comment, the last cell, of one row in a hundred, and return how many rows changed."""
    changed = 0
    path = export.with_suffix(".changed")
    with export.open("rb") as before, path.open("wb") as after:
        after.write(before.readline())
        for number, line in enumerate(before):
            if number % _ROWS_PER_CHANGE:
                after.write(line)
            else:
                after.write(line.replace(b"\r\n", b"!\r\n"))
                changed += 1
    path.replace(export)
    return changed


def _through_postgres(run: SecondRun) -> tuple[float, float]:
    """Return the seconds of `row` and of a full send into a table that holds the rows of the first run."""
    # Only here, because a child's peak is never below its parent's memory: see measure.py.
    from tests.targets.databases import Postgres  # noqa: PLC0415 - see above.
    from tests.targets.postgres import postgres  # noqa: PLC0415 - see above.

    with postgres() as url:
        database = Postgres(url, "benchmark")
        config = run.first_messages.with_name("target.json")
        config.write_text(json.dumps({**database.config, "use_copy": True}), "utf-8")
        target = (str(database.command), "--config", str(config))
        log("loading the first run into PostgreSQL")
        _load(("cat", str(run.first_messages)), target)
        # `row` runs first: after a full send no change would be left for it.
        row_seconds = _load(run.row.command, target)
        [(live,)] = database.query(f"SELECT count(*) FROM benchmark.{STREAM} WHERE _sdc_deleted_at IS NULL")  # noqa: S608 - our names.
        if live != run.full.rows:
            raise FailedError(f"{live:,} live rows of {run.full.rows:,}")
        log(f"`row` into target-postgres: {row_seconds:.2f} s")
        full_seconds = _load(run.full.command, target)
        log(f"full send into target-postgres: {full_seconds:.2f} s")
        return row_seconds, full_seconds


def _load(tap: tuple[str, ...], target: tuple[str, ...]) -> float:
    """Run the tap into the target and return the seconds until both have ended."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log_file:
        source = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=log_file, env=environment())
        sink = subprocess.Popen(
            target,
            stdin=source.stdout,
            stdout=subprocess.DEVNULL,
            stderr=log_file,
            env=environment(),
            cwd=tempfile.gettempdir(),
        )
        assert source.stdout
        source.stdout.close()
        codes = (source.wait(), sink.wait())
        if any(codes):
            log_file.seek(0)
            raise FailedError(f"exit codes {codes}: {log_file.read()[-500:].decode(errors='replace')}")
    return time.perf_counter() - start


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 10_000))
        return file.read().splitlines()[-1]
