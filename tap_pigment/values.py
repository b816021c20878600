"""What Python makes of a cell, as DuckDB gives it. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import ColumnType
from tap_pigment.sql import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_pigment.columns import Column


def record_maker(columns: Sequence[Column], added: Sequence[str]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """Return what makes a record of a row: of the values of some columns, as the SQL of `sql.value` has them.

    Args:
        columns: The columns.
        added: The names of what follows them in the row, and stays as it is.
    """
    names = [*(column.name for column in columns), *added]
    converters = [
        *(_CONVERTERS.get(column.type, _as_it_is) for column in columns),
        *(_as_it_is for _ in added),
    ]

    def record(row: Sequence[Any]) -> dict[str, Any]:
        return {
            name: None if found is None else convert(found)
            for name, convert, found in zip(names, converters, row, strict=True)
        }

    return record


def _number(text: str) -> float:
    return int(text) if re.fullmatch(WHOLE, text) else float(text)


def _as_it_is(found: Any) -> Any:  # noqa: ANN401 - whatever DuckDB gives.
    return found


_CONVERTERS: Mapping[ColumnType, Callable[[Any], Any]] = {ColumnType.NUMBER: _number, ColumnType.INTEGER: int}
