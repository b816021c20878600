"""What differs from the last run: all content hashes in one digest, and rows against snapshots.

A snapshot is a Parquet file with a row for each of the export's: the cells of the key, two fingerprints of all selected
cells, and the content hash. DuckDB's own hashes are the fingerprints: 128 bits together, made many times faster than a
SHA-256, but not the same in every version of it; where the versions differ, the content hashes are compared instead.
Without a key, identical rows are one row of the snapshot, which says how many copies there are.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.columns import KEYLESS, Column
from tap_pigment.engine import version
from tap_pigment.former import DESCRIPTION, FINGERPRINTS, FORMAT, HASH, former_of
from tap_pigment.makeup import digest_of
from tap_pigment.naming import CONTENT_HASH, OCCURRENCE
from tap_pigment.sql import cell, content_hash, fingerprints, quoted_name, quoted_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tap_pigment.export import Export
    from tap_pigment.former import Snapshot
    from tap_pigment.makeup import Makeup

_MEMORY_BYTES_TO_JOIN = 96 << 20
"""What joining takes beside reading; with less, a join of 20 million rows finds no room though it spills."""
_LANES = (1, 17)  # Where 64 bits begin in the hexadecimal text of a hash.
_MOST_PICKED = 200_000
"""How many rows are picked out of an export one by one; where more have changed, all are read once more."""

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


def digest(export: Export, columns: Sequence[Column], makeup: Makeup) -> str:
    """Return what is equal for the same rows made up in the same way, in whatever order they come."""
    # Identical rows add up, and do not cancel each other out.
    sums = ", ".join(
        f"coalesce(sum(CAST('0x' || substr(hash, {start}, 16) AS UBIGINT)::HUGEINT), 0)" for start in _LANES
    )
    lanes = export.engine.values(f"SELECT {sums} FROM (SELECT {content_hash(columns)} AS hash FROM {export.table})")
    return digest_of([makeup.digest, export.rows, *map(str, lanes)])


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
        are_ours = not self._sends_all and all(former.engine == version() for former in formers)
        self._by = FINGERPRINTS if are_ours else HASH

    def check(self) -> None:
        """Check the export, and note what is compared of each row.

        Raises:
            PigmentError: If the export is not as it should be.
        """
        if self._sends_all:
            self._export.check(self._columns, self._key, noted=self._noted)
        else:
            # Cells of rows that are in a snapshot of the same makeup have been checked, those of others will be.
            self._export.check_key(self._columns, self._key, noted=self._noted)

    @property
    def _noted(self) -> Sequence[str]:
        """The SQL of what is compared of each row."""
        keys = [f"{name} AS {key}" for key, name in self._keys.items()]
        prints = [f"{made} AS {name}" for made, name in zip(fingerprints(self._columns), FINGERPRINTS, strict=True)]
        hashes = [f"unhex({content_hash(self._columns)}) AS content"] if self._by == HASH else []
        return [*keys, *prints, *hashes]

    def difference(self) -> Difference:
        """Return what differs from any of the snapshots; all rows where they were made in another way.

        Raises:
            CellTypeError: If a cell of what differs does not fit its column's type.
        """
        self._note_current()
        if self._formers:
            former = former_of(self._engine, self._formers, self._identity, is_keyless=self._is_keyless)
            self._join(former.table)
        if self._sends_all:
            gone = self._note_gone() if self._formers else Selection("gone", 0)
            return Difference(None, gone, former.rows if self._formers else 0)
        return Difference(Selection("changed", self._note_changed()), self._note_gone(), former.rows)

    def write(self, path: Path, difference: Difference, *, previous: str | None) -> None:
        """Write the snapshot of the export to a file.

        Args:
            path: The file.
            difference: What `difference` has returned.
            previous: The name of the snapshot that the state names.
        """
        rows = f"SELECT {', '.join(self._kept)} FROM current"
        if difference.changed is not None:
            # What is as it was, with the hash it had, and what has changed.
            rows = f"SELECT {', '.join(self._kept)} FROM joined WHERE row IS NOT NULL AND before > 0"
            if difference.changed.rows:
                made = [f"unhex({quoted_name(CONTENT_HASH)})" if name == "content" else name for name in self._kept]
                rows += f" UNION ALL SELECT {', '.join(made)} FROM changed WHERE is_new"
        description = {
            "format": FORMAT,
            "makeup": self._makeup.to_json(),
            "engine": version(),
            "rows": self._export.rows,
            "previous": previous,
        }
        self._engine.copy(
            f"COPY ({rows}) TO {quoted_text(str(path))} "
            f"(FORMAT parquet, KV_METADATA {{{DESCRIPTION}: {quoted_text(json.dumps(description))}}}"
            f"{_OF_HASHES_ONLY if self._is_keyless else ''})"
        )

    @property
    def _kept(self) -> Sequence[str]:
        """The columns of a snapshot."""
        return [*self._keys, *FINGERPRINTS, *HASH, "copies"]

    @property
    def _identity(self) -> Sequence[str]:
        """The columns by which a row of the export is found in a snapshot."""
        return [*self._keys] or self._by

    def _note_current(self) -> None:
        """Make of what was noted a row for each that a snapshot has; `row` is its place in the export, from 0."""
        noted = ", ".join([*self._keys, *FINGERPRINTS, *(HASH if self._by == HASH else ())])
        if self._is_keyless and self._export.has_repeats:
            rows = f"SELECT {noted}, min(rowid) AS row, count(*) AS copies FROM noted GROUP BY {noted}"
            self._engine.execute(f"CREATE OR REPLACE TABLE current AS {rows}")
        else:
            self._engine.execute(
                f"CREATE OR REPLACE VIEW current AS SELECT {noted}, rowid AS row, 1 AS copies FROM noted"
            )

    def _join(self, former: str) -> None:
        """Put all rows, those of the export and those that are gone, into a table beside what may be downstream.

        Of it, `before` is how many copies are there for certain as they are now, and `most` how many there may be.
        """
        compared = [name for name in self._by if name not in self._identity]
        is_same = " AND ".join(["true", *(f"current.{name} = former.{name}" for name in compared)])
        shared = [name for name in FINGERPRINTS if name not in self._identity]
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE joined AS
            SELECT
                {", ".join([*self._identity, *(f"current.{name}" for name in shared)])},
                {"" if "content" in self._identity else "former.content,"}
                current.row,
                coalesce(current.copies, 0) AS copies,
                CASE WHEN {is_same} THEN coalesce(former.copies, 0) ELSE 0 END AS before,
                coalesce(former.most, 0) AS most
            FROM current FULL JOIN {former} AS former USING ({", ".join(self._identity)})
            """
        )

    def _note_gone(self) -> Selection:
        """Put the keys of the rows that are gone into a table."""
        cells = ", ".join(f"{key} AS {name}" for key, name in self._keys.items())
        if self._is_keyless:
            cells = f"""
                lower(hex(content)) AS {quoted_name(CONTENT_HASH)},
                unnest(range(copies + 1, most + 1)) AS {OCCURRENCE}
            """
        self._engine.execute(f"CREATE OR REPLACE TABLE gone AS SELECT {cells} FROM joined WHERE most > copies")
        (count,) = self._engine.values("SELECT count(*) FROM gone")
        return Selection("gone", count)

    def _note_changed(self) -> int:
        """Put the rows that are new or differ into a table, with their hash, and return how many they are."""
        identity = ", ".join(self._identity)
        picked = [
            row
            for (row,) in self._engine.execute(
                f"SELECT row FROM joined WHERE copies > before ORDER BY row LIMIT {_MOST_PICKED + 1}"
            ).fetchall()
        ]
        if not picked:
            return 0
        # Identical rows without a key are one row here, and as many records as there are new copies.
        once = f"QUALIFY row_number() OVER (PARTITION BY {identity}) = 1" if self._is_keyless else ""
        with self._rows(picked) as table:
            self._engine.execute(
                f"""
                CREATE OR REPLACE TABLE changed AS
                WITH ids AS (SELECT {identity}, before, copies FROM joined WHERE copies > before),
                     identified AS (SELECT *, {", ".join(self._noted)} FROM {table}),
                     chosen AS (SELECT * FROM identified JOIN ids USING ({identity}) {once}),
                     numbered AS (SELECT *, unnest(range(before + 1, copies + 1)) AS {OCCURRENCE} FROM chosen)
                SELECT *, {OCCURRENCE} = 1 AS is_new, {content_hash(self._columns)} AS {quoted_name(CONTENT_HASH)}
                FROM numbered
                """
            )
        found, due = self._engine.values(
            "SELECT (SELECT count(*) FROM changed), (SELECT sum(copies - before) FROM joined WHERE copies > before)"
        )
        if found != due:
            raise RuntimeError(f"{self._export.name}: {found:,} of {due:,} changed rows were found again.")
        self._export.check_types(self._columns, "changed")
        return int(found)

    @contextmanager
    def _rows(self, picked: Sequence[int]) -> Iterator[str]:
        """Give the SQL that reads these rows of the export, and others where they are many."""
        if len(picked) > _MOST_PICKED:
            yield self._export.table
        else:
            path = self._export.spool.path.with_suffix(".picked")
            with self._export.picked(path, picked) as table:
                yield table
