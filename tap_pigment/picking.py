"""The rows that have changed, picked out of an export, read and checked."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tap_pigment.naming import CONTENT_HASH
from tap_pigment.noted import FINGERPRINTS, NOTED_OF_LINES
from tap_pigment.sql import content_hash, quoted_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_pigment.columns import Column
    from tap_pigment.export import Export
    from tap_pigment.noted import NotedRows


@dataclass(frozen=True)
class Limits:
    """How many rows are worked on at once, so that there is memory for them.

    Attributes:
        picked: How many are picked out of an export one by one; where more have changed, all are read.
        changed: How many are told apart from the others; where more have changed, all are sent.
        compared: How many are compared at once by their key or content hash, which takes more than by fingerprints.
    """

    picked: int = 200_000
    changed: int = 1_000_000
    compared: int = 1_000_000


DEFAULT_LIMITS = Limits()


class _Source(NamedTuple):
    """Rows to pick from.

    Attributes:
        table: The SQL that reads their cells.
        place: The SQL of the place among them, from 0, at which a row of `unmatched` stands.
        lines: The SQL that reads them as lines; None where they are none, or all rows are there.
    """

    table: str
    place: str
    lines: str | None = None


class Picking:
    """The rows of an export that are in the table `unmatched`, which numbers them from 0 as `row`.

    Args:
        export: The export.
        columns: The columns that are emitted.
        rows: What is noted of its rows.
        limits: How many rows are worked on at once.
    """

    def __init__(self, export: Export, columns: Sequence[Column], rows: NotedRows, limits: Limits) -> None:
        self._export = export
        self._engine = export.engine
        self._columns = columns
        self._rows = rows
        self._limits = limits

    def pick(self) -> bool:
        """Read their cells into the table `picked`, and check them.

        Returns:
            Whether lines are rows. If not, the export is to be checked anew, and compared by its cells.

        Raises:
            PigmentError: If they are not as they should be.
        """
        made = ", ".join([*self._rows.noted_keys, f"{content_hash(self._columns)} AS {quoted_name(CONTENT_HASH)}"])
        noted = ", ".join(["row", *self._rows.noted])
        with self._source() as source:
            if source is None:
                return False
            self._engine.execute(
                f"""
                CREATE OR REPLACE TABLE picked AS
                WITH placed AS (SELECT *, row_number() OVER () - 1 AS place FROM {source.table}),
                     wanted AS (SELECT {source.place} AS place, {noted} FROM unmatched)
                SELECT *, {made}, unhex({quoted_name(CONTENT_HASH)}) AS content FROM placed JOIN wanted USING (place)
                """
            )
            if source.lines and not self._rows.is_summed:
                self._prove(source.lines)
        found, due = self._engine.values("SELECT (SELECT count(*) FROM picked), (SELECT count(*) FROM unmatched)")
        if found != due:
            raise RuntimeError(f"{self._export.name}: {found:,} of {due:,} rows were found again.")
        self._export.check_types(self._columns, "picked")
        return True

    def _prove(self, lines: str) -> None:
        """Check that the lines that were picked are those that were noted."""
        (others,) = self._engine.values(
            f"""
            WITH lines AS (SELECT {", ".join(NOTED_OF_LINES)}, row_number() OVER () - 1 AS place FROM {lines})
            SELECT count(*) FROM picked ANTI JOIN lines USING (place, {", ".join(FINGERPRINTS)})
            """
        )
        if others:
            raise RuntimeError(f"{self._export.name}: {others:,} lines are not what was noted of them.")

    @contextmanager
    def _source(self) -> Iterator[_Source | None]:
        """Give the rows of the export among which these are, or None if lines are no rows."""
        if self._engine.values("SELECT count(*) FROM unmatched") <= (self._limits.picked,):
            pick = self._export.picked_lines if self._rows.has_lines else self._export.picked
            with pick(self._export.spool.path.with_suffix(".picked"), "unmatched") as picked:
                if picked:
                    lines = picked.lines if self._rows.has_lines else None
                    yield _Source(picked.cells, "row_number() OVER (ORDER BY row) - 1", lines)
                    return
        if self._export.count_cells():
            self._export.read_strictly()
            yield _Source(self._export.table, "row")
        else:
            yield None
