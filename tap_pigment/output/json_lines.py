"""Records as lines of JSON, in blocks: RECORD messages, and JSON lines files.

DuckDB makes the text. Its own SHA-256 takes four times as long as OpenSSL's, which uses the processor's instructions.
So DuckDB gives the text to be hashed beside the line, and works on the next rows while Python hashes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tap_pigment.columns import CONTENT_HASH, DELETED_AT, OCCURRENCE
from tap_pigment.exports import sql
from tap_pigment.output.record_set import DELETION_BLOCK_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_pigment.output.record_set import DeletedRows, RecordSet


def record_blocks(records: RecordSet, *, before: str = "", after: str = "") -> Iterator[tuple[bytes, int]]:
    """Yield blocks of lines, each with its number of lines.

    Args:
        records: The rows.
        before: JSON from the start of each line to the brace that opens the record.
        after: JSON from the brace that closes the record to the end of the line.

    Raises:
        InvariantError: If not exactly the expected rows were found.
    """
    end = (f',"{DELETED_AT}":null' if records.marks_deletions else "") + f"}}{after}\n"
    unique_end = (f'","{OCCURRENCE}":1{end}' if records.key.is_keyless else f'"{end}').encode()
    numbered_end = f'","{OCCURRENCE}":%d{end.replace("%", "%%")}'.encode()
    start = sql.json_record_start(records.columns, before=before)
    selected = [f"encode({start})", f"encode({sql.netstrings(records.columns)})"]
    selected += [] if records.occurrences is None else [OCCURRENCE]
    query = f"SELECT {', '.join(selected)} FROM {records.relation()}"
    emitted = 0
    for block in records.table.database.blocks(query, records.table.block_rows):
        starts, hashed, *numbers = zip(*block, strict=True)
        parts = [unique_end] * (3 * len(block))
        parts[::3] = starts
        parts[1::3] = [hashlib.sha256(text).hexdigest().encode() for text in hashed]
        if numbers:
            parts[2::3] = [numbered_end % number for number in numbers[0]]
        yield b"".join(parts), len(block)
        emitted += len(block)
    records.check_count(emitted)


def deletion_blocks(deleted: DeletedRows, *, before: str, after: str) -> Iterator[tuple[bytes, int]]:
    """Yield blocks of lines of deleted rows, each with its number of lines; see `record_blocks`."""
    values = {column.name: sql.quoted_text("null") for column in deleted.columns}
    values[CONTENT_HASH] = sql.quoted_text("null")
    if deleted.key.is_keyless:
        values[CONTENT_HASH] = f"concat('\"', {sql.quoted_name(CONTENT_HASH)}, '\"')"
        values[OCCURRENCE] = OCCURRENCE
    values |= {column.name: sql.json_value(column) for column in deleted.key.of(deleted.columns)}
    parts = [sql.quoted_text(before + "{")]
    for name, value in values.items():
        parts += [sql.quoted_text(f"{json.dumps(name)}:"), value, sql.quoted_text(",")]
    parts.append(sql.quoted_text(f'"{DELETED_AT}":{json.dumps(deleted.deleted_at)}}}{after}\n'))
    query = f"SELECT encode(concat({', '.join(parts)})) FROM {deleted.relation()}"
    for block in deleted.database.blocks(query, DELETION_BLOCK_ROWS):
        yield b"".join([line for (line,) in block]), len(block)
