"""The guard against exports that would delete too many rows downstream. No I/O.

An API key acts as its owner, and rows that the owner may not see are missing from the export without an error. So a
lost access right looks exactly like deleted rows.
"""

from __future__ import annotations

from tap_pigment.errors import ShrunkExportError

UNGUARDED_PERCENT = 100
"""The `max_shrink_percent` that turns the guard off."""


def check_shrinkage(name: str, *, rows: int, previous_rows: int | None, max_percent: int) -> None:
    """Check that an export has not lost too many rows.

    Args:
        name: The stream's name; the message starts with it.
        rows: The number of rows of the export.
        previous_rows: The number of rows of the last run's export; None if unknown.
        max_percent: The greatest share of rows that may be lost.

    Raises:
        ShrunkExportError: If more are lost.
    """
    lost = (previous_rows or 0) - rows
    if previous_rows and lost * 100 > max_percent * previous_rows:
        raise ShrunkExportError(
            f"{name}: the export lost {lost:,} of the {previous_rows:,} rows of the last run, more than "
            f"max_shrink_percent ({max_percent}) allows. Nothing was emitted. A lost access right looks like deleted "
            "rows: check the block in Pigment as the API key's owner. If the rows were really deleted, run once with "
            f"max_shrink_percent: {UNGUARDED_PERCENT}."
        )


def may_activate(*, rows: int, max_percent: int) -> bool:
    """Return whether ACTIVATE_VERSION may follow an export that passed `check_shrinkage`.

    An empty export would delete everything, and without a previous number of rows nothing else prevents that.
    """
    return rows > 0 or max_percent == UNGUARDED_PERCENT
