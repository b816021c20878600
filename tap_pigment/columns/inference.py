"""Column types, learnt from the header and the first rows of an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.columns.naming import slug, without_technical_suffix
from tap_pigment.columns.types import ColumnType, fits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_SCENARIO_NAMES = {"scenario", "scenarios"}


def infer_type(cells: Iterable[str], *, is_value: bool) -> ColumnType:
    """Return the type that every filled cell of a sample fits; text when in doubt.

    Whole numbers are codes and stay text. In a value column they are numbers, and so are the cells of a value column
    that is blank throughout.

    Args:
        cells: The cells of the column; blanks do not count.
        is_value: Whether the column holds values, not items or properties of lists.
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
        list_names: The names of its dimension lists; a column with such a name may be a dimension.
    """
    metrics = {slug(name) for name in metric_names} - {slug(name) for name in list_names}
    for position, header in enumerate(headers):
        if _plain_name(header, friendly=friendly) in metrics:
            return position
    return None


def metric_value_column(headers: Sequence[str], *, friendly: bool, metric_name: str) -> int:
    """Return the position of a metric's value in an export that holds scenarios: mostly the last, after the scenario.

    Args:
        headers: The header of the metric's export.
        friendly: Whether it holds display names.
        metric_name: The metric's name, which is that of the value; "" if it is unknown.
    """
    names = [_plain_name(header, friendly=friendly) for header in headers]
    if named := [position for position, name in enumerate(names) if metric_name and name == slug(metric_name)]:
        return named[-1]
    return len(names) - (2 if len(names) > 1 and _is_usual_for_scenarios(names[-1]) else 1)


def scenario_column(  # noqa: PLR0913 - everything that shows which column it is.
    headers: Sequence[str],
    first_metric: int,
    *,
    friendly: bool,
    metric_names: Collection[str],
    list_names: Collection[str],
    given_name: str | None = None,
) -> int | None:
    """Return the position of a table's scenario column if it is behind the first metric, else None.

    Pigment documents neither its place nor its name. So it is the column with the name that the request gives it, or
    with a usual one; or else the only column behind the first metric without the name of a metric, if all columns
    before that are dimensions.

    Args:
        headers: The header of an export that holds scenarios.
        first_metric: The position of the first metric.
        friendly: Whether the header holds display names.
        metric_names: The names of the application's metrics.
        list_names: The names of its dimension lists.
        given_name: The display name that the request gives the column; None if it gives none.
    """
    names = [_plain_name(header, friendly=friendly) for header in headers]
    metrics, dimensions = ({slug(name) for name in found} for found in (metric_names, list_names))
    others = [position for position in range(first_metric, len(names)) if names[position] not in metrics]
    named = [position for position, header in enumerate(headers) if header == given_name]
    named = named or [position for position, name in enumerate(names) if _is_usual_for_scenarios(name)]
    if len(named) == 1:
        return named[0] if named[0] >= first_metric else None
    is_in_front = any(name not in dimensions for name in names[:first_metric])
    return others[0] if len(others) == 1 and not is_in_front else None


def _plain_name(header: str, *, friendly: bool) -> str:
    """Return the name of the list or metric in a header, as a slug."""
    return slug(header if friendly else without_technical_suffix(header))


def _is_usual_for_scenarios(name: str) -> bool:
    return name.strip("_") in _SCENARIO_NAMES
