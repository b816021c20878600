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

FORMAT = 3
DESCRIPTION = "tap_pigment"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a former run, on this disk.

    Attributes:
        path: The Parquet file.
        makeup: What the records were made of.
        fingerprints: How the fingerprints were made; they compare with those that were made in the same way.
        rows: The number of rows of the export.
        previous: The name of the snapshot before it; None where there was none.
    """

    path: Path
    makeup: Makeup
    fingerprints: str
    rows: int
    previous: str | None

    @property
    def table(self) -> str:
        """The SQL that reads it, with the place in the file at which a row stands."""
        source = f"read_parquet({quoted_text(str(self.path))}, file_row_number = true)"
        return f"(SELECT * RENAME (file_row_number AS place) FROM {source})"


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
        made = str(described["fingerprints"])
        return Snapshot(path, makeup, made, int(described["rows"]), described["previous"])
    except (*engine.refusals, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"it has no description of ours ({error})") from None


def describe(snapshot: Snapshot) -> str:
    """Return the description of a snapshot that `read_snapshot` reads, as it stands in the file."""
    return json.dumps(
        {
            "format": FORMAT,
            "makeup": snapshot.makeup.to_json(),
            "fingerprints": snapshot.fingerprints,
            "rows": snapshot.rows,
            "previous": snapshot.previous,
        }
    )


def note_former(
    engine: Engine, snapshots: Sequence[Snapshot], *, by: Sequence[str], is_summed: bool, where: str
) -> None:
    """Put snapshots together in two views.

    `former` has the rows of each, its number as `origin`, and where in it a row stands as `place`; `certain` has those
    that all of them have.

    Args:
        engine: What puts them together.
        snapshots: The snapshots, of one key.
        by: The columns by which rows are compared.
        is_summed: Whether rows that are alike in `content`, which may differ in their fingerprints, are put together.
        where: The SQL of which rows.
    """
    rows = " UNION ALL BY NAME ".join(
        f"SELECT {number} AS origin, * FROM {snapshot.table} WHERE {where}" for number, snapshot in enumerate(snapshots)
    )
    if is_summed:
        summed = f"SELECT origin, content, sum(copies)::BIGINT AS copies FROM ({rows}) GROUP BY origin, content"
        engine.execute(f"CREATE OR REPLACE TABLE former_contents AS {summed}")
        rows = "SELECT *, rowid AS place FROM former_contents"
    engine.execute(f"CREATE OR REPLACE VIEW former AS {rows}")
    certain = "SELECT * EXCLUDE (origin, place) FROM former"
    if len(snapshots) > 1:
        names = [name for (name, *_) in engine.execute("DESCRIBE former").fetchall() if name not in {"origin", "place"}]
        chosen = [name if name in by else f"any_value({name}) AS {name}" for name in names]
        engine.execute(
            f"""
            CREATE OR REPLACE TABLE agreed AS
            SELECT {", ".join(chosen)} FROM former GROUP BY {", ".join(by)} HAVING count(*) = {len(snapshots)}
            """
        )
        certain = "FROM agreed"
    engine.execute(f"CREATE OR REPLACE VIEW certain AS {certain}")
