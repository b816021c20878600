"""Syncs of hundreds of small lists with a catalog, beside a plain SDK tap."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.commands import tap_command, tap_config
from tests.benchmarks.measure import STATE_LINE, Contender, log, run_into, take_turns
from tests.benchmarks.results import (
    Bar,
    BarGroup,
    Report,
    at_most,
    below,
    seconds_bar,
    seconds_cell,
    table,
    time_ratios,
)
from tests.benchmarks.server import serving_lists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.measure import Measurement

OURS, PLAIN = TAPS = ("tap-pigment", "plain SDK tap")


@dataclass(frozen=True)
class Size:
    """How many lists a workspace has, and how many rows each of them."""

    streams: int
    rows: int

    def __str__(self) -> str:
        """Return the size in words."""
        return f"{self.streams:,} streams of {self.rows:,} rows"


_COMPARED_ROWS = 50
SIZES = (*(Size(streams, _COMPARED_ROWS) for streams in (100, 300, 1_000)), Size(300, 150))
_TIME_TARGETS = {Size(300, _COMPARED_ROWS): at_most(1.5), Size(300, 150): below(1)}


@dataclass(frozen=True)
class _Syncs:
    """The syncs of a workspace with each tap, by the tap's name.

    Attributes:
        size: The size of the workspace.
        runs: The measurements.
        output_bytes: The bytes of all messages of a sync.
        state_bytes: The bytes of its STATE messages.
    """

    size: Size
    runs: Mapping[str, Sequence[Measurement]]
    output_bytes: Mapping[str, int]
    state_bytes: Mapping[str, int]

    def streams_per_second(self, tap: str) -> float:
        """Return the rate of a tap, start-up included."""
        return self.size.streams / median(run.seconds for run in self.runs[tap])


def report_streams(rounds: int, sizes: Sequence[Size] = SIZES) -> Report:
    """Measure syncs of workspaces of some sizes."""
    measured: list[_Syncs] = []
    failures: list[str] = []
    for size in sizes:
        log(str(size))
        syncs, failed = _measure(size, rounds)
        failures += [f"{size}: {failure}" for failure in failed]
        measured += [] if failed else [syncs]
    heads = "sync with a catalog", f"{OURS}, seconds (least)", f"{PLAIN}, seconds (least)", "times its time: minimum"
    times = table((*heads, "median", "target"), map(_times_row, measured))
    rate_heads = "streams per second", *TAPS, *(f"STATE of {tap}" for tap in TAPS)
    rates = table(rate_heads, map(_rates_row, measured))
    return Report("Small streams", [*times, "", *rates], failures, _bar_groups(measured))


def _measure(size: Size, rounds: int) -> tuple[_Syncs, Sequence[str]]:
    """Return the syncs of a workspace, and the failures."""
    with serving_lists(size.streams, size.rows) as api_url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain_config = {"api_url": api_url, "api_key": "none", "lists": size.streams}
        commands = {
            OURS: tap_command(folder / "ours.json", tap_config(api_url)),
            PLAIN: tap_command(folder / "plain.json", plain_config, "tests.benchmarks.plain_tap"),
        }
        records = size.streams * size.rows
        runs = take_turns([Contender(tap, command, records) for tap, command in commands.items()], rounds)
        outputs = {tap: _output_bytes(commands[tap], folder / "output") for tap in runs.measurements}
    all_bytes, state_bytes = ({tap: counts[place] for tap, counts in outputs.items()} for place in range(2))
    return _Syncs(size, runs.measurements, all_bytes, state_bytes), runs.failures


def _output_bytes(command: Sequence[str], path: Path) -> tuple[int, int]:
    """Run a tap once more, and return the bytes of all its messages, and those of its STATE messages."""
    run_into(path, command)
    is_state = re.compile(STATE_LINE.encode()).match
    with path.open("rb") as messages:
        return path.stat().st_size, sum(len(message) for message in messages if is_state(message))


def _times_row(syncs: _Syncs) -> tuple[str, ...]:
    ours, plain = (syncs.runs[tap] for tap in TAPS)
    ratios = time_ratios(ours, plain)
    target = _TIME_TARGETS.get(syncs.size)
    verdict = target.verdict(median(ratios)) if target else "for information"
    figures = seconds_cell(ours), seconds_cell(plain), f"{min(ratios):.2f}", f"{median(ratios):.2f}"
    return str(syncs.size), *figures, verdict


def _rates_row(syncs: _Syncs) -> tuple[str, ...]:
    rates = (f"{syncs.streams_per_second(tap):.0f}" for tap in TAPS)
    states = (f"{syncs.state_bytes[tap] / 1e6:.1f} of {syncs.output_bytes[tap] / 1e6:.1f} MB" for tap in TAPS)
    return str(syncs.size), *rates, *states


def _bar_groups(measured: Sequence[_Syncs]) -> list[BarGroup]:
    """Return the seconds where there is a target, and streams per second where only the number of streams differs."""
    groups = [
        BarGroup(str(syncs.size), [seconds_bar(tap, syncs.runs[tap], is_highlighted=tap == OURS) for tap in TAPS])
        for syncs in measured
        if syncs.size in _TIME_TARGETS
    ]
    rates = [
        Bar(f"{tap}, {syncs.size.streams:,} streams", rate, f"{rate:.0f}", is_highlighted=tap == OURS)
        for tap in TAPS
        for syncs in measured
        if syncs.size.rows == _COMPARED_ROWS
        for rate in [syncs.streams_per_second(tap)]
    ]
    return [*groups, BarGroup(f"Streams per second, {_COMPARED_ROWS} rows each", rates)] if rates else groups
