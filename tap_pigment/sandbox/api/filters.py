"""Filters on the rows of a metric or table: validates a request's JSON and makes a row filter of it."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from tap_pigment.sandbox.api.checks import BadRequestError, array, as_uuid, members, one_of, scalar
from tap_pigment.sandbox.api.model import ColumnType, Metric, Row, RowFilter, Table, Value, item_id


class ConditionType(StrEnum):
    """The `type` of a condition."""

    LESS_THAN = "LessThan"
    LESS_THAN_OR_EQUAL = "LessThanOrEqual"
    EQUAL = "Equal"
    NOT_EQUAL = "NotEqual"
    GREATER_THAN = "GreaterThan"
    GREATER_THAN_OR_EQUAL = "GreaterThanOrEqual"
    IS_NOT_BLANK = "IsNotBlank"


class FilterType(StrEnum):
    """The `type` of a filter."""

    AND = "And"
    OR = "Or"
    DIMENSION = "Dimension"
    VALUE = "Value"


@dataclass(frozen=True)
class DimensionFilter:
    """Keep rows whose item of the dimension is one of `item_ids`, or blank."""

    dimension_id: str
    item_ids: frozenset[str]


@dataclass(frozen=True)
class ValueFilter:
    """Keep rows whose value of the metric meets the condition, and rows that lack a dimension of the metric."""

    metric_id: str
    condition: ConditionType
    value: str | float | bool | None


@dataclass(frozen=True)
class AllOf:
    """Keep rows that pass all filters."""

    filters: Sequence["Filter"]


@dataclass(frozen=True)
class AnyOf:
    """Keep rows that pass at least one filter."""

    filters: Sequence["Filter"]


Filter: TypeAlias = DimensionFilter | ValueFilter | AllOf | AnyOf

_COMPARISONS: Mapping[ConditionType, Callable[[Any, Any], bool]] = {
    ConditionType.LESS_THAN: operator.lt,
    ConditionType.LESS_THAN_OR_EQUAL: operator.le,
    ConditionType.EQUAL: operator.eq,
    ConditionType.NOT_EQUAL: operator.ne,
    ConditionType.GREATER_THAN: operator.gt,
    ConditionType.GREATER_THAN_OR_EQUAL: operator.ge,
}


def as_dimension_filter(path: str, value: object) -> DimensionFilter:
    """Return a `DimensionFilter`, or raise BadRequestError."""
    given = members(
        path,
        value,
        {"dimensionId": as_uuid, "modalityIds": array(as_uuid)},
        required=("dimensionId", "modalityIds"),
    )
    return DimensionFilter(given["dimensionId"], frozenset(given["modalityIds"]))


def as_filter(path: str, value: object) -> Filter:
    """Return an `ExportFilter`, or raise BadRequestError."""
    given = members(
        path,
        value,
        {
            "type": one_of(FilterType),
            "and": array(as_filter),
            "or": array(as_filter),
            "dimension": as_dimension_filter,
            "value": _as_value_filter,
        },
        required=("type",),
    )
    kind: FilterType = given.pop("type")
    name = kind.lower()
    if [*given] != [name]:
        raise BadRequestError(f"{path}: type {kind} needs {name!r} and nothing else.")
    part: Filter | tuple[Filter, ...] = given[name]
    if part == () or (isinstance(part, DimensionFilter) and not part.item_ids):
        raise BadRequestError(f"{path}.{name}: is empty, and Pigment does not define what that means. Omit the filter.")
    if isinstance(part, tuple):
        return AllOf(part) if kind is FilterType.AND else AnyOf(part)
    return part


def row_filter(filter_: Filter, block: Metric | Table) -> RowFilter:
    """Return the filter as a function of the block's rows.

    Raises:
        BadRequestError: the filter names a dimension or metric that is not in the block, or compares different types.
    """
    if isinstance(filter_, DimensionFilter):
        return _dimension_row_filter(filter_, block)
    if isinstance(filter_, ValueFilter):
        return _value_row_filter(filter_, block)
    parts = [row_filter(part, block) for part in filter_.filters]
    if isinstance(filter_, AllOf):
        return lambda row: all(part(row) for part in parts)
    return lambda row: any(part(row) for part in parts)


def _as_condition(path: str, value: object) -> tuple[ConditionType, str | float | bool | None]:
    given = members(path, value, {"type": one_of(ConditionType), "value": scalar}, required=("type",))
    if (given["type"] is ConditionType.IS_NOT_BLANK) == ("value" in given):
        raise BadRequestError(f"{path}.value: must be set, except for IsNotBlank, where it must be omitted.")
    return given["type"], given.get("value")


def _as_value_filter(path: str, value: object) -> ValueFilter:
    given = members(path, value, {"metricId": as_uuid, "condition": _as_condition}, required=("metricId", "condition"))
    return ValueFilter(given["metricId"], *given["condition"])


def _dimension_row_filter(filter_: DimensionFilter, block: Metric | Table) -> RowFilter:
    ids = [dimension.id for dimension in block.dimensions]
    if filter_.dimension_id not in ids:
        raise BadRequestError(f"dimension {filter_.dimension_id}: not found in {block.name!r}.")
    position = ids.index(filter_.dimension_id)
    kept_by_item: dict[Value, bool] = {None: True}

    def keep_row(row: Row) -> bool:
        item = row[position]
        if item not in kept_by_item:
            kept_by_item[item] = item_id(filter_.dimension_id, str(item)) in filter_.item_ids
        return kept_by_item[item]

    return keep_row


def _value_row_filter(filter_: ValueFilter, block: Metric | Table) -> RowFilter:
    metrics = block.metrics if isinstance(block, Table) else (block,)
    metric = next((metric for metric in metrics if metric.id == filter_.metric_id), None)
    if metric is None:
        raise BadRequestError(f"metric {filter_.metric_id}: not found in {block.name!r}.")
    position = list(block.columns).index(metric.column)
    dimension_positions = [list(block.dimensions).index(dimension) for dimension in metric.dimensions]
    meets_condition = _condition(filter_, metric)

    def keep_row(row: Row) -> bool:
        if any(row[dimension_position] is None for dimension_position in dimension_positions):
            return True
        return row[position] is not None and meets_condition(row[position])

    return keep_row


def _condition(filter_: ValueFilter, metric: Metric) -> Callable[[Value], bool]:
    """Return the condition as a function of a cell that is not blank; blank cells meet no condition."""
    if filter_.condition is ConditionType.IS_NOT_BLANK:
        return lambda _cell: True
    comparison_value = _comparison_value(filter_.value, metric)
    compare = _COMPARISONS[filter_.condition]
    return lambda cell: compare(_comparable(cell), comparison_value)


def _comparison_value(value: Value, metric: Metric) -> Value:
    """Return the value to compare with, in the type of the metric."""
    if metric.type is ColumnType.DATE and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise BadRequestError(f"metric {metric.id}: {value!r} is not a date like 2054-01-21.") from None
    fits = {
        ColumnType.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
        ColumnType.INTEGER: isinstance(value, int | float) and not isinstance(value, bool),
        ColumnType.BOOLEAN: isinstance(value, bool),
        ColumnType.TEXT: isinstance(value, str),
        ColumnType.DIMENSION: isinstance(value, str),
    }
    if not fits.get(metric.type, False):
        raise BadRequestError(f"metric {metric.id}: {value!r} is not a {metric.type}, the type of this metric.")
    return _comparable(value)


def _comparable(value: Value) -> Value:
    # A number such as 214875.99 in a request arrives as a binary float, which is not equal to Decimal("214875.99").
    return Decimal(repr(value)) if isinstance(value, float) else value
