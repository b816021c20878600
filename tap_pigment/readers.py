"""The SQL by which DuckDB reads a CSV file strictly: as cells, or as lines. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.shape import DELIMITER, NO_DELIMITER
from tap_pigment.sql import cell, quoted_text, without_globs

if TYPE_CHECKING:
    from pathlib import Path

LINE = "line"
"""The name under which DuckDB has a line of a file that is read as lines."""

_BUFFER_BYTES = 8 << 20


def cells_in(path: Path, width: int, *, longest_line: int, parallel: bool) -> str:
    """Return the SQL that reads a file's rows as text cells `c0`, `c1`, ...; a blank is the empty text.

    Args:
        path: The file.
        width: How many cells each row has.
        longest_line: A length in bytes that no line exceeds.
        parallel: Whether several threads read. They notice a quote that is left open; one reads what they give up on.
    """
    return _read_csv(
        path,
        [cell(position) for position in range(width)],
        longest_line,
        delim=quoted_text(DELIMITER),
        quote=quoted_text('"'),
        escape=quoted_text('"'),
        strict_mode="true",
        parallel=str(parallel).lower(),
    )


def lines_in(path: Path, *, longest_line: int) -> str:
    """Return the SQL that reads the lines below the first as they are, each as a text `line`.

    Args:
        path: The file.
        longest_line: A length in bytes that no line exceeds.
    """
    return _read_csv(path, [LINE], longest_line, delim=quoted_text(NO_DELIMITER), quote="''", escape="''")


def _read_csv(path: Path, names: list[str], longest_line: int, **options: str) -> str:
    buffer_bytes = max(_BUFFER_BYTES, longest_line)
    columns = ", ".join(f"{quoted_text(name)}: 'VARCHAR'" for name in names)
    described = {
        "auto_detect": "false",
        "header": "true",
        "columns": f"{{{columns}}}",
        "force_not_null": f"[{', '.join(map(quoted_text, names))}]",
        "max_line_size": str(buffer_bytes),
        "buffer_size": str(buffer_bytes),
        **options,
    }
    said = ", ".join(f"{name} = {value}" for name, value in described.items())
    return f"read_csv({quoted_text(without_globs(path))}, {said})"
