"""A snapshot: the rows of an export as (identity, fingerprint), in one Parquet file with a description."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.changes.record_spec import RecordSpec
from tap_pigment.changes.snapshot_chain import Lineage, is_snapshot_name
from tap_pigment.columns import OCCURRENCE, RowKey
from tap_pigment.errors import InvariantError, MemoryLimitError, SnapshotError, SpoolError
from tap_pigment.exports import sql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tap_pigment.exports import StreamDatabase

FORMAT = 4
_DESCRIPTION = "tap_pigment"
# A Parquet file ends with its footer, the length of that in 4 bytes, and `PAR1`. DuckDB holds the footer in memory.
_END_BYTES = 8
_MAX_FOOTER_BYTES = 32 << 20


@dataclass(frozen=True)
class Snapshot:
    """A snapshot on this disk.

    Attributes:
        path: The Parquet file.
        spec: How records were made of its rows.
        rows: The number of rows.
        lineage: Its place among the others.
    """

    path: Path
    spec: RecordSpec
    rows: int
    lineage: Lineage

    @property
    def relation(self) -> str:
        """The relation of its rows: see `row_diff.kept_columns`."""
        return sql.read_parquet(self.path)


def read_snapshot(database: StreamDatabase, path: Path) -> Snapshot:
    """Return the snapshot in a file, after a check that its rows are what its description announces.

    Raises:
        SnapshotError: If the file is not a snapshot, or has another format.
    """
    if _footer_bytes(path) > _MAX_FOOTER_BYTES:
        raise SnapshotError("its description is missing or damaged (too long)")
    try:
        with database.apart() as reader:
            row = reader.row_unless_refused(
                f"SELECT decode(value) FROM parquet_kv_metadata({sql.quoted_path(path)}) "
                f"WHERE decode(key) = {sql.quoted_text(_DESCRIPTION)}"
            )
            snapshot = _described(path, (row or ("",))[0])
            if not _has_expected_rows(reader, snapshot):
                raise SnapshotError("its rows are damaged: they are not what its description announces")
    except (InvariantError, MemoryLimitError, SpoolError) as error:  # DuckDB reads no other file here.
        raise SnapshotError(f"it is damaged ({type(error).__name__})") from None
    return snapshot


def _footer_bytes(path: Path) -> int:
    """Return the length of a Parquet file's footer, by what the file itself says."""
    with path.open("rb") as file:
        file.seek(-min(_END_BYTES, path.stat().st_size), os.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def _described(path: Path, description: str) -> Snapshot:
    """Return the snapshot that a description announces.

    Raises:
        SnapshotError: If it announces none, or one of another format.
    """
    try:
        described: Mapping[str, Any] = json.loads(description)
        if described["format"] != FORMAT:
            raise SnapshotError(f"its format, {described['format']}, is not known to this version of the tap")
        spec, rows = RecordSpec.from_json(described["spec"]), described["rows"]
        return Snapshot(path, spec, _count(rows), _lineage(described["lineage"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SnapshotError(f"its description is missing or damaged ({type(error).__name__})") from None


def _count(rows: object) -> int:
    if type(rows) is not int or rows < 0:
        raise ValueError("not a number of rows")
    return rows


def _lineage(described: Mapping[str, Any]) -> Lineage:
    """Return a lineage; what it names may be deleted, so that must have the form of a name.

    Raises:
        ValueError: If it has another form; KeyError and TypeError too.
    """
    base, compared, retired = described["base"], described["compared"], described["retired"]
    names: list[object] = [*compared, *retired, *([] if base is None else [base])]
    if not all(isinstance(name, str) and is_snapshot_name(name) for name in names):
        raise ValueError("not the name of a snapshot")
    return Lineage(base, tuple(compared), tuple(retired))


def _has_expected_rows(database: StreamDatabase, snapshot: Snapshot) -> bool:
    """Return whether a file has the columns and the number of rows that its description announces, and no nulls.

    The name of a snapshot proves that it is as it was stored. It does not prove who stored it, so every value is read.
    """
    columns = database.rows_unless_refused(f"DESCRIBE FROM {snapshot.relation}") or []
    if {name: kind for name, kind, *_ in columns} != _column_types(snapshot.spec):
        return False
    names = [sql.quoted_name(name) for name, *_ in columns]
    hashed, is_null = sql.quick_hash(names), " OR ".join(f"{name} IS NULL" for name in names)
    found = database.row_unless_refused(
        f"SELECT count(*), coalesce(bit_xor({hashed}), 0), count(*) FILTER ({is_null}) FROM {snapshot.relation}"
    )
    return found is not None and (found[0], found[2]) == (snapshot.rows, 0)


def _column_types(spec: RecordSpec) -> dict[str, str]:
    """Return the names and DuckDB's types of a snapshot's columns: see `row_diff.kept_columns`."""
    if _is_keyless(spec):
        return {"content_hash": "BLOB", OCCURRENCE: "BIGINT"}
    return {"fingerprint": "UUID"} | {f"key_{place}": "VARCHAR" for place in range(len(spec.key))}


def _is_keyless(spec: RecordSpec) -> bool:
    return RowKey.from_primary_key(spec.key).is_keyless


def write_snapshot(database: StreamDatabase, snapshot: Snapshot, rows: str) -> None:
    """Write a snapshot to its path.

    Args:
        database: The database.
        snapshot: Everything but the rows.
        rows: The relation of the rows, without other columns.
    """
    description = json.dumps(
        {
            "format": FORMAT,
            "spec": snapshot.spec.to_json(),
            "rows": snapshot.rows,
            "lineage": asdict(snapshot.lineage),
        }
    )
    # Hashes do not compress; the cells of keys do, often to a fifth.
    codec = "uncompressed" if _is_keyless(snapshot.spec) else "zstd"
    options = sql.parquet_options(len(_column_types(snapshot.spec)), codec=codec)
    database.execute(
        f"COPY (FROM {rows}) TO {sql.quoted_target(snapshot.path)} "
        f"({options}, KV_METADATA {{{_DESCRIPTION}: {sql.quoted_text(description)}}})"
    )
