"""Tables of measurements in Markdown: figures of each contender, ratios with their targets. No I/O."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.benchmarks.measure import Measurement

MOST_BYTES = 400_000_000


@dataclass(frozen=True)
class Target:
    """The bound that a figure should keep.

    Attributes:
        words: The words before the limit.
        limit: The limit.
        is_kept: Returns whether a figure keeps the limit.
    """

    words: str
    limit: float
    is_kept: Callable[[float, float], bool]

    def verdict(self, figure: float, unit: str = "") -> str:
        """Return the target, and whether a figure meets it."""
        return f"{self.words} {self.limit:g}{unit}, {'met' if self.is_kept(figure, self.limit) else 'missed'}"


def at_least(limit: float) -> Target:
    """Return the target of a figure that may not be lower."""
    return Target("at least", limit, operator.ge)


def at_most(limit: float) -> Target:
    """Return the target of a figure that may not be higher."""
    return Target("at most", limit, operator.le)


def below(limit: float) -> Target:
    """Return the target of a figure that must be lower."""
    return Target("below", limit, operator.lt)


@dataclass(frozen=True)
class Ratio:
    """The speed of one contender divided by that of another; without a target it is for information."""

    ours: str
    theirs: str
    target: Target | None


@dataclass(frozen=True)
class Bar:
    """A figure to draw: whose it is, how large, what stands beside the bar, and whether it is what this is about."""

    name: str
    figure: float
    text: str
    is_highlighted: bool


@dataclass(frozen=True)
class BarGroup:
    """Bars that are compared with each other, below a heading, which may be empty."""

    heading: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Report:
    """The result of a case.

    Attributes:
        title: The title.
        lines: Markdown.
        failures: The contenders that failed, each with its reason.
        groups: The figures to draw; none where a table is enough.
        is_one_run: Whether each contender ran once, whatever the number of rounds.
    """

    title: str
    lines: Sequence[str]
    failures: Sequence[str]
    groups: Sequence[BarGroup] = ()
    is_one_run: bool = False


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


def time_ratios(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> list[float]:
    """Return our time divided by theirs, in each round: both runs of a round had the same conditions."""
    return [our_run.seconds / their_run.seconds for our_run, their_run in zip(ours, theirs, strict=True)]


def speed_ratios(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> list[float]:
    """Return our speed divided by theirs, in each round."""
    return time_ratios(theirs, ours)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table: the first column is left-aligned, the others are right-aligned."""
    alignment = ["---", *["---:"] * (len(heads) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (heads, alignment, *rows)]


def speed_table(summaries: Mapping[str, Summary]) -> list[str]:
    """Return a table of the contenders' figures."""
    rows = [
        (
            name,
            f"{of.rows_per_second:,.0f}",
            f"{of.median_seconds:.2f} ({of.least_seconds:.2f})",
            f"{of.processor_seconds:.2f}",
            megabytes(of.peak_bytes),
        )
        for name, of in summaries.items()
    ]
    return table(("contender", "rows per second", "seconds (least)", "processor seconds", "peak memory"), rows)


def ratio_table(title: str, ratios: Sequence[Ratio], runs: Mapping[str, Sequence[Measurement]]) -> list[str]:
    """Return a table of the speed ratios of which both contenders ran."""
    rows = []
    for ratio in ratios:
        if ratio.ours in runs and ratio.theirs in runs:
            found = speed_ratios(runs[ratio.ours], runs[ratio.theirs])
            target = ratio.target.verdict(median(found)) if ratio.target else "for information"
            rows.append((f"{ratio.ours} : {ratio.theirs}", f"{min(found):.2f}", f"{median(found):.2f}", target))
    return table((title, "minimum", "median", "target"), rows)


def memory_table(peaks: Mapping[str, Mapping[int, int]]) -> list[str]:
    """Return a table of peak bytes by mode and number of rows."""
    sizes = sorted({rows for by_rows in peaks.values() for rows in by_rows})
    target = below(MOST_BYTES / 1e6)
    rows = [
        (
            name,
            *(megabytes(by_rows[size]) if size in by_rows else "failed" for size in sizes),
            f"{by_rows[max(by_rows)] / by_rows[min(by_rows)] - 1:.0%}",
            target.verdict(max(by_rows.values()) / 1e6, unit=" MB"),
        )
        for name, by_rows in peaks.items()
    ]
    return table(("peak memory", *(f"{size:,} rows" for size in sizes), "growth", "target"), rows)


def seconds_cell(measurements: Sequence[Measurement]) -> str:
    """Return the median and the least seconds."""
    return f"{median(run.seconds for run in measurements):.2f} ({min(run.seconds for run in measurements):.2f})"


def seconds_bar(name: str, measurements: Sequence[Measurement], *, is_highlighted: bool) -> Bar:
    """Return a bar of the median seconds."""
    seconds = median(run.seconds for run in measurements)
    return Bar(name, seconds, f"{seconds:.1f} s", is_highlighted)


def megabytes(count: int) -> str:
    """Return a number of bytes in MB, of a million bytes each."""
    return f"{count / 1e6:,.0f} MB"
