"""Filters of a metric's or table's rows: from a request's JSON to a question asked of each row."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from tap_pigment.sandbox.checks import BadRequestError, array, as_uuid, members, one_of, scalar
from tap_pigment.sandbox.model import ColumnType, Metric, Row, Table, Value, item_id

Keeps: TypeAlias = Callable[[Row], bool]


class ConditionType(StrEnum):
    """`type` of a condition."""

    LESS_THAN = "LessThan"
    LESS_THAN_OR_EQUAL = "LessThanOrEqual"
    EQUAL = "Equal"
    NOT_EQUAL = "NotEqual"
    GREATER_THAN = "GreaterThan"
    GREATER_THAN_OR_EQUAL = "GreaterThanOrEqual"
    IS_NOT_BLANK = "IsNotBlank"


class FilterType(StrEnum):
    """`type` of a filter."""

    AND = "And"
    OR = "Or"
    DIMENSION = "Dimension"
    VALUE = "Value"


@dataclass(frozen=True)
class DimensionFilter:
    """Keep rows whose item of the dimension is one of these, or blank."""

    dimension_id: str
    item_ids: frozenset[str]


@dataclass(frozen=True)
class ValueFilter:
    """Keep rows whose value of the metric meets the condition, or in which it cannot have one."""

    metric_id: str
    condition: ConditionType
    value: str | float | bool | None


@dataclass(frozen=True)
class AllOf:
    """Keep rows that all filters keep."""

    filters: Sequence["Filter"]


@dataclass(frozen=True)
class AnyOf:
    """Keep rows that some filter keeps."""

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


def as_dimension_filter(where: str, value: object) -> DimensionFilter:
    """Return a `DimensionFilter`, or raise BadRequestError."""
    given = members(
        where,
        value,
        {"dimensionId": as_uuid, "modalityIds": array(as_uuid)},
        required=("dimensionId", "modalityIds"),
    )
    return DimensionFilter(given["dimensionId"], frozenset(given["modalityIds"]))


def as_filter(where: str, value: object) -> Filter:
    """Return an `ExportFilter`, or raise BadRequestError."""
    given = members(
        where,
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
        raise BadRequestError(f"{where}: type {kind} needs {name!r} and nothing else.")
    part: Filter | tuple[Filter, ...] = given[name]
    if part == () or (isinstance(part, DimensionFilter) and not part.item_ids):
        raise BadRequestError(f"{where}.{name}: is empty, which has no defined meaning; omit the filter.")
    if isinstance(part, tuple):
        return AllOf(part) if kind is FilterType.AND else AnyOf(part)
    return part


def keeps(rule: Filter, block: Metric | Table) -> Keeps:
    """Return what tells whether a row of the block stays.

    Raises:
        BadRequestError: the filter names what the block does not have, or compares different types.
    """
    if isinstance(rule, DimensionFilter):
        return _has_item(rule, block)
    if isinstance(rule, ValueFilter):
        return _has_value(rule, block)
    parts = [keeps(part, block) for part in rule.filters]
    if isinstance(rule, AllOf):
        return lambda row: all(part(row) for part in parts)
    return lambda row: any(part(row) for part in parts)


def _as_condition(where: str, value: object) -> tuple[ConditionType, str | float | bool | None]:
    given = members(where, value, {"type": one_of(ConditionType), "value": scalar}, required=("type",))
    if (given["type"] is ConditionType.IS_NOT_BLANK) == ("value" in given):
        raise BadRequestError(f"{where}.value: must be set, except for IsNotBlank, where it must be omitted.")
    return given["type"], given.get("value")


def _as_value_filter(where: str, value: object) -> ValueFilter:
    given = members(where, value, {"metricId": as_uuid, "condition": _as_condition}, required=("metricId", "condition"))
    return ValueFilter(given["metricId"], *given["condition"])


def _has_item(rule: DimensionFilter, block: Metric | Table) -> Keeps:
    ids = [dimension.id for dimension in block.dimensions]
    if rule.dimension_id not in ids:
        raise BadRequestError(f"dimension {rule.dimension_id}: {block.name!r} does not have it.")
    at = ids.index(rule.dimension_id)
    known: dict[Value, bool] = {None: True}

    def keeps_row(row: Row) -> bool:
        item = row[at]
        if item not in known:
            known[item] = item_id(rule.dimension_id, str(item)) in rule.item_ids
        return known[item]

    return keeps_row


def _has_value(rule: ValueFilter, block: Metric | Table) -> Keeps:
    metrics = block.metrics if isinstance(block, Table) else (block,)
    metric = next((metric for metric in metrics if metric.id == rule.metric_id), None)
    if metric is None:
        raise BadRequestError(f"metric {rule.metric_id}: {block.name!r} does not have it.")
    at = list(block.columns).index(metric.column)
    dimensions_at = [list(block.dimensions).index(dimension) for dimension in metric.dimensions]
    meets = _condition(rule, metric)

    def keeps_row(row: Row) -> bool:
        if any(row[dimension_at] is None for dimension_at in dimensions_at):
            return True
        return row[at] is not None and meets(row[at])

    return keeps_row


def _condition(rule: ValueFilter, metric: Metric) -> Callable[[Value], bool]:
    """Return the test of a cell that is not blank; a blank one meets no condition."""
    if rule.condition is ConditionType.IS_NOT_BLANK:
        return lambda _cell: True
    bound = _bound(rule.value, metric)
    compare = _COMPARISONS[rule.condition]
    return lambda cell: compare(_comparable(cell), bound)


def _bound(value: Value, metric: Metric) -> Value:
    """Return the value to compare with, in the metric's type."""
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
        raise BadRequestError(f"metric {metric.id}: {value!r} is not a {metric.type}, as its values are.")
    return _comparable(value)


def _comparable(value: Value) -> Value:
    # 214875.99 of a request is a binary float, which equals no Decimal.
    return Decimal(repr(value)) if isinstance(value, float) else value
