"""Bodies of exports as Python's CSV writer writes them, drawn by Hypothesis."""

import csv
from typing import NamedTuple

from hypothesis import strategies as st

from tests.support.export_files import csv_bytes

BOM = b"\xef\xbb\xbf"


class Body(NamedTuple):
    """A table, its bytes, and the position behind each of its line ends outside of quotes."""

    table: list[list[str]]
    content: bytes
    line_ends: list[int]


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    """Draw a table with a header, and the manner in which it is written."""
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    # Before 3.13, the writer leaves a CR unquoted where lines end in LF; a cell that begins the body with a BOM is one.
    forbidden = "\ufeff\r" if quoting == csv.QUOTE_MINIMAL and line_end == "\n" else "\ufeff"
    any_text = st.text(st.characters(codec="utf-8", exclude_characters=forbidden), max_size=6)
    tricky = st.text(st.sampled_from(sorted(set('";\n\r a1é🎉') - set(forbidden))), max_size=6)
    width = draw(st.integers(1, 4))
    table = draw(st.lists(st.lists(any_text | tricky, min_size=width, max_size=width), min_size=1, max_size=5))
    content = draw(st.sampled_from([b"", BOM]))
    line_ends = []
    for row in table:
        content += csv_bytes([row], quoting=quoting, line_end=line_end)
        line_ends.append(len(content))
    return Body(table, content, line_ends)
