"""Tables and metrics built from the same sheets, so that a table has the same cells as its metrics."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tap_pigment.sandbox.api import ColumnType, DimensionList, Metric, Row, Table, Value
from tap_pigment.sandbox.demo.lists import demo_id


@dataclass(frozen=True)
class Sheet:
    """Metrics with the same dimensions.

    Attributes:
        dimensions: The dimensions of all its metrics.
        metrics: The name and type of each metric.
        rows: Returns the rows: an item of each dimension, followed by a value of each metric.
    """

    dimensions: Sequence[DimensionList]
    metrics: Sequence[tuple[str, ColumnType]]
    rows: Callable[[], Iterable[Row]]


def sheet_metrics(sheet: Sheet) -> list[Metric]:
    """Return the metrics of the sheet, without blank cells."""
    width = len(sheet.dimensions)

    def metric_rows(index: int) -> Iterator[Row]:
        for row in sheet.rows():
            if row[width + index] is not None:
                yield (*row[:width], row[width + index])

    return [
        Metric(
            id=demo_id(f"metric {name}"),
            name=name,
            dimensions=sheet.dimensions,
            type=metric_type,
            rows=functools.partial(metric_rows, index),
        )
        for index, (name, metric_type) in enumerate(sheet.metrics)
    ]


def table_with_metrics(name: str, *sheets: Sheet) -> tuple[Table, list[Metric]]:
    """Return a table of the sheets' metrics, and the metrics."""
    metrics = [metric for sheet in sheets for metric in sheet_metrics(sheet)]
    empty_table = Table(id=demo_id(name), name=name, metrics=metrics)
    headers = [column.name for column in empty_table.columns]
    sheet_positions = [
        [headers.index(dimension.name) for dimension in sheet.dimensions]
        + [headers.index(metric_name) for metric_name, _ in sheet.metrics]
        for sheet in sheets
    ]

    def rows() -> Iterator[Row]:
        # The sheets take turns, so that the first rows contain every set of dimensions and a value in every column.
        for sheet_rows in itertools.zip_longest(*(sheet.rows() for sheet in sheets)):
            for positions, sheet_row in zip(sheet_positions, sheet_rows, strict=True):
                if sheet_row is not None:
                    row: list[Value] = [None] * len(headers)
                    for position, cell in zip(positions, sheet_row, strict=True):
                        row[position] = cell
                    yield row

    return replace(empty_table, rows=rows), metrics
