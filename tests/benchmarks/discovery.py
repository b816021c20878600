"""Discovery of hundreds of small lists: as fast as the tap can, and while each export keeps it waiting."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.commands import module, tap_config
from tests.benchmarks.measure import CATALOG_STREAM_LINE, Contender, take_turns
from tests.benchmarks.results import Bar, BarGroup, Report, at_most, seconds_bar, seconds_cell, table
from tests.benchmarks.server import serving_lists

if TYPE_CHECKING:
    from tests.benchmarks.measure import Runs

_BLOCKS = 300
_ROWS = 50
_DELAY_SECONDS = 0.1
_PARALLEL_EXPORTS = 8
_TARGETS = {0: at_most(4), _DELAY_SECONDS: at_most(8)}
_OURS = "tap-pigment"


def report_discovery(rounds: int, blocks: int = _BLOCKS) -> Report:
    """Measure discovery from a server that answers at once, and from one that waits before each export.

    The plain SDK tap has no discovery to compare with: it knows its lists and their columns.
    """
    lines, groups = [], []
    failures: list[str] = []
    for delay_seconds, target in _TARGETS.items():
        delay = f"{delay_seconds * 1_000:.0f} ms" if delay_seconds else "no delay"
        heading = f"{blocks:,} blocks, {delay} before each export"
        runs = _measure(blocks, delay_seconds, rounds)
        failures += [f"{heading}: {failure}" for failure in runs.failures]
        if runs.failures:
            continue
        measurements = runs.measurements[_OURS]
        least = blocks * delay_seconds / _PARALLEL_EXPORTS
        verdict = target.verdict(median(run.seconds for run in measurements), unit=" s")
        lines.append((heading, seconds_cell(measurements), f"{least:.2f} s", "no discovery", verdict))
        bars = [seconds_bar(_OURS, measurements, is_highlighted=True)]
        if delay_seconds:
            bars.append(_delays_bar(f"{_PARALLEL_EXPORTS} at once", least))
            bars.append(_delays_bar("one by one", blocks * delay_seconds))
        groups.append(BarGroup(heading, bars))
    title = f"Discovery, {_PARALLEL_EXPORTS} exports at once"
    heads = "discovery", f"{_OURS}, seconds (least)", "the delays alone", "plain SDK tap", "target"
    return Report(title, table(heads, lines), failures, groups)


def _delays_bar(order: str, seconds: float) -> Bar:
    return Bar(f"the delays alone, {order}", seconds, f"{seconds:.1f} s", is_highlighted=False)


def _measure(blocks: int, delay_seconds: float, rounds: int) -> Runs:
    serving = serving_lists(blocks, _ROWS, delay_seconds=delay_seconds)
    with serving as api_url, tempfile.TemporaryDirectory() as name:
        config = Path(name) / "config.json"
        config.write_text(json.dumps(tap_config(api_url, parallel_exports=_PARALLEL_EXPORTS)), "utf-8")
        command = module("tap_pigment", "--config", str(config), "--discover")
        return take_turns([Contender(_OURS, command, blocks, counted=CATALOG_STREAM_LINE)], rounds)
