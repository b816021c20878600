"""What differs between an export and what may be downstream: tables in DuckDB, and how many rows they have. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


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
