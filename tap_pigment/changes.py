"""What differs from the last run, row by row: an export is compared with snapshots of former ones.

A snapshot is a Parquet file of an export's rows: the cells of the key, two fingerprints, the content hash, and how many
copies there are of a row without a key. Fingerprints are DuckDB's own hashes, 128 bits together, made many times faster
than a SHA-256. Where every row is one line they are of the line as it came, and a line that a snapshot has is a row
that was parsed and checked before: only the others are. Elsewhere they are of the cells. Fingerprints that were made
in another way, by another version of DuckDB or of other columns, say nothing; then the content hashes are compared.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.columns import KEYLESS, Column
from tap_pigment.engine import version
from tap_pigment.former import DESCRIPTION, Snapshot, describe, note_former, rows_downstream
from tap_pigment.makeup import digest_of
from tap_pigment.naming import CONTENT_HASH, OCCURRENCE
from tap_pigment.readers import LINE
from tap_pigment.sql import cell, content_hash, fingerprints, quoted_name, quoted_text, text_fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tap_pigment.export import Export
    from tap_pigment.makeup import Makeup

_MEMORY_BYTES_TO_JOIN = 96 << 20
"""What joining takes beside reading; with less, a join of 20 million rows finds no room though it spills."""
_MOST_PICKED = 200_000
"""How many rows are picked out of an export one by one; where more have changed, all are read."""

_FINGERPRINTS = ("fingerprint_1", "fingerprint_2")
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
        self._makeup = makeup
        self._key = key
        self._is_keyless = tuple(key) == KEYLESS
        cells = {column.name: cell(column.position) for column in columns}
        # By their place in the key: in the next export the columns may stand elsewhere.
        self._keys = {} if self._is_keyless else {f"key_{place}": cells[name] for place, name in enumerate(key)}
        # What is gone can be told only where the key is still the same.
        self._formers = [former for former in formers if former.makeup.key == makeup.key]
        self._sends_all = not (formers and is_all and all(former.makeup == makeup for former in formers))
        self._has_lines = self._note_lines()
        self.fingerprints = f"{version()} {'lines ' + digest_of(export.spool.header) if self._has_lines else 'cells'}"
        """How those of this export are made."""
        self._has_contents = self._sends_all or any(
            former.fingerprints != self.fingerprints for former in self._formers
        )
        self._has_cells = self._has_contents or not self._has_lines
        self._has_repeats = False

    def check(self) -> None:
        """Check the export, and note what is compared of each row.

        Cells of rows that are in a snapshot of the same makeup have been checked, those of others will be.

        Raises:
            PigmentError: If the export is not as it should be.
        """
        if not self._has_cells:
            (distinct,) = self._engine.values(f"SELECT count(DISTINCT {_FINGERPRINTS[0]}) FROM noted_lines")
            self._has_repeats = distinct < self._export.rows
            self._has_cells = self._has_repeats and not self._is_keyless  # To look at the key.
        if self._has_cells:
            noted = [*self._noted_keys, *self._noted_fingerprints, *self._noted_contents] or ["0 AS nothing"]
            if self._sends_all:
                self._export.check(self._columns, self._key, noted=noted)
            else:
                self._export.check_key(self._columns, self._key, noted=noted)
            self._has_repeats = self._export.has_repeats
        self._note_current()

    def _note_lines(self) -> bool:
        made = text_fingerprints(LINE)
        return self._export.note_lines([f"{text} AS {name}" for text, name in zip(made, _FINGERPRINTS, strict=True)])

    @property
    def _noted_keys(self) -> list[str]:
        return [f"{name} AS {key}" for key, name in self._keys.items()]

    @property
    def _noted_fingerprints(self) -> list[str]:
        if self._has_lines:
            return []
        made = fingerprints(self._columns)
        return [f"{cells} AS {name}" for cells, name in zip(made, _FINGERPRINTS, strict=True)]

    @property
    def _noted_contents(self) -> list[str]:
        return [f"unhex({content_hash(self._columns)}) AS content"] if self._has_contents else []

    @property
    def _identity(self) -> Sequence[str]:
        """The columns that say which row of the target's table a row is, without `occurrence`."""
        return [*self._keys] or ["content"]

    @property
    def _is_summed(self) -> bool:
        """Whether rows with one content but several fingerprints are compared as one."""
        return self._is_keyless and self._has_contents

    @property
    def _by(self) -> Sequence[str]:
        """The columns by which rows are compared; rows that are alike in them are alike."""
        if not self._has_contents:
            return [*_FINGERPRINTS, "copies"]
        return ["content", "copies"] if self._is_keyless else [*self._keys, "content"]

    @property
    def _kept(self) -> Sequence[str]:
        """The columns of a snapshot."""
        return [*self._keys, *_FINGERPRINTS, "content", "copies"]

    def _note_current(self) -> None:
        """Make of what was noted the tables `current`, and `compared`, in which no two rows are alike in `_by`.

        In them, `row` is the place of the first copy in the export, from 0.
        """
        contents = ["content"] if self._has_contents else []
        names = ", ".join([*(self._keys if self._has_cells else ()), *_FINGERPRINTS, *contents])
        if not self._has_cells:
            source = f"SELECT {names}, rowid AS row FROM noted_lines"
        elif self._has_lines:
            source = f"SELECT {names}, noted.rowid AS row FROM noted POSITIONAL JOIN noted_lines"
        else:
            source = f"SELECT {names}, rowid AS row FROM noted"
        if self._is_keyless and self._has_repeats:
            grouped = f"SELECT {names}, min(row) AS row, count(*) AS copies FROM ({source}) GROUP BY {names}"
            self._engine.execute(f"CREATE OR REPLACE TABLE current AS {grouped}")
        else:
            self._engine.execute(f"CREATE OR REPLACE VIEW current AS SELECT *, 1::BIGINT AS copies FROM ({source})")
        compared = "SELECT * FROM current"
        if self._is_summed:
            summed = "min(row) AS row, sum(copies)::BIGINT AS copies"
            compared = f"SELECT content, {summed} FROM current GROUP BY content"
        self._engine.execute(f"CREATE OR REPLACE VIEW compared AS {compared}")

    def difference(self) -> Difference:
        """Return what differs from any of the snapshots; all rows where they were made in another way.

        Raises:
            PigmentError: If what differs is not as it should be.
        """
        if not self._formers:
            return Difference(None, Selection("gone", 0), 0)
        note_former(self._engine, self._formers, by=self._by, is_summed=self._is_summed)
        before = rows_downstream(self._engine, self._formers, self._identity)
        if self._sends_all:
            self._tally("former", "current")
            return Difference(None, self._note_gone(), before)
        self._note_odd_ones()
        identity, by = ", ".join(self._identity), ", ".join(self._by)
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
        identity, by = ", ".join(self._identity), ", ".join(self._by)
        both = ", ".join(dict.fromkeys([*self._identity, *self._by]))
        self._engine.execute(f"CREATE OR REPLACE TABLE unmatched AS FROM compared ANTI JOIN certain USING ({by})")
        self._engine.execute(
            f"CREATE OR REPLACE TABLE missing AS SELECT DISTINCT {both} FROM former ANTI JOIN compared USING ({by})"
        )
        self._pick()
        self._engine.execute(
            f"CREATE OR REPLACE TABLE affected AS SELECT {identity} FROM picked UNION SELECT {identity} FROM missing"
        )

    def _pick(self) -> None:
        """Read the cells of what only the export has into the table `picked`, and check them.

        Raises:
            PigmentError: If they are not as they should be.
        """
        picked = self._engine.execute(f"SELECT row FROM unmatched ORDER BY row LIMIT {_MOST_PICKED + 1}").fetchall()
        made = ", ".join([*self._noted_keys, f"{content_hash(self._columns)} AS {quoted_name(CONTENT_HASH)}"])
        noted = ", ".join(["row", "copies", *(() if self._is_summed else _FINGERPRINTS)])
        with self._rows([row for (row,) in picked]) as (table, place):
            self._engine.execute(
                f"""
                CREATE OR REPLACE TABLE picked AS
                WITH placed AS (SELECT *, row_number() OVER () - 1 AS place FROM {table}),
                     wanted AS (SELECT {place} AS place, {noted} FROM unmatched)
                SELECT *, {made}, unhex({quoted_name(CONTENT_HASH)}) AS content FROM placed JOIN wanted USING (place)
                """
            )
        found, due = self._engine.values("SELECT (SELECT count(*) FROM picked), (SELECT count(*) FROM unmatched)")
        if found != due:
            raise RuntimeError(f"{self._export.name}: {found:,} of {due:,} rows were found again.")
        self._export.check_types(self._columns, "picked")

    @contextmanager
    def _rows(self, picked: Sequence[int]) -> Iterator[tuple[str, str]]:
        """Give the SQL that reads these rows of the export, and that of the place in it at which a row stands."""
        if len(picked) <= _MOST_PICKED:
            path = self._export.spool.path.with_suffix(".picked")
            with self._export.picked(path, picked) as table:
                if table:
                    yield table, "row_number() OVER (ORDER BY row) - 1"
                    return
        self._export.read_strictly()
        yield self._export.table, "row"

    @property
    def _tallied(self) -> str:
        return ", ".join(dict.fromkeys([*self._identity, "content", "copies"]))

    def _tally(self, former: str, current: str) -> None:
        """Put how often each identity is there, and was, into the table `tally`.

        In it, `copies` is how often it is in the export; `before`, how often it is downstream for certain as it is now;
        and `most`, how often it may be.

        Args:
            former: The SQL of rows of `former`: all with some identities.
            current: The SQL of rows of the export: all with these identities.
        """
        identity = ", ".join(self._identity)
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
        if not self._is_keyless and self._engine.values("SELECT count(*) FROM tally WHERE copies > 1") != (0,):
            self._export.read_strictly()
            self._export.check_uniqueness(self._columns, self._key)

    def _note_changed(self) -> Selection:
        """Put the rows that are new or differ into the table `changed`."""
        identity = ", ".join(self._identity)
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
        cells = ", ".join(f"{key} AS {name}" for key, name in self._keys.items())
        if self._is_keyless:
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
        kept = ", ".join(self._kept)
        rows = f"SELECT {kept} FROM current"
        if not self._has_contents:
            # What is as it was, with the hash it had, and what is not.
            known = f"certain ANTI JOIN missing USING ({', '.join(self._by)})"
            rows = f"SELECT {kept} FROM {known} UNION ALL SELECT {kept} FROM picked"
        snapshot = Snapshot(path, self._makeup, self.fingerprints, self._export.rows, previous)
        self._engine.copy(
            f"COPY ({rows}) TO {quoted_text(str(path))} "
            f"(FORMAT parquet, KV_METADATA {{{DESCRIPTION}: {quoted_text(describe(snapshot))}}}"
            f"{_OF_HASHES_ONLY if self._is_keyless else ''})"
        )
