"""The part of a block that a request exports: its columns, and its cells of the rows that pass the filters."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tap_pigment.sandbox.api.bodies import Field, FieldType, ListRequest, PropertyFilter, ValuesRequest
from tap_pigment.sandbox.api.checks import BadRequestError
from tap_pigment.sandbox.api.filters import row_filter
from tap_pigment.sandbox.api.model import (
    Block,
    Column,
    DimensionList,
    Metric,
    Row,
    RowFilter,
    Scenario,
    Table,
    TransactionList,
    View,
    item_id,
    technical_name,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Extract:
    """A part of a block.

    Attributes:
        columns: The exported columns.
        rows: All rows of the block, filtered ones included, so that the reader can pause between any two of them.
        select: Returns the exported cells of a row, in the order of `columns`; None if a filter excludes the row.
    """

    columns: Sequence[Column]
    rows: Iterable[Row]
    select: Callable[[Row], Row | None]


def list_extract(block: DimensionList | TransactionList, request: ListRequest) -> Extract:
    """Return the part of a list that the request selects, or raise BadRequestError."""
    by_name = {column.technical_name: column for column in block.properties}
    names = sorted(by_name) if request.properties is None else request.properties
    item_columns = [block.column] if isinstance(block, DimensionList) else []
    columns = [*item_columns, *(_lookup("property", name, by_name, block) for name in names)]
    filters = [_item_filter(request.item_ids, block)] if request.item_ids else []
    filters += [_property_filter(filter_, block) for filter_ in request.property_filters]
    positions = [list(block.columns).index(column) for column in columns]
    return Extract(columns, block.read(), _select(positions, filters))


def metric_extract(block: Metric, request: ValuesRequest, scenarios: Sequence[Scenario]) -> Extract:
    """Return the part of a metric that the request selects, or raise BadRequestError."""
    filters = [row_filter(request.filter, block)]
    return _scenario_extract(block, request, scenarios, columns=block.columns, filters=filters)


def table_extract(block: Table, request: ValuesRequest, scenarios: Sequence[Scenario]) -> Extract:
    """Return the part of a table that the request selects, or raise BadRequestError."""
    filters = [row_filter(request.filter, block)]
    if not request.metric_ids:
        return _scenario_extract(block, request, scenarios, columns=block.columns, filters=filters)
    by_id = {metric.id: metric for metric in block.metrics}
    selected = [_lookup("metric", metric_id, by_id, block) for metric_id in request.metric_ids]
    smaller_table = replace(block, metrics=[metric for metric in block.metrics if metric in selected])
    filters.append(_any_value_filter(selected, block))
    return _scenario_extract(block, request, scenarios, columns=smaller_table.columns, filters=filters)


def view_extract(view: View, block: Block) -> Extract:
    """Return the part of the block that the view shows."""
    return Extract(block.columns, block.read(), _select(range(len(block.columns)), [view.row_filter]))


def _scenario_extract(
    block: Metric | Table,
    request: ValuesRequest,
    scenarios: Sequence[Scenario],
    *,
    columns: Sequence[Column],
    filters: Sequence[RowFilter],
) -> Extract:
    """Return the columns (or the request's fields, if any) of all rows, once for each requested scenario."""
    by_id = {scenario.id: scenario for scenario in scenarios}
    requested = [_lookup("scenario", scenario_id, by_id, block) for scenario_id in request.scenario_ids]
    scenario_column = Column("Scenario", technical_name=technical_name("Scenario", block.id))
    available = [*block.columns, scenario_column]
    if request.fields:
        by_source_id = {column.source_id: column for column in (*columns, scenario_column)}
        exported = [(_field_column(field, by_source_id, block), field.display_name) for field in request.fields]
    else:
        exported = [(column, None) for column in ([scenario_column] if requested else []) + list(columns)]
    return Extract(
        columns=[
            replace(column, name=display_name, technical_name=display_name) if display_name else column
            for column, display_name in exported
        ],
        rows=_scenario_rows(block, requested or scenarios[:1] or [Scenario("", "Default")]),
        select=_select([available.index(column) for column, _ in exported], filters),
    )


def _scenario_rows(block: Block, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    """Yield the block's rows once for each scenario, with the scenario's name appended."""
    for scenario in scenarios:
        for row in block.read():
            yield (*row, scenario.name)


def _select(positions: Sequence[int], filters: Sequence[RowFilter]) -> Callable[[Row], Row | None]:
    """Return a function from a row to its cells at the positions, or to None if a filter excludes the row."""

    def select(row: Row) -> Row | None:
        for keep_row in filters:
            if not keep_row(row):
                return None
        return [row[position] for position in positions]

    return select


def _lookup(kind: str, name: str, by_name: Mapping[str, T], block: Block) -> T:
    if name not in by_name:
        raise BadRequestError(f"{kind} {name}: not found in {block.name!r}.")
    return by_name[name]


def _field_column(field: Field, by_source_id: Mapping[str | None, Column], block: Block) -> Column:
    column = by_source_id.get(field.source_id)
    is_metric = isinstance(block, Table) and field.source_id in {metric.id for metric in block.metrics}
    if column is None or is_metric != (field.type is FieldType.VALUE):
        raise BadRequestError(f"{field.type} {field.source_id}: not found in {block.name!r}.")
    return column


def _item_filter(item_ids: frozenset[str], block: DimensionList | TransactionList) -> RowFilter:
    if isinstance(block, DimensionList):
        return lambda row: item_id(block.id, str(row[0])) in item_ids
    row_numbers = itertools.count(1)
    return lambda _row: item_id(block.id, str(next(row_numbers))) in item_ids


def _property_filter(filter_: PropertyFilter, block: DimensionList | TransactionList) -> RowFilter:
    names = [column.technical_name for column in block.columns]
    if filter_.technical_name not in names:
        raise BadRequestError(f"property {filter_.technical_name}: not found in {block.name!r}.")
    position = names.index(filter_.technical_name)
    list_id = block.columns[position].source_id
    if list_id is None:
        raise BadRequestError(f"property {filter_.technical_name}: is not a dimension, so it cannot be filtered.")
    return lambda row: row[position] is not None and item_id(list_id, str(row[position])) in filter_.item_ids


def _any_value_filter(metrics: Sequence[Metric], block: Table) -> RowFilter:
    """Return a filter that keeps rows with a value of at least one of the metrics."""
    positions = [list(block.columns).index(metric.column) for metric in metrics]
    return lambda row: any(row[position] is not None for position in positions)
