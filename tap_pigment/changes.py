"""What differs from the last run, row by row: an export is compared with snapshots of former ones.

A snapshot is a Parquet file of an export's rows: the cells of the key, two fingerprints, the content hash, and how many
copies there are of a row without a key. Only rows with fingerprints that are not in both are looked at: those of the
export are read, and counted by their key or content hash beside those of the snapshots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.difference import Difference, Selection
from tap_pigment.former import DESCRIPTION, Snapshot, describe, note_former
from tap_pigment.identities import Identities
from tap_pigment.noted import FINGERPRINTS, NotedRows
from tap_pigment.picking import DEFAULT_LIMITS, Limits, Picking
from tap_pigment.sql import quoted_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tap_pigment.columns import Column
    from tap_pigment.export import Export
    from tap_pigment.makeup import Makeup

_MEMORY_BYTES_TO_JOIN = 64 << 20
"""What joining takes beside reading: without it, 20 million rows find no room though DuckDB spills."""

# Hashes do not get smaller, and none comes twice.
_OF_HASHES_ONLY = ", COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1"


class Changes:
    """An export that is checked, and compared with snapshots.

    Args:
        export: The export.
        columns: The columns that are emitted.
        key: Names of the key's columns, or `KEYLESS`.
        makeup: What the records are made of.
        formers: The snapshots.
        is_all: Whether these are all that there should be, or what is downstream cannot be told from them.
        limits: How many rows are worked on at once.

    Attributes:
        why_all: Why all rows are sent although the snapshots are of the same makeup; None if it is not so.
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
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._export = export
        self._engine = export.engine
        self._engine.add_memory(_MEMORY_BYTES_TO_JOIN)
        self._columns = columns
        self._key = key
        self._makeup = makeup
        # What is gone can be told only where the key is still the same.
        self._formers = [former for former in formers if former.makeup.key_types == makeup.key_types]
        self._may_repeat = len(self._formers) != 1 or self._has_copies(self._formers[0])
        self._sends_all = not (formers and is_all and all(former.makeup == makeup for former in formers))
        self.why_all: str | None = None
        self._limits = limits
        self._rows = NotedRows(export, columns, key)
        self._picking = Picking(export, columns, self._rows, limits)
        self._identities = Identities(export, self._rows, len(self._formers))

    def _has_copies(self, former: Snapshot) -> bool:
        return bool(self._engine.values(f"SELECT count(*) FROM {former.table}") != (former.rows,))

    @property
    def fingerprints(self) -> str:
        """How the fingerprints of the export were made."""
        return self._rows.fingerprints

    def check(self) -> None:
        """Check the export: all of it, or where that is compared with snapshots, what none of them has in `difference`.

        Raises:
            PigmentError: If it is not as it should be.
        """
        made = {former.fingerprints for former in self._formers}
        self._rows.check(made, sends_all=self._sends_all, may_repeat=self._may_repeat)
        if self._rows.has_contents and not self._sends_all and self._most_rows > self._limits.compared:
            self._sends_all = True
            self.why_all = "lines or columns have another form, or DuckDB is another version"
            self._export.check_types(self._columns, self._export.table)

    def difference(self) -> Difference:
        """Return what differs from any of the snapshots; all rows where they were made in another way, or most differ.

        Raises:
            PigmentError: If what differs is not as it should be.
        """
        if not self._formers:
            return Difference(None, Selection("gone", 0), 0)
        if self._sends_all:
            return self._all_rows()
        self._note_compared()
        self._note_differing()
        if self._engine.values(f"SELECT count(*) > {self._limits.changed} FROM unmatched") == (True,):
            self._engine.execute("DROP TABLE differing")
            self._sends_all = True
            self.why_all = f"more than {self._limits.changed:,} have changed"
            self.check()
            return self._all_rows()
        if self._rows.assumes_unique and self._has_repeats:
            self._may_repeat = True
            self.check()
            return self.difference()
        self._note_missing_of_differing()
        if not self._picking.pick():
            self.check()
            return self.difference()
        self._identities.count_affected()
        self._check_key()
        return Difference(self._identities.changed(), self._identities.gone(), self._identities.rows_before())

    def _all_rows(self) -> Difference:
        """Return all rows, and what is gone, found part by part: a hash of the identity says which."""
        parts = self._most_rows // self._limits.compared + 1
        identity = ", ".join(self._rows.identity)
        gone = before = 0
        for part in range(parts):
            self._note_compared(f"hash({identity}) % {parts} = {part}")
            self._note_missing(self._rows.by if self._rows.is_keyless else self._rows.identity)
            self._identities.count_all()
            before += self._identities.rows_before()
            gone = self._identities.gone(adds=part > 0).rows
        return Difference(None, Selection("gone", gone), before)

    @property
    def _most_rows(self) -> int:
        return max(self._export.rows, *(former.rows for former in self._formers))

    def _note_compared(self, where: str = "true") -> None:
        note_former(self._engine, self._formers, by=self._rows.by, is_summed=self._rows.is_summed, where=where)
        self._rows.note_compared(where)

    def _note_differing(self) -> None:
        """Put what is not both in the export and in all snapshots into `differing`, and the export's into `unmatched`.

        Of several snapshots, what the export does not have is left out.
        """
        by = ", ".join(self._rows.by)
        noted = ", ".join(dict.fromkeys([*self._rows.by, *self._rows.noted]))
        differing = f"SELECT {noted}, row, NULL AS place FROM compared ANTI JOIN certain USING ({by})"
        if len(self._formers) == 1:
            differing = f"""
                SELECT {noted}, row, place
                FROM compared FULL JOIN (SELECT {by}, place FROM former) USING ({by})
                WHERE row IS NULL OR place IS NULL
            """
        self._engine.execute(f"CREATE OR REPLACE TABLE differing AS {differing}")
        self._engine.execute(
            "CREATE OR REPLACE VIEW unmatched AS SELECT * EXCLUDE (place) FROM differing WHERE place IS NULL"
        )

    def _note_missing_of_differing(self) -> None:
        """Put what only snapshots have into the table `missing`, as `_note_missing` does."""
        if len(self._formers) > 1:
            self._note_missing(self._rows.by)
            return
        names = ", ".join(dict.fromkeys([*self._rows.identity, *self._rows.by]))
        places = "SELECT place FROM differing WHERE row IS NULL"
        self._engine.execute(
            f"CREATE OR REPLACE TABLE missing AS SELECT {names} FROM former SEMI JOIN ({places}) USING (place)"
        )

    @property
    def _has_repeats(self) -> bool:
        """Whether lines are alike, of those that the snapshot has or of the others.

        In the snapshot, no two are. So as many as are not missing are matched, if each is by one line only.
        """
        unmatched, missing, distinct = self._engine.values(
            f"""
            SELECT
                count(*) FILTER (place IS NULL), count(*) FILTER (row IS NULL),
                count(DISTINCT {FINGERPRINTS[0]}) FILTER (place IS NULL)
            FROM differing
            """
        )
        return bool(distinct < unmatched or self._formers[0].rows - missing != self._export.rows - unmatched)

    def _note_missing(self, by: Sequence[str]) -> None:
        """Put what only snapshots have into the table `missing`: its identities, and what it is compared by."""
        names = ", ".join(dict.fromkeys([*self._rows.identity, *by]))
        self._engine.execute(
            f"CREATE OR REPLACE TABLE missing AS SELECT {names} FROM former ANTI JOIN compared USING ({', '.join(by)})"
        )

    def _check_key(self) -> None:
        """Check that no row that has changed shares its key.

        Raises:
            KeysNotUniqueError: If one does; it names the first.
        """
        if not self._rows.is_keyless and self._identities.are_shared:
            self._export.read_strictly()
            self._export.check_uniqueness(self._columns, self._key)

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
