"""What may be downstream: the snapshot that the state names, and those of later runs whose state has not come back.

A target that failed may have taken any part of what it was sent. So a row is known to be downstream only if all of
these snapshots have it, and everything that one of them has may have to be taken away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import SnapshotError
from tap_pigment.makeup import Makeup
from tap_pigment.sql import quoted_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tap_pigment.engine import Engine

FORMAT = 1
DESCRIPTION = "tap_pigment"
FINGERPRINTS = ("fingerprint_1", "fingerprint_2")
HASH = ("content",)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a former run, on this disk.

    Attributes:
        path: The Parquet file.
        makeup: What the records were made of.
        engine: The version of DuckDB that made the fingerprints.
        rows: The number of rows of the export.
        previous: The name of the snapshot before it; None where there was none.
    """

    path: Path
    makeup: Makeup
    engine: str
    rows: int
    previous: str | None

    @property
    def table(self) -> str:
        """The SQL that reads it."""
        return f"read_parquet({quoted_text(str(self.path))})"


def read_snapshot(engine: Engine, path: Path) -> Snapshot:
    """Return the snapshot in a file.

    Raises:
        SnapshotError: If it is none, or one of another format.
    """
    try:
        (text,) = engine.values(
            f"SELECT decode(value) FROM parquet_kv_metadata({quoted_text(str(path))}) "
            f"WHERE decode(key) = {quoted_text(DESCRIPTION)}"
        )
        described: Mapping[str, Any] = json.loads(text)
        if described["format"] != FORMAT:
            raise SnapshotError(f"its format is {described['format']}, which this version of the tap does not know")
        makeup = Makeup.from_json(described["makeup"])
        return Snapshot(path, makeup, str(described["engine"]), int(described["rows"]), described["previous"])
    except (*engine.refusals, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"it has no description of ours ({error})") from None


@dataclass(frozen=True)
class Former:
    """Some snapshots as one table.

    Attributes:
        table: The SQL of it: the columns of a snapshot, in which `copies` is how many copies of a row are downstream
            for certain; and `most`, how many there may be. Where the snapshots do not agree on a row, what it is
            compared by is null.
        rows: How many rows may be downstream.
    """

    table: str
    rows: int


def former_of(engine: Engine, snapshots: Sequence[Snapshot], identity: Sequence[str], *, is_keyless: bool) -> Former:
    """Return snapshots with the same key as one table.

    Args:
        engine: What puts them together.
        snapshots: The snapshots.
        identity: The columns that identify a row.
        is_keyless: Whether these are what rows are compared by, for lack of a key.
    """
    if len(snapshots) == 1:
        return Former(f"(SELECT *, copies AS most FROM {snapshots[0].table})", snapshots[0].rows)
    has_all = f"count(*) = {len(snapshots)}"
    others = [name for name in (*FINGERPRINTS, *HASH) if name not in identity]
    # Without a key the identity decides what the others are.
    agrees = "true" if is_keyless else f"{has_all} AND min({{0}}) = max({{0}})"
    agreed = [f"CASE WHEN {agrees.format(name)} THEN min({name}) END AS {name}" for name in others]
    rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {snapshot.table}" for snapshot in snapshots)
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE former AS
        SELECT
            {", ".join([*identity, *agreed])},
            CASE WHEN {has_all} THEN min(copies) ELSE 0 END AS copies,
            max(copies) AS most
        FROM ({rows})
        GROUP BY {", ".join(identity)}
        """
    )
    (most,) = engine.values("SELECT coalesce(sum(most), 0) FROM former")
    return Former("former", int(most))
