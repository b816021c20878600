"""A snapshot: the rows of an export as (identity, fingerprint), in one Parquet file with a description."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.changes.record_spec import RecordSpec
from tap_pigment.changes.snapshot_chain import Lineage
from tap_pigment.errors import SnapshotError
from tap_pigment.exports import sql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tap_pigment.exports import StreamDatabase

FORMAT = 4
_DESCRIPTION = "tap_pigment"


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
        return f"read_parquet({sql.quoted_path(self.path)})"


def read_snapshot(database: StreamDatabase, path: Path) -> Snapshot:
    """Return the snapshot in a file.

    Raises:
        SnapshotError: If the file is not a snapshot, or has another format.
    """
    row = database.row_unless_refused(
        f"SELECT decode(value) FROM parquet_kv_metadata({sql.quoted_path(path)}) "
        f"WHERE decode(key) = {sql.quoted_text(_DESCRIPTION)}"
    )
    try:
        described: Mapping[str, Any] = json.loads((row or ("",))[0])
        if described["format"] != FORMAT:
            raise SnapshotError(f"its format, {described['format']}, is not known to this version of the tap")
        lineage = described["lineage"]
        return Snapshot(
            path,
            RecordSpec.from_json(described["spec"]),
            int(described["rows"]),
            Lineage(lineage["base"], tuple(lineage["compared"]), tuple(lineage["retired"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"its description is missing or damaged ({type(error).__name__})") from None


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
    # Hashes do not compress, and none of them repeats.
    database.execute(
        f"COPY (FROM {rows}) TO {sql.quoted_path(snapshot.path)} (FORMAT parquet, COMPRESSION uncompressed, "
        f"DICTIONARY_SIZE_LIMIT 1, KV_METADATA {{{_DESCRIPTION}: {sql.quoted_text(description)}}})"
    )
