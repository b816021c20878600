"""What the measurements say: figures for each contender, ratios with their targets. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.contenders import BATCH, DLT, PLAIN, RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.measure import Measurement

MOST_BYTES = 400_000_000
MOST_SPREAD = 0.10


@dataclass(frozen=True)
class Target:
    """How many times the rows per second of another contender one of ours should make."""

    ours: str
    theirs: str
    at_least: float


TARGETS = (Target(RECORD, PLAIN, 25), Target(BATCH, DLT, 1))


@dataclass(frozen=True)
class Summary:
    """A contender's runs on one file."""

    median_seconds: float
    least_seconds: float
    processor_seconds: float
    rows_per_second: float
    peak_bytes: int


def summary(measurements: Sequence[Measurement], rows: int) -> Summary:
    """Return a contender's figures: medians, the least time, the highest peak."""
    median_seconds = median(run.seconds for run in measurements)
    return Summary(
        median_seconds=median_seconds,
        least_seconds=min(run.seconds for run in measurements),
        processor_seconds=median(run.processor_seconds for run in measurements),
        rows_per_second=rows / median_seconds,
        peak_bytes=max(run.peak_bytes for run in measurements),
    )


def ratios(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> list[float]:
    """Return how many times as fast ours was, in each round: two runs of a round had the same neighbours."""
    return [their_run.seconds / our_run.seconds for our_run, their_run in zip(ours, theirs, strict=True)]


def spread(peaks: Sequence[int]) -> float:
    """Return by how much the highest of some peaks is above the lowest, as a share."""
    return max(peaks) / min(peaks) - 1


def speed_table(summaries: Mapping[str, Summary]) -> list[str]:
    """Return a Markdown table of the contenders' figures."""
    return [
        "| | rows per second | seconds (least) | processor seconds | peak memory |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {of.rows_per_second:,.0f} | {of.median_seconds:.2f} ({of.least_seconds:.2f}) "
            f"| {of.processor_seconds:.2f} | {megabytes(of.peak_bytes)} |"
            for name, of in summaries.items()
        ),
    ]


def ratio_table(runs: Mapping[str, Sequence[Measurement]]) -> list[str]:
    """Return a Markdown table of the ratios whose contenders both ran."""
    lines = ["| times the rows per second | minimum | median | target |", "| --- | ---: | ---: | --- |"]
    for target in TARGETS:
        if runs.get(target.ours) and runs.get(target.theirs):
            found = ratios(runs[target.ours], runs[target.theirs])
            lines.append(
                f"| {target.ours} : {target.theirs} | {min(found):.2f} | {median(found):.2f} "
                f"| {target.at_least:g}, {_verdict(is_met=median(found) >= target.at_least)} |"
            )
    return lines


def memory_table(peaks: Mapping[str, Mapping[int, int]]) -> list[str]:
    """Return a Markdown table of peak bytes by contender and number of rows."""
    sizes = list(next(iter(peaks.values())))
    lines = [
        f"| peak memory | {' | '.join(f'{rows:,} rows' for rows in sizes)} | spread | target |",
        f"| --- | {' | '.join('---:' for _ in sizes)} | ---: | --- |",
    ]
    for name, by_rows in peaks.items():
        apart = spread(list(by_rows.values()))
        is_met = apart <= MOST_SPREAD and max(by_rows.values()) < MOST_BYTES
        cells = " | ".join(megabytes(peak) for peak in by_rows.values())
        target = f"under {megabytes(MOST_BYTES)}, within {MOST_SPREAD:.0%}, {_verdict(is_met=is_met)}"
        lines.append(f"| {name} | {cells} | {apart:.0%} | {target} |")
    return lines


def megabytes(count: int) -> str:
    """Return a number of bytes in MB, of a million bytes each."""
    return f"{count / 1e6:,.0f} MB"


def _verdict(*, is_met: bool) -> str:
    return "met" if is_met else "missed"
