"""The numbers of the pages on upgrades and sizing, compared with the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tap_pigment.changes import sync_plan
from tap_pigment.exports.table import memory_bytes
from tests.support.export_files import export_file

ROOT = Path(__file__).parents[2]
UPGRADES, SIZING = ((ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("upgrades", "sizing"))

FORMATS: list[tuple[str, str, str]] = re.findall(r"^\| `([A-Z_]+)` in `(\S+)`.*? \| (\d+) \|", UPGRADES, re.MULTILINE)


def test_the_page_on_upgrades_names_three_formats() -> None:
    assert [name for name, _, _ in FORMATS] == ["BOOKMARK_VERSION", "FORMAT", "HASH_VERSION"]


@pytest.mark.parametrize(("name", "module", "number"), FORMATS)
def test_a_format_has_the_number_of_the_page_on_upgrades(name: str, module: str, number: str) -> None:
    code = ast.parse((ROOT / "tap_pigment" / module).read_text("utf-8"))

    [value] = [
        node.value for node in code.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]

    assert ast.literal_eval(value) == int(number)


def test_the_example_of_memory_follows_from_the_code(tmp_path: Path) -> None:
    example = r"For (\d+) columns and rows of (\d+) bytes that is .*? rounded up to (\d+) MB, and (\d+) MB with `row`"
    [(columns, row_bytes, megabytes, with_row)] = [tuple(map(int, found)) for found in re.findall(example, SIZING)]
    cell = b"x" * (row_bytes // columns - 1)
    lines = [b";".join(b"c%d" % number for number in range(columns)), *[b";".join([cell] * columns)] * 3_000]

    limit = memory_bytes(export_file(tmp_path, b"\n".join(lines) + b"\n"))

    assert megabytes == round(limit / 1e6)
    assert with_row - megabytes == round(sync_plan._MEMORY_BYTES_TO_COMPARE / 1e6)  # noqa: SLF001 - what `row` adds.
