"""Whether an export may delete rows downstream. No I/O.

A key acts as its owner, and what the owner may not see is absent from an export without an error. So a right that was
lost looks exactly like rows that were deleted.
"""

from __future__ import annotations

from tap_pigment.errors import ShrunkExportError

UNGUARDED_PERCENT = 100
"""The `max_shrink_percent` that lets an export delete everything."""


def check_shrinkage(name: str, *, gone: int, before: int | None, max_percent: int) -> None:
    """Check that no more rows are gone than may be deleted downstream.

    Args:
        name: The stream's name, to begin a message with.
        gone: How many rows would be deleted.
        before: How many rows there were in the last run; None if that is not known.
        max_percent: How much of them may be deleted.

    Raises:
        ShrunkExportError: If more are gone.
    """
    if before and gone * 100 > max_percent * before:
        raise ShrunkExportError(
            f"{name}: {gone:,} of the {before:,} rows of the last run are gone, and would be deleted downstream: more "
            f"than max_shrink_percent ({max_percent}) allows. Nothing was sent. A lost access right looks just like "
            "deleted rows: look at the block in Pigment as the key's owner. If the rows are really gone, run once with "
            f"max_shrink_percent: {UNGUARDED_PERCENT}."
        )


def may_activate(*, rows: int, max_percent: int) -> bool:
    """Return whether an export that has passed `check_shrinkage` may delete what it does not hold.

    An empty one would delete everything, and where the state knows no row count nothing else stops it.
    """
    return rows > 0 or max_percent == UNGUARDED_PERCENT
