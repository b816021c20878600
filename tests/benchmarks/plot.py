"""Draw figures as groups of bars, in an SVG for light and dark backgrounds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.results import Bar, BarGroup

# There is no background. Each color has a contrast of at least 4:1 with white and with GitHub's #0d1117.
_TEXT = "#6e7781"
_HIGHLIGHT = "#2f81c7"
_OTHERS = "#8a7a6a"

_WIDTH = 860
_NAMES_WIDTH = 310
_BARS_WIDTH = 340
_BAR_HEIGHT = 22
_ROW_HEIGHT = 34
_TOP = 44
_NOTE_HEIGHT = 18
_GAP = 10


def svg(groups: Sequence[BarGroup], title: str, notes: Sequence[str]) -> str:
    """Return an SVG with the bars of each group below its heading, and notes below.

    Each group has a scale of its own: its longest bar stands for its largest figure.
    """
    drawn: list[str] = []
    top = _TOP
    for place, group in enumerate(groups):
        top += _GAP if place else 0
        if group.heading:
            drawn.append(f'<text x="0" y="{top + 12}" font-weight="600">{escape(group.heading)}</text>')
            top += _NOTE_HEIGHT + 6
        most = max(bar.figure for bar in group.bars)
        for bar in group.bars:
            drawn.append(_bar(bar, share=bar.figure / most, top=top))
            top += _ROW_HEIGHT
    below = top + _NOTE_HEIGHT
    height = below + _NOTE_HEIGHT * len(notes)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    style = f'font-family="system-ui, sans-serif" font-size="13" fill="{_TEXT}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {style}>',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="20" font-size="15" font-weight="600">{escape(title)}</text>',
        *drawn,
        *(
            f'<text x="0" y="{below + _NOTE_HEIGHT * row}" font-size="11">{escape(note)}</text>'
            for row, note in enumerate(notes)
        ),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bar(bar: Bar, *, share: float, top: int) -> str:
    width = max(2, round(_BARS_WIDTH * share))
    middle = top + _BAR_HEIGHT // 2 + 5
    colour = _HIGHLIGHT if bar.is_highlighted else _OTHERS
    return "\n".join(
        [
            f'<text x="{_NAMES_WIDTH - 10}" y="{middle}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect x="{_NAMES_WIDTH}" y="{top}" width="{width}" height="{_BAR_HEIGHT}" rx="3" fill="{colour}"/>',
            f'<text x="{_NAMES_WIDTH + width + 8}" y="{middle}">{escape(bar.text)}</text>',
        ]
    )
