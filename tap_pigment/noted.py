"""What is compared of an export's rows: fingerprints, and where these say nothing, content hashes.

Fingerprints are DuckDB's own hashes, 128 bits together, made many times faster than a SHA-256. Where every row is one
line they are of the line as it came, and a line that was there before is a row that was parsed and checked then: its
cells are not read. Elsewhere they are of the cells. Those that were made in another way, by another version of DuckDB
or below another header, cannot be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.columns import KEYLESS, Column
from tap_pigment.engine import version
from tap_pigment.makeup import digest_of
from tap_pigment.readers import LINE
from tap_pigment.sql import cell, content_hash, fingerprints, key_text, text_fingerprints

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tap_pigment.export import Export

FINGERPRINTS = ("fingerprint_1", "fingerprint_2")
NOTED_OF_LINES = tuple(f"{made} AS {name}" for made, name in zip(text_fingerprints(LINE), FINGERPRINTS, strict=True))
"""The SQL of the fingerprints of a line, by their names in a snapshot."""


class NotedRows:
    """The rows of an export in the table `current`, once it is checked, and `compared`.

    `current` has the columns of a snapshot, without the key or `content` where these are not needed. In `compared` no
    two rows are alike in the columns `by`. In both, `copies` is how many rows of the export a row stands for, and `row`
    is the place of the first, from 0.

    Args:
        export: The export.
        columns: The columns that are emitted.
        key: Names of the key's columns, or `KEYLESS`.

    Attributes:
        key_cells: The cells of the key, by their names in a snapshot.
        is_keyless: Whether there are none.
        fingerprints: How the fingerprints were made.
        has_contents: Whether `content` is noted, and compared.
        has_lines: Whether lines are noted.
        assumes_unique: Whether lines are taken to differ from each other, which is left to be found out.
    """

    def __init__(self, export: Export, columns: Sequence[Column], key: Sequence[str]) -> None:
        self._export = export
        self._engine = export.engine
        self._columns = columns
        self._key = key
        self.is_keyless = tuple(key) == KEYLESS
        # By their names: in the next export the columns may stand elsewhere.
        key_columns = sorted((column for column in columns if column.name in key), key=lambda column: column.name)
        self._key_columns = {f"key_{place}": column for place, column in enumerate(key_columns)}
        self.key_cells = {name: cell(column.position) for name, column in self._key_columns.items()}
        self.fingerprints = ""
        self.has_contents = True
        self.assumes_unique = False
        self.has_lines = self._has_cells = self._has_repeats = False

    @property
    def identity(self) -> Sequence[str]:
        """The columns that say which row of the target's table a row is, without `occurrence`."""
        return [*self.key_cells] or ["content"]

    @property
    def by(self) -> Sequence[str]:
        """The columns by which rows are compared: what is alike in them is alike."""
        if not self.has_contents:
            return [*FINGERPRINTS, "copies"]
        return ["content", "copies"] if self.is_keyless else [*self.key_cells, "content"]

    @property
    def noted(self) -> Sequence[str]:
        """The columns of `compared` that a row keeps when it is picked."""
        return ["copies"] if self.is_summed else ["copies", *FINGERPRINTS]

    @property
    def kept(self) -> Sequence[str]:
        """The columns of a snapshot."""
        return [*self.key_cells, *FINGERPRINTS, "content", "copies"]

    @property
    def is_summed(self) -> bool:
        """Whether rows with one content but several fingerprints are compared as one."""
        return self.is_keyless and self.has_contents

    @property
    def noted_keys(self) -> list[str]:
        """The SQL of the key, by its names in a snapshot."""
        return [f"{key_text(column)} AS {name}" for name, column in self._key_columns.items()]

    def check(self, formers: Collection[str], *, sends_all: bool, may_repeat: bool) -> None:
        """Check the export, and note what is compared of each row.

        Args:
            formers: How the fingerprints were made that these will be compared with.
            sends_all: Whether all rows leave. If not, cells of rows that were there before have been checked, and
                those of others will be.
            may_repeat: Whether lines are likely to be alike; if not, they are taken to differ from each other.

        Raises:
            PigmentError: If the export is not as it should be.
        """
        # Below another header, the same line is another row.
        of_lines = f"{version()} lines {digest_of(self._export.spool.header)}"
        if sends_all or set(formers) != {of_lines}:
            self._export.count_cells()
        self.has_lines = self._export.note_lines(NOTED_OF_LINES)
        self.fingerprints = of_lines if self.has_lines else f"{version()} cells"
        self.has_contents = sends_all or any(former != self.fingerprints for former in formers)
        self._has_cells = self.has_contents or not self.has_lines
        self._has_repeats = False
        self.assumes_unique = not (self._has_cells or may_repeat)
        if not (self._has_cells or self.assumes_unique):
            (distinct,) = self._engine.values(f"SELECT count(DISTINCT {FINGERPRINTS[0]}) FROM noted_lines")
            self._has_repeats = distinct < self._export.rows
            self._has_cells = self._has_repeats and not self.is_keyless  # To look at the key.
        if self._has_cells:
            if not self._export.count_cells():
                self.check(formers, sends_all=sends_all, may_repeat=may_repeat)
                return
            self._note_cells(sends_all=sends_all)
        self._note_current()

    def _note_cells(self, *, sends_all: bool) -> None:
        noted = self.noted_keys
        if not self.has_lines:
            made = fingerprints(self._columns)
            noted += [f"{cells} AS {name}" for cells, name in zip(made, FINGERPRINTS, strict=True)]
        if self.has_contents:
            noted.append(f"unhex({content_hash(self._columns)}) AS content")
        if sends_all:
            self._export.check(self._columns, self._key, noted=noted)
        else:
            self._export.check_key(self._columns, self._key, noted=noted)
        self._has_repeats = self._export.has_repeats

    def _note_current(self) -> None:
        contents = ["content"] if self.has_contents else []
        names = ", ".join([*(self.key_cells if self._has_cells else ()), *FINGERPRINTS, *contents])
        if not self._has_cells:
            source = f"SELECT {names}, rowid AS row FROM noted_lines"
        elif self.has_lines:
            source = f"SELECT {names}, noted.rowid AS row FROM noted POSITIONAL JOIN noted_lines"
        else:
            source = f"SELECT {names}, rowid AS row FROM noted"
        current = f"SELECT *, 1::BIGINT AS copies FROM ({source})"
        if self.is_keyless and self._has_repeats:
            current = "FROM grouped"
            self._engine.execute(
                f"""
                CREATE OR REPLACE TABLE grouped AS
                SELECT {names}, min(row) AS row, count(*) AS copies FROM ({source}) GROUP BY {names}
                """
            )
        self._engine.execute(f"CREATE OR REPLACE VIEW current AS {current}")

    def note_compared(self, where: str) -> None:
        """Make `compared` of the rows of `current` of which an SQL condition is true."""
        compared = f"FROM current WHERE {where}"
        if self.is_summed:
            summed = "min(row) AS row, sum(copies)::BIGINT AS copies"
            self._engine.execute(
                f"CREATE OR REPLACE TABLE summed AS SELECT content, {summed} {compared} GROUP BY content"
            )
            compared = "FROM summed"
        self._engine.execute(f"CREATE OR REPLACE VIEW compared AS {compared}")
