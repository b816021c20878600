"""A sync of more blocks than the quota has requests for in one window, in a time that passes faster.

The server counts strictly, and refuses what is over the quota. Its window is as much shorter than Pigment's as the
clocks of the taps are faster: see quick_taps.py.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.commands import module, tap_command, tap_config
from tests.benchmarks.measure import Contender, FailedError, log, measure
from tests.benchmarks.results import Bar, BarGroup, Report, at_most, table
from tests.benchmarks.server import Window, counts, serving_lists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SPEED = 7.5
"""How many seconds pass for the taps in one second of the server.

Delays between the count of a request and its arrival are not scaled. The tap's reserve for them, 1 % of the window, is
0.4 s at this speed.
"""

_BLOCKS = 1_000
_REQUESTS = 500
_WINDOW_SECONDS = 300 / SPEED
_ROWS = 50
_PROCESSES = 4
_OURS, _SHARED, _PLAIN = "tap-pigment", f"tap-pigment, {_PROCESSES} processes, quota_file", "plain SDK tap"
_TARGET_REFUSED = at_most(0)
_TARGET_TIME = at_most(1.1)


@dataclass(frozen=True)
class Sync:
    """A sync of all blocks.

    Attributes:
        requests: The requests that the server received.
        refused: Those of them that it refused with a 429.
        seconds: The time from the start of the first process to the end of the last one.
        failures: The failures of processes.
    """

    requests: int
    refused: int
    seconds: float
    failures: Sequence[str]

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        refused = f"{self.refused:,} refused (429)"
        return f"failed after {self.requests - self.refused:,} exports, {refused}" if self.failures else refused

    def least_seconds(self, window: Window) -> float:
        """Return the seconds that must pass: those of the windows that are full before the last one begins."""
        return (math.ceil((self.requests - self.refused) / window.requests) - 1) * window.seconds


def report_quota(blocks: int = _BLOCKS, requests: int = _REQUESTS) -> Report:
    """Measure one sync of the tap, one of several processes with the same `quota_file`, and one of the plain tap.

    The plain tap has no limit; that it fails is a result, and no failure of the benchmark.
    """
    window = Window(requests, _WINDOW_SECONDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        streams = _catalog_streams(folder, blocks)
        alone: dict[str, Any] = {"requests_per_window": requests}
        shared = {**alone, "quota_file": str(folder / "quota")}
        syncs = {
            way: _sync(way, blocks, window, contenders)
            for way, contenders in (
                (_OURS, lambda api_url: _ours(folder, api_url, streams, 1, alone)),
                (_SHARED, lambda api_url: _ours(folder, api_url, streams, _PROCESSES, shared)),
                (_PLAIN, lambda api_url: [_plain(folder, api_url, blocks)]),
            )
        }
    heading = f"{blocks:,} blocks, {requests:,} requests in any {window.seconds:g} s, which stand for 5 minutes"
    heads = heading, "requests", "refused (429)", "seconds", "the windows alone", "times that", "target"
    lines = table(heads, [_row(way, sync, window) for way, sync in syncs.items()])
    failures = [f"{way}: {failure}" for way in (_OURS, _SHARED) for failure in syncs[way].failures]
    return Report("Quota", lines, failures, [BarGroup(heading, _bars(syncs, window))], is_one_run=True)


def _catalog_streams(folder: Path, blocks: int) -> list[dict[str, Any]]:
    """Return the streams of a catalog, discovered from a server without a quota."""
    with serving_lists(blocks, _ROWS) as api_url:
        config = folder / "all.json"
        tap_command(config, tap_config(api_url))
    streams: list[dict[str, Any]] = json.loads(config.with_suffix(".catalog").read_bytes())["streams"]
    return streams


def _ours(
    folder: Path, api_url: str, streams: Sequence[dict[str, Any]], processes: int, settings: Mapping[str, Any]
) -> list[Contender]:
    """Return the tap, as several processes with a part of the streams each."""
    contenders = []
    for number in range(processes):
        part = streams[number::processes]
        config, catalog = folder / f"{number}.json", folder / f"{number}.catalog"
        include = [stream["tap_stream_id"] for stream in part]
        config.write_text(json.dumps(tap_config(api_url, include=include, **settings)), "utf-8")
        catalog.write_text(json.dumps({"streams": part}), "utf-8")
        command = _quick("ours", "--config", str(config), "--catalog", str(catalog))
        contenders.append(Contender(f"process {number + 1}", command, len(part) * _ROWS))
    return contenders


def _plain(folder: Path, api_url: str, blocks: int) -> Contender:
    config = folder / "plain.json"
    config.write_text(json.dumps({"api_url": api_url, "api_key": "none", "lists": blocks}), "utf-8")
    return Contender(_PLAIN, _quick("plain", "--config", str(config)), blocks * _ROWS)


def _quick(*arguments: str) -> tuple[str, ...]:
    return module("tests.benchmarks.quick_taps", *arguments)


def _sync(way: str, blocks: int, window: Window, contenders: Callable[[str], Sequence[Contender]]) -> Sync:
    """Run contenders side by side, against a server of their own."""
    with serving_lists(blocks, _ROWS, quota=window) as api_url:
        processes = contenders(api_url)
        start = time.perf_counter()
        with ThreadPoolExecutor(len(processes)) as pool:
            failures = [failure for failure in pool.map(_failure, processes) if failure]
        seconds = time.perf_counter() - start
        counted = counts(api_url)
    sync = Sync(counted.requests, counted.refused, seconds, failures)
    log("; ".join([f"{way}: {seconds:.2f} s, {counted.requests:,} requests, {sync.ending}", *failures]))
    return sync


def _failure(contender: Contender) -> str | None:
    """Run a contender, and return its failure."""
    try:
        measure(contender)
    except FailedError as error:
        return f"{contender.name}: {error}"
    return None


def _row(way: str, sync: Sync, window: Window) -> tuple[str, ...]:
    figures = way, f"{sync.requests:,}", f"{sync.refused:,}", f"{sync.seconds:.1f}"
    if sync.failures:
        return *figures, "", "", sync.ending
    least = sync.least_seconds(window)
    ratio = sync.seconds / least
    targets = f"refused {_TARGET_REFUSED.verdict(sync.refused)}; times {_TARGET_TIME.verdict(ratio)}"
    return *figures, f"{least:g} s", f"{ratio:.3f}", targets


def _bars(syncs: Mapping[str, Sync], window: Window) -> list[Bar]:
    bars = [
        Bar(way, sync.seconds, f"{sync.seconds:.1f} s, {sync.ending}", is_highlighted=way != _PLAIN)
        for way, sync in syncs.items()
    ]
    if not syncs[_OURS].failures:
        least = syncs[_OURS].least_seconds(window)
        bars.append(Bar("the quota's windows alone", least, f"{least:g} s", is_highlighted=False))
    return bars
