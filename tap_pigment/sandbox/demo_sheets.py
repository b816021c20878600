"""Tables and metrics made from sheets: so a table's cells and its metrics' cells are the same."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tap_pigment.sandbox.demo_lists import demo_id
from tap_pigment.sandbox.model import ColumnType, DimensionList, Metric, Row, Table, Value


@dataclass(frozen=True)
class Sheet:
    """Metrics of one shape: a row of `cells` is an item of each dimension, then a value of each metric."""

    dimensions: Sequence[DimensionList]
    metrics: Sequence[tuple[str, ColumnType]]
    cells: Callable[[], Iterable[Row]]


def metrics_of(sheet: Sheet) -> list[Metric]:
    """Return the sheet's metrics, each without its blank cells."""
    width = len(sheet.dimensions)

    def column(index: int) -> Iterator[Row]:
        for row in sheet.cells():
            if row[width + index] is not None:
                yield (*row[:width], row[width + index])

    return [
        Metric(
            id=demo_id(f"metric {name}"),
            name=name,
            dimensions=sheet.dimensions,
            type=kind,
            rows=functools.partial(column, index),
        )
        for index, (name, kind) in enumerate(sheet.metrics)
    ]


def table_of(name: str, *sheets: Sheet) -> tuple[Table, list[Metric]]:
    """Return the table of the sheets, and its metrics."""
    metrics = [metric for sheet in sheets for metric in metrics_of(sheet)]
    heads = Table(id=demo_id(name), name=name, metrics=metrics)
    names = [column.name for column in heads.columns]
    positions = [
        [names.index(head.name) for head in sheet.dimensions] + [names.index(head) for head, _ in sheet.metrics]
        for sheet in sheets
    ]

    def rows() -> Iterator[Row]:
        # In turns, so that whoever looks at the first rows sees every shape and a value in every column.
        for turn in itertools.zip_longest(*(sheet.cells() for sheet in sheets)):
            for filled, cells in zip(positions, turn, strict=True):
                if cells is not None:
                    row: list[Value] = [None] * len(names)
                    for at, cell in zip(filled, cells, strict=True):
                        row[at] = cell
                    yield row

    return Table(id=heads.id, name=name, metrics=metrics, rows=rows), metrics
