"""How often what identifies a row of the target's table is in the export, and how often it may be downstream.

That is the cells of the key, or without one the content hash. Only those are counted that something has come to or
gone from; what that leads to is the rows that have changed, and those that are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.difference import Selection
from tap_pigment.naming import CONTENT_HASH, OCCURRENCE
from tap_pigment.sql import quoted_name

if TYPE_CHECKING:
    from tap_pigment.export import Export
    from tap_pigment.noted import NotedRows


class Identities:
    """Identities of an export and of snapshots, as counted from the tables and views of their comparison.

    These are `former` (see `note_former`), `compared` (see `NotedRows`), `picked` (see `Picking`), and `missing`, which
    has the identities of what only snapshots have, and the columns by which rows are compared.

    Args:
        export: The export.
        rows: Its rows.
        formers: How many snapshots there are.
    """

    def __init__(self, export: Export, rows: NotedRows, formers: int) -> None:
        self._export = export
        self._engine = export.engine
        self._rows = rows
        self._formers = formers

    @property
    def _names(self) -> str:
        return ", ".join(self._rows.identity)

    def rows_before(self) -> int:
        """Return how many rows of those in `former` may be downstream."""
        (rows,) = self._engine.values(
            f"""
            WITH each AS (SELECT {self._names}, sum(copies) AS copies FROM former GROUP BY origin, {self._names}),
                 most AS (SELECT max(copies) AS copies FROM each GROUP BY {self._names})
            SELECT coalesce(sum(copies), 0) FROM most
            """
            if self._formers > 1
            else "SELECT coalesce(sum(copies), 0) FROM former"
        )
        return int(rows)

    def count_all(self) -> None:
        """Count what is missing, where all rows of the export are compared and none is picked."""
        self._note_known("missing")
        rows = f"SELECT {', '.join(self._counted)} FROM compared SEMI JOIN missing USING ({self._names})"
        self._engine.execute(f"CREATE OR REPLACE TABLE present AS {rows}")
        self._tally()

    def count_affected(self) -> None:
        """Count what is missing or picked."""
        self._note_known("picked", "missing")
        by = ", ".join(self._rows.by)
        kept = ", ".join(name if name in self._rows.by else f"any_value({name}) AS {name}" for name in self._counted)
        # What all snapshots have, and is not missing, is in the export as it was.
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE present AS
            SELECT {kept} FROM known ANTI JOIN missing USING ({by}) GROUP BY {by} HAVING count(*) = {self._formers}
            UNION ALL SELECT {", ".join(self._counted)} FROM picked
            """
        )
        self._tally()

    @property
    def _counted(self) -> list[str]:
        return list(dict.fromkeys([*self._rows.identity, "content", "copies"]))

    def _note_known(self, *tables: str) -> None:
        """Put all rows of snapshots that have an identity of these tables into the table `known`."""
        affected = " UNION ".join(f"SELECT {self._names} FROM {table}" for table in tables)
        self._engine.execute(
            f"CREATE OR REPLACE TABLE known AS FROM former SEMI JOIN ({affected}) USING ({self._names})"
        )

    def _tally(self) -> None:
        """Put how often each identity of `known` and `present` is there, and was, into the table `tally`.

        In it, `copies` is how often it is in the export; `before`, how often it is downstream for certain as it is now;
        and `most`, how often it may be.
        """
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE tally AS
            WITH each AS (
                     SELECT {self._names}, sum(copies) AS copies, min(content) AS held
                     FROM known
                     GROUP BY origin, {self._names}
                 ),
                 was AS (
                     SELECT
                         {self._names}, count(*) AS origins, min(copies) AS least, max(copies) AS most,
                         min(held) AS first_held, max(held) AS last_held
                     FROM each
                     GROUP BY {self._names}
                 ),
                 now AS (
                     SELECT {self._names}, sum(copies) AS copies, min(content) AS held
                     FROM present
                     GROUP BY {self._names}
                 )
            SELECT
                {self._names},
                coalesce(now.copies, 0)::BIGINT AS copies,
                CASE
                    WHEN origins = {self._formers} AND first_held = held AND last_held = held THEN least
                    ELSE 0
                END::BIGINT AS before,
                coalesce(most, 0)::BIGINT AS most
            FROM was FULL JOIN now USING ({self._names})
            """
        )

    @property
    def are_shared(self) -> bool:
        """Whether rows of the export share an identity that was counted."""
        return bool(self._engine.values("SELECT count(*) FROM tally WHERE copies > 1") != (0,))

    def changed(self) -> Selection:
        """Put the rows that are new or differ into the table `changed`."""
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE changed AS
            WITH first AS (SELECT {self._names}, min(row) AS row FROM picked GROUP BY {self._names}),
                 numbered AS (
                     SELECT row, unnest(range(before + 1, copies + 1)) AS {OCCURRENCE}
                     FROM first JOIN tally USING ({self._names})
                     WHERE copies > before
                 )
            FROM picked JOIN numbered USING (row)
            """
        )
        found, due = self._engine.values(
            "SELECT (SELECT count(*) FROM changed), "
            "(SELECT coalesce(sum(copies - before), 0) FROM tally WHERE copies > before)"
        )
        if found != due:
            raise RuntimeError(f"{self._export.name}: {found:,} of {due:,} changed rows were found again.")
        return Selection("changed", int(found))

    def gone(self, *, adds: bool = False) -> Selection:
        """Put the keys of the rows that are gone into the table `gone`, or add them to it."""
        cells = ", ".join(f"{key} AS {name}" for key, name in self._rows.key_cells.items())
        if self._rows.is_keyless:
            cells = f"""
                lower(hex(content)) AS {quoted_name(CONTENT_HASH)},
                unnest(range(copies + 1, most + 1)) AS {OCCURRENCE}
            """
        into = "INSERT INTO gone" if adds else "CREATE OR REPLACE TABLE gone AS"
        self._engine.execute(f"{into} SELECT {cells} FROM tally WHERE most > copies")
        (count,) = self._engine.values("SELECT count(*) FROM gone")
        return Selection("gone", count)
