"""Discovery: the columns, types and key of each stream, from the beginning of its export."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.catalog.blocks import export_request, take_inventory, warn_of_idle_settings
from tap_pigment.columns import (
    Column,
    ColumnType,
    RowKey,
    column_names,
    existing_columns,
    infer_type,
    slug,
    type_in_metadata,
    value_columns_start,
    without_technical_suffix,
)
from tap_pigment.errors import ApiKeyError, PigmentError, SettingsError
from tap_pigment.exports import fetch_sample
from tap_pigment.pigment import BlockType

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

    from tap_pigment.catalog.blocks import ModelNames, StreamSource
    from tap_pigment.exports import ExportSample
    from tap_pigment.pigment import Block, ColumnMetadata, PigmentClient
    from tap_pigment.settings import Settings


@dataclass(frozen=True)
class StreamDefinition:
    """A stream as discovery finds it.

    Attributes:
        source: The block.
        columns: All columns of its export.
        key: The key.
    """

    source: StreamSource
    columns: tuple[Column, ...]
    key: RowKey


def discover(
    client: PigmentClient, settings: Settings, logger: logging.Logger
) -> tuple[list[StreamDefinition], dict[str, PigmentError]]:
    """Return the definition of each stream, and the errors of the others by stream name.

    Raises:
        PigmentError: If the blocks cannot be listed, the key is not accepted, or no block at all can be read.
    """
    inventory = take_inventory(client, settings)
    warn_of_idle_settings(inventory, [source.override for source in inventory.sources], settings, logger)

    def define_or_fail(source: StreamSource) -> StreamDefinition | PigmentError:
        try:
            sample = fetch_sample(client, export_request(source, settings))
            return define(source, sample, settings, inventory.model_names[source.block.application_id])
        except (ApiKeyError, SettingsError):
            raise
        except PigmentError as error:
            return error

    with ThreadPoolExecutor(settings.parallel_exports, thread_name_prefix="discovery") as pool:
        try:
            results = list(pool.map(define_or_fail, inventory.sources))
        except BaseException:
            client.cancel()  # Or the pool would wait for the others.
            raise
    failures = {
        str(source.name): result
        for source, result in zip(inventory.sources, results, strict=True)
        if isinstance(result, PigmentError)
    }
    if failures and len(failures) == len(results):
        raise next(iter(failures.values()))
    for failure in failures.values():
        logger.warning("%s The stream is not in the catalog.", failure)
    return [result for result in results if not isinstance(result, PigmentError)], failures


def define(source: StreamSource, sample: ExportSample, settings: Settings, model_names: ModelNames) -> StreamDefinition:
    """Return a stream's definition, from the beginning of its export.

    Raises:
        SettingsError: If the override does not fit the export.
    """
    block, override = source.block, source.override
    setting = f"stream_overrides.{source.name}"
    names = column_names(sample.header, friendly=settings.friendly_headers)
    existing_columns(override.types, names, setting=f"{setting}.types")
    values = _value_positions(block.type, sample.header, model_names, friendly=settings.friendly_headers)
    key = key_rule(source, sample, names, values)
    check_key_types(key, override.types, setting=f"{setting}.types")
    columns = []
    for position, (name, header) in enumerate(zip(names, sample.header, strict=True)):
        inferred = ColumnType.TEXT
        if name not in key.columns and name not in override.types:
            inferred = _type(sample, position, block, settings, is_value=position in values)
        column_type = ColumnType(override.types.get(name, inferred))
        columns.append(Column(name, header, column_type, nullable=name not in key.columns, position=position))
    return StreamDefinition(source, tuple(columns), key)


def _value_positions(
    block_type: BlockType, header: Sequence[str], model_names: ModelNames, *, friendly: bool
) -> frozenset[int]:
    """Return the positions of the columns that hold values of metrics, as against items and properties of lists."""
    if block_type is BlockType.METRIC:
        return frozenset({len(header) - 1})
    if block_type not in {BlockType.TABLE, BlockType.VIEW}:
        return frozenset()
    start = value_columns_start(
        header, friendly=friendly, metric_names=model_names.metrics, list_names=model_names.lists
    )
    return frozenset() if start is None else frozenset(range(start, len(header)))


def key_rule(source: StreamSource, sample: ExportSample, names: Sequence[str], values: frozenset[int]) -> RowKey:
    """Return the key by the first rule that applies."""
    override_key = source.override.key_columns
    if override_key is not None:
        setting = f"stream_overrides.{source.name}.key_columns"
        return RowKey(existing_columns(override_key, names, setting=setting))
    if marked := _marked_positions(source.block.columns, sample.header):
        return RowKey(tuple(names[position] for position in marked))
    match source.block.type:
        case BlockType.DIMENSION_LIST:
            positions = range(1)
        case BlockType.METRIC | BlockType.TABLE if values:
            positions = range(min(values))
        case _:
            return RowKey()
    keys = {tuple(row[position] for position in positions) for row in sample.rows}
    if len(keys) < len(sample.rows):
        return RowKey()
    return RowKey(tuple(names[position] for position in positions))


def check_key_types(key: RowKey, types: Mapping[str, str], *, setting: str) -> None:
    """Check that no key column is a number: equal numbers may be written in different ways.

    Raises:
        SettingsError: If one is.
    """
    for name in key.columns:
        if types.get(name) == ColumnType.NUMBER:
            raise SettingsError(
                f"{setting}: {name} is a key column and cannot be a number. Set its type to text or integer, or set "
                "other key_columns."
            )


def _type(sample: ExportSample, position: int, block: Block, settings: Settings, *, is_value: bool) -> ColumnType:
    """Return a column's type: from metadata, else inferred from its cells."""
    if not settings.infer_types:
        return ColumnType.TEXT
    for column in block.columns:
        if _describes(column, sample.header[position]) and (column_type := type_in_metadata(column.type)):
            return column_type
    return infer_type((row[position] for row in sample.rows), is_value=is_value)


def _marked_positions(columns: Sequence[ColumnMetadata], header: Sequence[str]) -> list[int]:
    """Return the positions of the columns that metadata marks as key, in its order; none unless all are found."""
    positions: list[int] = []
    for column in columns:
        if not column.is_key:
            continue
        free = [position for position in range(len(header)) if position not in positions]
        found = [position for position in free if column.name == header[position]]
        found += [position for position in free if _describes(column, header[position])]
        if not found:
            return []
        positions.append(found[0])
    return positions


def _describes(column: ColumnMetadata, header: str) -> bool:
    """Return whether metadata describes the column with a header: by its technical or its display name."""
    return column.name == header or slug(column.name) == without_technical_suffix(header)
