"""Column types, learnt from the header and the first rows of an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.columns.naming import slug, without_technical_suffix
from tap_pigment.columns.types import ColumnType, fits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def infer_type(cells: Iterable[str], *, is_value: bool) -> ColumnType:
    """Return the type that every filled cell of a sample fits; text when in doubt.

    Whole numbers are codes and stay text. In a value column they are numbers, and so are the cells of a value column
    that is blank throughout.

    Args:
        cells: The cells of the column; blanks do not count.
        is_value: Whether the column holds values, as against items and properties of lists.
    """
    filled = [text for text in cells if text]
    if not filled:
        return ColumnType.NUMBER if is_value else ColumnType.TEXT
    for column_type in (ColumnType.BOOLEAN, ColumnType.DATE):
        if all(fits(column_type, text) for text in filled):
            return column_type
    if all(fits(ColumnType.NUMBER, text) for text in filled) and (
        is_value or not all(fits(ColumnType.INTEGER, text) for text in filled)
    ):
        return ColumnType.NUMBER
    return ColumnType.TEXT


def value_columns_start(
    headers: Sequence[str], *, friendly: bool, metric_names: Collection[str], list_names: Collection[str]
) -> int | None:
    """Return the position of a table's first metric: the first column with a metric's name; None if there is none.

    Args:
        headers: The header of the table's export.
        friendly: Whether it holds display names.
        metric_names: The names of the application's metrics.
        list_names: The names of its dimension lists; what bears such a name may be a dimension.
    """
    metrics = {slug(name) for name in metric_names} - {slug(name) for name in list_names}
    for position, header in enumerate(headers):
        if slug(header if friendly else without_technical_suffix(header)) in metrics:
            return position
    return None
