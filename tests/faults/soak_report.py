"""The result of a soak as Markdown: counts over all runs, faults by group, and what the process used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.growth import growth, tenth_of
from tests.faults.soak_plan import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.faults.growth import Growth

_MEGABYTE = 1_000_000
_MEMORY = "resident memory"
# By how much the median of each figure may rise. Runs that fail keep snapshots for a while. A tap that is not freed has
# thousands of objects.
LIMITS: Mapping[str, float] = {
    "open files": 0,
    "threads": 0,
    "spooled files": 0,
    "temporary files": 0,
    "snapshot files": BLOCKS,
    "objects": 500,
    _MEMORY: 10 * _MEGABYTE,
}


@dataclass
class Totals:
    """What happened in all runs.

    Attributes:
        runs: How many there were, by transport.
        failed: How many failed.
        failed_streams: How many streams failed in them.
        requests: The requests of the tap.
        retries: Those of them that were tries after the first.
        injected: How often each group of faults occurred.
        emitted_rows: The RECORD messages.
        wrong_rows: The rows that a target lacked, or had too much, after each run.
        problems: What was wrong, with the run.
        used: What the process used after each run, by name of the figure.
    """

    runs: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failed_streams: int = 0
    requests: int = 0
    retries: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    emitted_rows: int = 0
    wrong_rows: int = 0
    problems: list[str] = field(default_factory=list)
    used: dict[str, list[int]] = field(default_factory=dict)

    def growths(self) -> dict[str, Growth]:
        """Return how each figure changed, without the first tenth of the runs, in which libraries fill their caches."""
        warm_up = tenth_of(self.runs.total())
        return {name: growth(self.used[name][warm_up:], limit) for name, limit in LIMITS.items()}

    @property
    def is_right(self) -> bool:
        """Whether nothing was wrong, and no figure grew."""
        return not (self.wrong_rows or self.problems or any(found.is_growth for found in self.growths().values()))


def soak_report(totals: Totals) -> list[str]:
    """Return the tables of a soak, and a line for each problem."""
    runs = totals.runs.total()
    counts = {
        "runs": runs,
        **{f"runs over {transport}": count for transport, count in sorted(totals.runs.items())},
        "runs without an error": runs - totals.failed,
        "runs that failed as they must": totals.failed,
        "streams that failed in them": totals.failed_streams,
        "requests": totals.requests,
        "retries": totals.retries,
        "faults": totals.injected.total(),
        **{f"faults: {group}": count for group, count in sorted(totals.injected.items())},
        "rows emitted": totals.emitted_rows,
        "rows wrong": totals.wrong_rows,
    }
    warm_up = tenth_of(runs)
    tenth = tenth_of(runs - warm_up)
    heads = ("figure", f"runs {warm_up + 1} to {warm_up + tenth}", f"runs {runs - tenth + 1} to {runs}", "per run")
    return [
        "| counted | |",
        "| --- | ---: |",
        *(f"| {name} | {count:,} |" for name, count in counts.items()),
        "",
        f"| {' | '.join(heads)} | grows |",
        "| --- | ---: | ---: | ---: | --- |",
        *(_growth_row(name, found) for name, found in totals.growths().items()),
        "",
        *(f"- {problem}" for problem in totals.problems),
    ]


def _growth_row(name: str, found: Growth) -> str:
    label, unit, decimals = (f"{name}, MB", _MEGABYTE, 1) if name == _MEMORY else (name, 1, 0)
    first, last = (f"{value / unit:,.{decimals}f}" for value in (found.first, found.last))
    return f"| {label} | {first} | {last} | {found.slope / unit:+,.3f} | {'yes' if found.is_growth else 'no'} |"
