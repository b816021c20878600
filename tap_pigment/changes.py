"""What differs from the last run: all content hashes in one digest, and rows against a snapshot.

A snapshot is a Parquet file with a row for each of the export's: the cells of the key, two fingerprints of all selected
cells, and the content hash. DuckDB's own hashes are the fingerprints: 128 bits together, made many times faster than a
SHA-256, but not the same in every version of it; where the versions differ, the content hashes are compared instead.
Without a key, identical rows are one row of the snapshot, which says how many copies there are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.columns import KEYLESS, Column
from tap_pigment.engine import version
from tap_pigment.former import DESCRIPTION, FINGERPRINTS, FORMAT, HASH, former_of
from tap_pigment.makeup import digest_of
from tap_pigment.naming import CONTENT_HASH, OCCURRENCE
from tap_pigment.sql import cell, content_hash, fingerprints, quoted_name, quoted_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tap_pigment.export import Export
    from tap_pigment.former import Snapshot
    from tap_pigment.makeup import Makeup

_LANES = (1, 17)  # Where 64 bits begin in the hexadecimal text of a hash.


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


def digest(makeup: Makeup, rows: int, lanes: Sequence[int]) -> str:
    """Return what is equal for the same rows made up in the same way, in whatever order they come."""
    return digest_of([makeup.digest, rows, *map(str, lanes)])


class Changes:
    """A checked export, to be compared with the last one.

    Args:
        export: The export.
        columns: The columns that are emitted.
        key: Names of the key's columns, or `KEYLESS`.
        makeup: What the records are made of.
    """

    def __init__(self, export: Export, columns: Sequence[Column], key: Sequence[str], makeup: Makeup) -> None:
        self._export = export
        self._engine = export.engine
        self._columns = columns
        self._makeup = makeup
        self._is_keyless = tuple(key) == KEYLESS
        self._by: tuple[str, ...] = HASH
        self._former = ""
        cells = {column.name: cell(column.position) for column in columns}
        # By their place in the key: in the next export the columns may stand elsewhere.
        self._keys = {} if self._is_keyless else {f"key_{place}": cells[name] for place, name in enumerate(key)}

    def digest(self) -> str:
        """Return the digest of the export's content hashes."""
        hashes = f"SELECT {content_hash(self._columns)} AS hash, 1 AS copies FROM {self._export.table}"
        return digest(self._makeup, self._export.rows, self._lanes(hashes))

    def snapshot_digest(self, path: Path) -> str:
        """Return the same digest, from a snapshot of the export."""
        hashes = f"SELECT hex(content) AS hash, copies FROM read_parquet({quoted_text(str(path))})"
        return digest(self._makeup, self._export.rows, self._lanes(hashes))

    def _lanes(self, hashes: str) -> tuple[int, ...]:
        """Return sums of parts of all hashes. Identical rows add up, and do not cancel each other out."""
        sums = ", ".join(
            f"coalesce(sum(CAST('0x' || substr(hash, {start}, 16) AS UBIGINT) * CAST(copies AS HUGEINT)), 0)"
            for start in _LANES
        )
        return tuple(int(lane) for lane in self._engine.values(f"SELECT {sums} FROM ({hashes})"))

    # Snapshots

    def write(self, path: Path, difference: Difference, *, previous: str | None) -> None:
        """Write the snapshot of the export to a file.

        Args:
            path: The file.
            difference: What `compared` or `compared_wholly` has returned last.
            previous: The name of the snapshot that the state names.
        """
        rows = "SELECT * FROM current" if difference.changed is None else self._merged(difference.changed)
        description = {
            "format": FORMAT,
            "makeup": self._makeup.to_json(),
            "engine": version(),
            "rows": self._export.rows,
            "previous": previous,
        }
        self._engine.copy(
            f"COPY ({rows}) TO {quoted_text(str(path))} "
            f"(FORMAT parquet, KV_METADATA {{{DESCRIPTION}: {quoted_text(json.dumps(description))}}})"
        )

    def _merged(self, changed: Selection) -> str:
        """Return the SQL of the new snapshot: what is as it was, with the hash it had, and what has changed."""
        identity = ", ".join([*self._keys, *self._by])
        shared = [*self._keys, *FINGERPRINTS]
        kept = f"""
            SELECT {", ".join(f"current.{name}" for name in shared)}, former.content, current.copies
            FROM current JOIN {self._former} AS former USING ({identity})
            WHERE former.copies > 0
        """
        if not changed.rows:
            return kept
        made = (
            f"SELECT {', '.join(shared)}, unhex({quoted_name(CONTENT_HASH)}), copies FROM {changed.table} WHERE is_new"
        )
        return f"{kept} UNION ALL {made}"

    # Comparing

    def compared(self, formers: Sequence[Snapshot]) -> Difference:
        """Return what differs from any of some snapshots, whose records were made in the same way."""
        self._by = FINGERPRINTS if {former.engine for former in formers} == {version()} else HASH
        rows = self._note_former(formers)
        with_hash = self._by == HASH
        self._note_current(with_hash=with_hash)
        identity = ", ".join(self._keys or self._by)
        differs = " OR ".join(f"current.{name} IS DISTINCT FROM former.{name}" for name in self._by)
        before = "coalesce(former.copies, 0)" if self._is_keyless else "0"
        has_changed = f"current.copies > {before}" if self._is_keyless else differs
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE changed_ids AS
            SELECT {identity}, {before} AS before, current.copies AS copies
            FROM current LEFT JOIN {self._former} AS former USING ({identity})
            WHERE {has_changed}
            """
        )
        (changed_ids,) = self._engine.values("SELECT count(*) FROM changed_ids")
        gone = self._note_gone()
        changed = self._note_changed(identity, with_hash=with_hash) if changed_ids else 0
        return Difference(Selection("changed", changed), gone, rows)

    def compared_wholly(self, formers: Sequence[Snapshot]) -> Difference:
        """Return that all rows are to be sent, and what is gone since some snapshots, whose key is the same."""
        self._note_current(with_hash=True)
        if not formers:
            return Difference(None, Selection("gone", 0), 0)
        self._by = HASH
        rows = self._note_former(formers)
        return Difference(None, self._note_gone(), rows)

    def _note_former(self, formers: Sequence[Snapshot]) -> int:
        """Remember what may be downstream, and return how many rows that are."""
        identity = tuple(self._keys) or self._by
        former = former_of(self._engine, formers, identity, is_keyless=self._is_keyless)
        self._former = former.table
        return former.rows

    def _note_current(self, *, with_hash: bool) -> None:
        """Put what a snapshot has of the export's rows into a table."""
        rows = f"SELECT {', '.join(self._identities(with_hash=with_hash))}, 1 AS copies FROM {self._export.table}"
        if self._is_keyless and self._export.has_repeats:
            rows = f"SELECT * EXCLUDE (copies), count(*) AS copies FROM ({rows}) GROUP BY ALL"
        self._engine.execute(f"CREATE OR REPLACE TABLE current AS {rows}")

    def _note_gone(self) -> Selection:
        """Put the keys of the rows that are gone into a table."""
        before = f"{self._former} AS former"
        if self._is_keyless:
            rows = f"""
                SELECT
                    lower(hex(former.content)) AS {quoted_name(CONTENT_HASH)},
                    unnest(range(coalesce(current.copies, 0) + 1, former.most + 1)) AS {OCCURRENCE}
                FROM {before} LEFT JOIN current USING ({", ".join(self._by)})
                WHERE former.most > coalesce(current.copies, 0)
            """
        else:
            cells = ", ".join(f"{key} AS {name}" for key, name in self._keys.items())
            rows = f"SELECT {cells} FROM {before} ANTI JOIN current USING ({', '.join(self._keys)})"
        self._engine.execute(f"CREATE OR REPLACE TABLE gone AS {rows}")
        (count,) = self._engine.values("SELECT count(*) FROM gone")
        return Selection("gone", count)

    def _note_changed(self, identity: str, *, with_hash: bool) -> int:
        """Put the rows that are new or differ into a table, with their hash, and return how many they are."""
        # Identical rows without a key are one row here, and as many records as there are new copies.
        once = f"QUALIFY row_number() OVER (PARTITION BY {identity}) = 1" if self._is_keyless else ""
        self._engine.execute(
            f"""
            CREATE OR REPLACE TABLE changed AS
            WITH identified AS (SELECT *, {", ".join(self._identities(with_hash=with_hash))} FROM {self._export.table}),
                 chosen AS (SELECT * FROM identified JOIN changed_ids USING ({identity}) {once}),
                 numbered AS (SELECT *, unnest(range(before + 1, copies + 1)) AS {OCCURRENCE} FROM chosen)
            SELECT *, {OCCURRENCE} = 1 AS is_new, {content_hash(self._columns)} AS {quoted_name(CONTENT_HASH)}
            FROM numbered
            """
        )
        (count,) = self._engine.values("SELECT count(*) FROM changed")
        return int(count)

    def _identities(self, *, with_hash: bool) -> list[str]:
        """Return the SQL of what a row of the export is recognised by."""
        keys = [f"{name} AS {key}" for key, name in self._keys.items()]
        prints = [f"{made} AS {name}" for made, name in zip(fingerprints(self._columns), FINGERPRINTS, strict=True)]
        hashes = [f"unhex({content_hash(self._columns)}) AS content"] if with_hash else []
        return [*keys, *prints, *hashes]
