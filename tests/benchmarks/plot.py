"""Draw rows per second as bars, in an SVG for light and dark backgrounds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.benchmarks.results import megabytes
from tests.benchmarks.throughput import BATCH, RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.results import Summary

_OURS = {RECORD, BATCH}
# There is no background. Each color has a contrast of at least 4:1 with white and with GitHub's #0d1117.
_TEXT = "#6e7781"
_OUR_BAR = "#2f81c7"
_THEIR_BAR = "#8a7a6a"

_WIDTH = 860
_NAMES_WIDTH = 230
_BARS_WIDTH = 420
_BAR_HEIGHT = 22
_ROW_HEIGHT = 34
_TOP = 44
_NOTE_HEIGHT = 18


def svg(summaries: Mapping[str, Summary], title: str, notes: Sequence[str]) -> str:
    """Return an SVG with a bar for each contender, the longest one for the most rows per second, and notes below."""
    most = max(of.rows_per_second for of in summaries.values())
    below = _TOP + _ROW_HEIGHT * len(summaries) + _NOTE_HEIGHT
    height = below + _NOTE_HEIGHT * len(notes)
    bars = [
        _bar(name, of, share=of.rows_per_second / most, top=_TOP + _ROW_HEIGHT * row)
        for row, (name, of) in enumerate(summaries.items())
    ]
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    style = f'font-family="system-ui, sans-serif" font-size="13" fill="{_TEXT}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {style}>',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="20" font-size="15" font-weight="600">{escape(title)}</text>',
        *bars,
        *(
            f'<text x="0" y="{below + _NOTE_HEIGHT * row}" font-size="11">{escape(note)}</text>'
            for row, note in enumerate(notes)
        ),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bar(name: str, of: Summary, *, share: float, top: int) -> str:
    width = max(2, round(_BARS_WIDTH * share))
    middle = top + _BAR_HEIGHT // 2 + 5
    colour = _OUR_BAR if name in _OURS else _THEIR_BAR
    figures = f"{of.rows_per_second:,.0f} rows/s, {megabytes(of.peak_bytes)}"
    return "\n".join(
        [
            f'<text x="{_NAMES_WIDTH - 10}" y="{middle}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_NAMES_WIDTH}" y="{top}" width="{width}" height="{_BAR_HEIGHT}" rx="3" fill="{colour}"/>',
            f'<text x="{_NAMES_WIDTH + width + 8}" y="{middle}">{figures}</text>',
        ]
    )
