"""All rows of an export in one digest, to tell whether any has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.makeup import digest_of
from tap_pigment.sql import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_pigment.columns import Column
    from tap_pigment.export import Export
    from tap_pigment.makeup import Makeup

_LANES = (1, 17)  # Where 64 bits begin in the hexadecimal text of a hash.


def digest(export: Export, columns: Sequence[Column], makeup: Makeup) -> str:
    """Return what is equal for the same rows made up in the same way, in whatever order they come."""
    # Identical rows add up, and do not cancel each other out.
    sums = ", ".join(
        f"coalesce(sum(CAST('0x' || substr(hash, {start}, 16) AS UBIGINT)::HUGEINT), 0)" for start in _LANES
    )
    lanes = export.engine.values(f"SELECT {sums} FROM (SELECT {content_hash(columns)} AS hash FROM {export.table})")
    return digest_of([makeup.digest, export.rows, *map(str, lanes)])
