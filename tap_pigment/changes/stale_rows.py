"""Rows that may stay in the target although they are no longer in Pigment: what to report about them. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

_SWITCH_ON = (
    "Set emit_activate_version_messages: true for a target that acts on it, or change_detection: row for any target "
    "that merges by key."
)
_INSTEAD_OF_FILES = "Replace batch_config by change_detection: row, or load the table from scratch in each run."


def keyless_notice(name: str) -> str:
    """Return what a target must do for a stream without a key, where ACTIVATE_VERSION is emitted."""
    return (
        f"{name}: no column identifies a row, so an edited row is emitted as a new one. The target must act on "
        "ACTIVATE_VERSION to delete the old one; if it does not, set change_detection: row."
    )


def changed_key_warning(name: str, key: Sequence[str]) -> str:
    """Return a warning of a key that differs from that of the last run.

    Args:
        name: The stream's name; the warning starts with it.
        key: The names of the key columns.
    """
    return (
        f"{name}: the key is ({', '.join(key)}) and was another one in the last run. Rows that the target has under "
        "the old key stay there, unless it acts on ACTIVATE_VERSION. Load the table again from scratch, or set "
        f"stream_overrides.{name}.key_columns to the old key."
    )


def stale_rows_warning(  # noqa: PLR0913 - everything that decides about the warning.
    name: str, *, rows: int, previous_rows: int | None, is_keyless: bool, is_changed: bool, writes_files: bool
) -> str | None:
    """Return a warning of rows that nothing deletes downstream, or None if there are none for all that is known.

    Args:
        name: The stream's name; the warning starts with it.
        rows: The number of rows of the export.
        previous_rows: The number of rows of the last run's export; None if unknown.
        is_keyless: Whether no column identifies a row.
        is_changed: Whether the rows differ from those of the last run; only needed without a key.
        writes_files: Whether BATCH files are written, which no ACTIVATE_VERSION can follow.
    """
    remedy = _INSTEAD_OF_FILES if writes_files else _SWITCH_ON
    if is_keyless and previous_rows is not None and is_changed:
        return (
            f"{name}: rows changed since the last run ({previous_rows:,} rows then, {rows:,} now), and no column "
            "identifies a row. A target that merges or appends keeps the old rows beside the new ones, so its sums "
            f"are wrong. {remedy}"
        )
    if is_keyless:
        return (
            f"{name}: no column identifies a row, so an edited row is emitted as a new one, and nothing deletes the "
            f"old one downstream. {remedy}"
        )
    if previous_rows is not None and rows < previous_rows:
        fewer = counted(previous_rows - rows, "row")
        return (
            f"{name}: {fewer} fewer than in the last run ({previous_rows:,} then, {rows:,} now). A target that merges "
            f"or appends keeps deleted rows. {remedy}"
        )
    return None
