"""Hundreds of small lists: a sync with a catalog, beside a plain SDK tap; and discovery."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.commands import module, tap_command, tap_config
from tests.benchmarks.measure import CATALOG_STREAM_LINE, Contender, take_turns
from tests.benchmarks.results import BarGroup, Report, at_most, below, seconds_bar, seconds_cell, table, time_ratios
from tests.benchmarks.server import serving_lists

STREAMS = 300

_OURS = "tap-pigment"
_PLAIN = "plain SDK tap"
_TIME_TARGETS = {50: at_most(1.5), 150: below(1)}
_DISCOVERY_ROWS = 50
_DISCOVERY_TARGET = at_most(4)


def report_streams(rounds: int) -> Report:
    """Measure syncs of 300 small lists with a catalog."""
    lines, failures, groups = [], [], []
    for rows, target in _TIME_TARGETS.items():
        with serving_lists(STREAMS, rows) as api_url, tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ours = tap_command(folder / "ours.json", tap_config(api_url))
            plain_config = {"api_url": api_url, "api_key": "none", "lists": STREAMS}
            plain = tap_command(folder / "plain.json", plain_config, "tests.benchmarks.plain_tap")
            records = STREAMS * rows
            runs = take_turns([Contender(_OURS, ours, records), Contender(_PLAIN, plain, records)], rounds)
        failures += [f"{STREAMS} streams of {rows} rows: {failure}" for failure in runs.failures]
        if runs.failures:
            continue
        our_runs, plain_runs = runs.measurements[_OURS], runs.measurements[_PLAIN]
        ratios = time_ratios(our_runs, plain_runs)
        verdict = target.verdict(median(ratios))
        heading = f"{STREAMS} streams of {rows} rows"
        bars = seconds_bar(_OURS, our_runs, is_highlighted=True), seconds_bar(_PLAIN, plain_runs, is_highlighted=False)
        groups.append(BarGroup(heading, bars))
        lines.append(
            (
                heading,
                seconds_cell(our_runs),
                seconds_cell(plain_runs),
                f"{min(ratios):.2f}",
                f"{median(ratios):.2f}",
                verdict,
            )
        )
    heads = (
        "sync with a catalog",
        f"{_OURS}, seconds (least)",
        f"{_PLAIN}, seconds (least)",
        "times its time: minimum",
    )
    return Report("Small streams", table((*heads, "median", "target"), lines), failures, groups)


def report_discovery(rounds: int) -> Report:
    """Measure discovery of 300 small lists, from a server that does not delay its responses."""
    with serving_lists(STREAMS, _DISCOVERY_ROWS) as api_url, tempfile.TemporaryDirectory() as name:
        config = Path(name) / "config.json"
        config.write_text(json.dumps(tap_config(api_url)), "utf-8")
        command = module("tap_pigment", "--config", str(config), "--discover")
        runs = take_turns([Contender(_OURS, command, STREAMS, counted=CATALOG_STREAM_LINE)], rounds)
    lines = []
    for measurements in runs.measurements.values():
        seconds = median(run.seconds for run in measurements)
        verdict = _DISCOVERY_TARGET.verdict(seconds, unit=" s")
        lines.append((f"{STREAMS} blocks", seconds_cell(measurements), verdict))
    return Report("Discovery", table(("discovery", "seconds (least)", "target"), lines), runs.failures)
