"""What of a block a request asks for: which columns, and which cells of which rows."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tap_pigment.sandbox.bodies import Field, FieldType, ListRequest, PropertyFilter, ValuesRequest
from tap_pigment.sandbox.checks import BadRequestError
from tap_pigment.sandbox.filters import Keeps, keeps
from tap_pigment.sandbox.model import (
    Block,
    Column,
    DimensionList,
    Metric,
    Row,
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
        columns: The columns exported.
        rows: All rows of the block, also those left out, so that whoever reads them can pause in between.
        cells: What of a row is exported, in the order of `columns`; None if the row is left out.
    """

    columns: Sequence[Column]
    rows: Iterable[Row]
    cells: Callable[[Row], Row | None]


def of_list(block: DimensionList | TransactionList, request: ListRequest) -> Extract:
    """Return the part of a list that the request asks for, or raise BadRequestError."""
    by_name = {column.technical_name: column for column in block.properties}
    names = sorted(by_name) if request.properties is None else request.properties
    items = [block.column] if isinstance(block, DimensionList) else []
    wanted = [*items, *(_known("property", name, by_name, block) for name in names)]
    rules = [_is_item(request.item_ids, block)] if request.item_ids else []
    rules += [_has_property(rule, block) for rule in request.property_filters]
    positions = [list(block.columns).index(column) for column in wanted]
    return Extract(wanted, block.read(), _cells(positions, rules))


def of_metric(block: Metric, request: ValuesRequest, scenarios: Sequence[Scenario]) -> Extract:
    """Return the part of a metric that the request asks for, or raise BadRequestError."""
    rules = [keeps(request.filter, block)]
    return _of_scenarios(block, request, scenarios, columns=block.columns, rules=rules)


def of_table(block: Table, request: ValuesRequest, scenarios: Sequence[Scenario]) -> Extract:
    """Return the part of a table that the request asks for, or raise BadRequestError."""
    rules = [keeps(request.filter, block)]
    if not request.metric_ids:
        return _of_scenarios(block, request, scenarios, columns=block.columns, rules=rules)
    by_id = {metric.id: metric for metric in block.metrics}
    wanted = [_known("metric", metric_id, by_id, block) for metric_id in request.metric_ids]
    narrowed = replace(block, metrics=[metric for metric in block.metrics if metric in wanted])
    rules.append(_has_some(wanted, block))
    return _of_scenarios(block, request, scenarios, columns=narrowed.columns, rules=rules)


def of_view(view: View, block: Block) -> Extract:
    """Return the part of the block that the view shows."""
    return Extract(block.columns, block.read(), _cells(range(len(block.columns)), [view.keeps]))


def _of_scenarios(
    block: Metric | Table,
    request: ValuesRequest,
    scenarios: Sequence[Scenario],
    *,
    columns: Sequence[Column],
    rules: Sequence[Keeps],
) -> Extract:
    """Return the columns (or the request's fields, if any) of the rows, once for each scenario asked for."""
    by_id = {scenario.id: scenario for scenario in scenarios}
    chosen = [_known("scenario", scenario_id, by_id, block) for scenario_id in request.scenario_ids]
    scenario_column = Column("Scenario", technical_name=technical_name("Scenario", block.id))
    available = [*block.columns, scenario_column]
    if request.fields:
        known = {column.source_id: column for column in (*columns, scenario_column)}
        headed = [(_field_column(field, known, block), field.display_name) for field in request.fields]
    else:
        headed = [(column, None) for column in ([scenario_column] if chosen else []) + list(columns)]
    return Extract(
        columns=[
            replace(column, name=heading, technical_name=heading) if heading else column for column, heading in headed
        ],
        rows=_rows(block, chosen or scenarios[:1] or [Scenario("", "Default")]),
        cells=_cells([available.index(column) for column, _ in headed], rules),
    )


def _rows(block: Block, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    """Return the block's rows with the scenario's name at the end, once for each scenario."""
    for scenario in scenarios:
        for row in block.read():
            yield (*row, scenario.name)


def _cells(positions: Sequence[int], rules: Sequence[Keeps]) -> Callable[[Row], Row | None]:
    """Return what picks the cells at the positions, from rows that keep to all rules."""

    def cells(row: Row) -> Row | None:
        for rule in rules:
            if not rule(row):
                return None
        return [row[position] for position in positions]

    return cells


def _known(kind: str, name: str, known: Mapping[str, T], block: Block) -> T:
    if name not in known:
        raise BadRequestError(f"{kind} {name}: {block.name!r} does not have it.")
    return known[name]


def _field_column(field: Field, known: Mapping[str | None, Column], block: Block) -> Column:
    column = known.get(field.source_id)
    of_value = isinstance(block, Table) and field.source_id in {metric.id for metric in block.metrics}
    if column is None or of_value != (field.type is FieldType.VALUE):
        raise BadRequestError(f"{field.type} {field.source_id}: {block.name!r} does not have it.")
    return column


def _is_item(item_ids: frozenset[str], block: DimensionList | TransactionList) -> Keeps:
    if isinstance(block, DimensionList):
        return lambda row: item_id(block.id, str(row[0])) in item_ids
    row_numbers = itertools.count(1)
    return lambda _row: item_id(block.id, str(next(row_numbers))) in item_ids


def _has_property(rule: PropertyFilter, block: DimensionList | TransactionList) -> Keeps:
    names = [column.technical_name for column in block.columns]
    if rule.technical_name not in names:
        raise BadRequestError(f"property {rule.technical_name}: {block.name!r} does not have it.")
    at = names.index(rule.technical_name)
    list_id = block.columns[at].source_id
    if list_id is None:
        raise BadRequestError(f"property {rule.technical_name}: is not a dimension, so it cannot be filtered.")
    return lambda row: row[at] is not None and item_id(list_id, str(row[at])) in rule.item_ids


def _has_some(metrics: Sequence[Metric], block: Table) -> Keeps:
    positions = [list(block.columns).index(metric.column) for metric in metrics]
    return lambda row: any(row[position] is not None for position in positions)
