"""The pages of the documentation: their sections, tables and fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
}

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
# The end of a line such as: Write the settings into `config.json`:
_FILE_NAME = re.compile(r"`([\w.-]*\.\w+)`[^`]*:$")


def section(page: str, title: str) -> str:
    """Return the part of a page between a heading of the second level and the next one."""
    return page.split(f"\n## {title}\n")[1].partition("\n## ")[0]


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of all tables in a text, without their heads."""
    rows = []
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = table.splitlines()[2:]
        rows += [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return rows


def code_blocks(page: str, language: str) -> list[str]:
    """Return the code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


def quoted(cell: str) -> list[str]:
    """Return the texts in code style of a table's cell."""
    return re.findall(r"`([^`]+)`", cell)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The page, relative to the folder of README.md.
        line: The number of its first line.
        language: What stands behind the fence.
        text: Its content.
        file_name: The file that the paragraph before it tells the reader to write; empty if there is none.
    """

    page: str
    line: int
    language: str
    text: str
    file_name: str

    def __str__(self) -> str:
        """Return the place of the block."""
        return f"{self.page}:{self.line}"


def blocks_of(page: str, content: str) -> Iterator[Block]:
    """Yield the blocks of a page.

    Raises:
        ValueError: If a fence is not closed, or is closed with another indent.
    """
    found = list(_BLOCK.finditer(content))
    fences = re.findall(r"^ *```", content, re.MULTILINE)
    if len(fences) != 2 * len(found):
        raise ValueError(f"{page}: {len(fences)} fences, and {len(found)} blocks: a fence lacks its partner.")
    for match in found:
        before = content[: match.start()].rstrip().rpartition("\n")[2]
        name = _FILE_NAME.search(before)
        text = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        line = content.count("\n", 0, match.start()) + 1
        yield Block(page, line, match["language"].strip(), text, name[1] if name else "")


def blocks() -> list[Block]:
    """Return the blocks of all pages, in their order."""
    return [block for page, content in PAGES.items() for block in blocks_of(page, content)]
