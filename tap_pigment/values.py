"""What Python makes of a cell, as DuckDB gives it. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import ColumnType
from tap_pigment.sql import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_pigment.columns import Column


def record_of(columns: Sequence[Column], values: Sequence[Any]) -> dict[str, Any]:
    """Return the values of some columns, as the SQL of `sql.value` has them, by the columns' names."""
    return {
        column.name: None if found is None else _CONVERTERS.get(column.type, _as_it_is)(found)
        for column, found in zip(columns, values, strict=True)
    }


def _number(text: str) -> float:
    return int(text) if re.fullmatch(WHOLE, text) else float(text)


def _as_it_is(found: Any) -> Any:  # noqa: ANN401 - whatever DuckDB gives.
    return found


_CONVERTERS: Mapping[ColumnType, Callable[[Any], Any]] = {ColumnType.NUMBER: _number, ColumnType.INTEGER: int}
