"""What differs from the last run, row by row: an export is compared with snapshots of former ones.

A snapshot is a Parquet file of an export's rows: the cells of the key, two fingerprints, the content hash, and how many
copies there are of a row without a key. Only rows with fingerprints that are not in both are looked at: those of the
export are read, and counted by their key or content hash beside those of the snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.former import DESCRIPTION, Snapshot, describe, note_former, rows_downstream
from tap_pigment.naming import CONTENT_HASH, OCCURRENCE
from tap_pigment.noted import NotedRows
from tap_pigment.sql import quoted_name, quoted_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tap_pigment.columns import Column
    from tap_pigment.export import Export
    from tap_pigment.makeup import Makeup

_MEMORY_BYTES_TO_JOIN = 96 << 20
"""What joining takes beside reading; with less, a join of 20 million rows finds no room though it spills."""

# Hashes do not get smaller, and none comes twice.
_OF_HASHES_ONLY = ", COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1"


@dataclass(frozen=True)
class Selection:
    """Some rows of an export.

    Attributes:
        table: The table in DuckDB that has their cells, `contentHash` and `occurrence`.
        rows: How many there are.
    """

    table: str
    rows: int


@dataclass(frozen=True)
class Difference:
    """What to send so that a table in which any part of some snapshots is comes to equal the export.

    Attributes:
        changed: The rows that are new or differ; None for all rows of the export.
        gone: The rows that are gone: the cells of their key, or `contentHash` and `occurrence`.
        before: How many rows may have been downstream, as far as snapshots tell.
    """

    changed: Selection | None
    gone: Selection
    before: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return self.changed is not None and not self.changed.rows and not self.gone.rows


class Changes:
    """An export that is checked, and compared with snapshots.

    Args:
        export: The export.
        columns: The columns that are emitted.
        key: Names of the key's columns, or `KEYLESS`.
        makeup: What the records are made of.
        formers: The snapshots.
        is_all: Whether these are all that there should be, or what is downstream cannot be told from them.
    """

    def __init__(  # noqa: PLR0913 - an export, what is made of it, and what it is compared with.
        self,
        export: Export,
        columns: Sequence[Column],
        key: Sequence[str],
        makeup: Makeup,
        formers: Sequence[Snapshot],
        *,
        is_all: bool,
    ) -> None:
        self._export = export
        self._engine = export.engine
        self._engine.add_memory(_MEMORY_BYTES_TO_JOIN)
        self._columns = columns
        self._key = key
        self._makeup = makeup
        # What is gone can be told only where the key is still the same.
        self._formers = [former for former in formers if former.makeup.key == makeup.key]
        self._sends_all = not (formers and is_all and all(former.makeup == makeup for former in formers))
        self._rows = NotedRows(export, columns, key)

    @property
    def fingerprints(self) -> str:
        """How the fingerprints of the export were made."""
        return self._rows.fingerprints

    def check(self) -> None:
        """Check the export: all of it, or where that is compared with snapshots, what none of them has in `difference`.

        Raises:
            PigmentError: If it is not as it should be.
        """
        self._rows.check([former.fingerprints for former in self._formers], sends_all=self._sends_all)

    def difference(self) -> Difference:
        """Return what differs from any of the snapshots; all rows where they were made in another way.

        Raises:
            PigmentError: If what differs is not as it should be.
        """
        if not self._formers:
            return Difference(None, Selection("gone", 0), 0)
        note_former(self._engine, self._formers, by=self._rows.by, is_summed=self._rows.is_summed)
        before = rows_downstream(self._engine, self._formers, self._rows.identity)
        if self._sends_all:
            self._tally("former", "current")
            return Difference(None, self._note_gone(), before)
        self._note_odd_ones()
        identity, by = ", ".join(self._rows.identity), ", ".join(self._rows.by)
        kept = f"certain SEMI JOIN affected USING ({identity}) ANTI JOIN missing USING ({by})"
        self._tally(
            f"former SEMI JOIN affected USING ({identity})",
            f"(FROM picked SELECT {self._tallied} UNION ALL FROM {kept} SELECT {self._tallied})",
        )
        self._check_key()
        return Difference(self._note_changed(), self._note_gone(), before)

    def _note_odd_ones(self) -> None:
        """Put what only the export has into the table `picked`, with cells; what only snapshots have, into `missing`.

        Whatever has changed is a row of one of them: their identities are in the table `affected`.
        """
        identity, by = ", ".join(self._rows.identity), ", ".join(self._rows.by)
        both = ", ".join(dict.fromkeys([*self._rows.identity, *self._rows.by]))
        self._engine.execute(f"CREATE OR REPLACE TABLE unmatched AS FROM compared ANTI JOIN certain USING ({by})")
        self._engine.execute(
            f"CREATE OR REPLACE TABLE missing AS SELECT DISTINCT {both} FROM former ANTI JOIN compared USING ({by})"
        )
        self._rows.pick()
        self._engine.execute(
            f"CREATE OR REPLACE TABLE affected AS SELECT {identity} FROM picked UNION SELECT {identity} FROM missing"
        )

    @property
    def _tallied(self) -> str:
        return ", ".join(dict.fromkeys([*self._rows.identity, "content", "copies"]))

    def _tally(self, former: str, current: str) -> None:
        """Put how often each identity is there, and was, into the table `tally`.

        In it, `copies` is how often it is in the export; `before`, how often it is downstream for certain as it is now;
        and `most`, how often it may be.

        Args:
            former: The SQL of rows of `former`: all with some identities.
            current: The SQL of rows of the export: all with these identities.
        """
        identity = ", ".join(self._rows.identity)
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE tally AS
            WITH each AS (
                     SELECT {identity}, sum(copies) AS copies, min(content) AS held
                     FROM {former}
                     GROUP BY origin, {identity}
                 ),
                 was AS (
                     SELECT
                         {identity}, count(*) AS origins, min(copies) AS least, max(copies) AS most,
                         min(held) AS first_held, max(held) AS last_held
                     FROM each
                     GROUP BY {identity}
                 ),
                 present AS (
                     SELECT {identity}, sum(copies) AS copies, min(content) AS held FROM {current} GROUP BY {identity}
                 )
            SELECT
                {identity},
                coalesce(present.copies, 0)::BIGINT AS copies,
                CASE
                    WHEN origins = {len(self._formers)} AND first_held = held AND last_held = held THEN least
                    ELSE 0
                END::BIGINT AS before,
                coalesce(most, 0)::BIGINT AS most
            FROM was FULL JOIN present USING ({identity})
            """
        )

    def _check_key(self) -> None:
        """Check that no row that has changed shares its key.

        Raises:
            KeysNotUniqueError: If one does; it names the first.
        """
        if not self._rows.is_keyless and self._engine.values("SELECT count(*) FROM tally WHERE copies > 1") != (0,):
            self._export.read_strictly()
            self._export.check_uniqueness(self._columns, self._key)

    def _note_changed(self) -> Selection:
        """Put the rows that are new or differ into the table `changed`."""
        identity = ", ".join(self._rows.identity)
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE changed AS
            WITH one_of_each AS (
                     SELECT * EXCLUDE (copies) FROM picked
                     QUALIFY row_number() OVER (PARTITION BY {identity} ORDER BY row) = 1
                 )
            SELECT *, unnest(range(before + 1, copies + 1)) AS {OCCURRENCE}
            FROM one_of_each JOIN tally USING ({identity})
            WHERE copies > before
            """
        )
        found, due = self._engine.values(
            "SELECT (SELECT count(*) FROM changed), "
            "(SELECT coalesce(sum(copies - before), 0) FROM tally WHERE copies > before)"
        )
        if found != due:
            raise RuntimeError(f"{self._export.name}: {found:,} of {due:,} changed rows were found again.")
        return Selection("changed", int(found))

    def _note_gone(self) -> Selection:
        """Put the keys of the rows that are gone into the table `gone`."""
        cells = ", ".join(f"{key} AS {name}" for key, name in self._rows.key_cells.items())
        if self._rows.is_keyless:
            cells = f"""
                lower(hex(content)) AS {quoted_name(CONTENT_HASH)},
                unnest(range(copies + 1, most + 1)) AS {OCCURRENCE}
            """
        self._engine.execute(f"CREATE OR REPLACE TABLE gone AS SELECT {cells} FROM tally WHERE most > copies")
        (count,) = self._engine.values("SELECT count(*) FROM gone")
        return Selection("gone", count)

    def write(self, path: Path, *, previous: str | None) -> None:
        """Write the snapshot of the export, once it has been compared, to a file.

        Args:
            path: The file.
            previous: The name of the snapshot that the state names.
        """
        kept = ", ".join(self._rows.kept)
        rows = f"SELECT {kept} FROM current"
        if not self._rows.has_contents:
            # What is as it was, with the hash it had, and what is not.
            known = f"certain ANTI JOIN missing USING ({', '.join(self._rows.by)})"
            rows = f"SELECT {kept} FROM {known} UNION ALL SELECT {kept} FROM picked"
        snapshot = Snapshot(path, self._makeup, self.fingerprints, self._export.rows, previous)
        self._engine.copy(
            f"COPY ({rows}) TO {quoted_text(str(path))} "
            f"(FORMAT parquet, KV_METADATA {{{DESCRIPTION}: {quoted_text(describe(snapshot))}}}"
            f"{_OF_HASHES_ONLY if self._rows.is_keyless else ''})"
        )
