"""Small dimension lists, of which a workspace has hundreds."""

from __future__ import annotations

CODE, NAME, RATE, IS_OPEN = LIST_COLUMNS = ("code_AAAAAA", "name_BBBBBB", "rate_CCCCCC", "is_open_DDDDDD")


def list_id(number: int) -> str:
    """Return the block id of a list."""
    return f"7a000000-0000-4000-8000-{number:012d}"


def list_name(number: int) -> str:
    """Return the name of a list."""
    return f"List {number:03d}"


def list_stream(number: int) -> str:
    """Return the stream's name of a list."""
    return f"list_{number:03d}"


def list_export(number: int, rows: int) -> bytes:
    """Return the export of a list: text, text, number, boolean."""
    lines = (f"L{number}-{row};Item {row};{row}.5;{'TRUE' if row % 2 else 'FALSE'}\r\n" for row in range(rows))
    return (";".join(LIST_COLUMNS) + "\r\n" + "".join(lines)).encode()
