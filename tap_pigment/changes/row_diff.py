"""The difference between an export and snapshots, row by row.

Rows are a set of (identity, fingerprint). The identity of a row is its key, or without a key its `contentHash` and its
number among identical rows, which is its fingerprint too. The difference is two anti-joins by fingerprint, one in each
direction: rows that a snapshot lacks have changed, and rows that the export lacks are deleted, unless the export has
their identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.columns import OCCURRENCE, Column, RowKey
from tap_pigment.exports import KeptColumns, sql
from tap_pigment.output import RowSelection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_pigment.changes.snapshot_file import Snapshot
    from tap_pigment.exports import ValidatedExport


def kept_columns(columns: Sequence[Column], key: RowKey) -> KeptColumns:
    """Return what to keep of each row: its fingerprint, and what identifies it.

    Fingerprints are hashes with a fixed definition, so that they stay the same with other versions of DuckDB.
    """
    if key.is_keyless:
        return KeptColumns({"content_hash": f"unhex({sql.content_hash(columns)})"}, ("content_hash",))
    keys = {f"key_{place}": sql.key_cell(column) for place, column in enumerate(key.sorted_of(columns))}
    return KeptColumns({"fingerprint": f"CAST(md5({sql.netstrings(columns)}) AS UUID)", **keys}, tuple(keys))


def number_kept_rows(export: ValidatedExport) -> str:
    """Number identical rows without a key; return the table of it, see `output.number_identical_rows`."""
    return export.table.database.create_table(
        "occurrences",
        f"""
        WITH hashed AS (SELECT rowid AS row, content_hash FROM {export.kept}),
             repeated AS (SELECT content_hash FROM hashed GROUP BY content_hash HAVING count(*) > 1)
        SELECT row, row_number() OVER (PARTITION BY content_hash ORDER BY row) AS {OCCURRENCE}
        FROM hashed SEMI JOIN repeated USING (content_hash)
        """,
    )


class CurrentRows:
    """The rows of an export as a snapshot has them.

    Args:
        export: The export, validated with `kept_columns`.
        columns: The selected columns.
        key: The key.
        occurrences: The table of the numbers of identical rows; None if no rows are identical.
    """

    def __init__(
        self, export: ValidatedExport, columns: Sequence[Column], key: RowKey, occurrences: str | None
    ) -> None:
        self._database = export.table.database
        kept = kept_columns(columns, key)
        names, identity = list(kept.expressions), list(kept.identity)
        source = f"(SELECT rowid AS row, {', '.join(names)} FROM {export.kept})"
        if key.is_keyless:
            number = "1" if occurrences is None else f"coalesce({occurrences}.{OCCURRENCE}, 1)"
            joined = "" if occurrences is None else f" LEFT JOIN {occurrences} USING (row)"
            source = f"(SELECT row, content_hash, CAST({number} AS BIGINT) AS {OCCURRENCE} FROM {source}{joined})"
            names.append(OCCURRENCE)
            identity.append(OCCURRENCE)
        self._source = source
        self._names = ", ".join(names)
        self._fingerprint = self._names if key.is_keyless else "fingerprint"
        self._identity = ", ".join(identity)

    def relation(self) -> str:
        """Return the relation of the rows, as a snapshot has them."""
        return f"(SELECT {self._names} FROM {self._source})"

    def changed_since(self, snapshots: Sequence[Snapshot]) -> RowSelection:
        """Return the rows that are not, alike, in every snapshot."""
        differing = " UNION ".join(
            f"SELECT row FROM {self._source} ANTI JOIN {snapshot.relation} USING ({self._fingerprint})"
            for snapshot in snapshots
        )
        table = self._database.create_table("changed", differing)
        return RowSelection(table, self._database.row(f"SELECT count(*) FROM {table}")[0])

    def deleted_since(self, snapshots: Sequence[Snapshot]) -> tuple[str, int]:
        """Return the table of the identities that any snapshot has and the export lacks, and how many they are."""
        if not snapshots:
            return "", 0
        # Rows with the same fingerprint have the same identity. So identities, which may be long texts, are compared
        # only for the few rows whose fingerprint is missing.
        missing = " UNION ".join(
            f"SELECT {self._identity} FROM {snapshot.relation} ANTI JOIN {self._source} USING ({self._fingerprint})"
            for snapshot in snapshots
        )
        candidates = self._database.create_table("missing", missing)
        present = f"SELECT {self._identity} FROM {self._source} SEMI JOIN {candidates} USING ({self._identity})"
        table = self._database.create_table(
            "deleted", f"SELECT * FROM {candidates} ANTI JOIN ({present}) USING ({self._identity})"
        )
        return table, self._database.row(f"SELECT count(*) FROM {table}")[0]
