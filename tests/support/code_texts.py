"""The texts in the code that users can see, with a gap for each value that is put into them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import tap_pigment

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(tap_pigment.__file__).parent
# Stands in a text for what is put into it.
GAP = "\0"


def modules() -> Iterator[ast.Module]:
    """Yield the modules that have messages: not the sandbox, and not the descriptions of settings."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "sandbox" not in path.parts and path != PACKAGE / "settings" / "schema.py":
            yield ast.parse(path.read_text("utf-8"))


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield every text in code, with a gap for each value that is put into it. Docstrings are no texts."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield re.sub(r"%(\.\d)?[sdf]", GAP, node.value)


def without_start(text: str) -> str:
    """Return a text without the values that it starts with, such as the stream's name."""
    return re.sub(rf"^[{GAP} :]+", "", text)


TEXTS = sorted({text for module in modules() for text in texts(module)})
