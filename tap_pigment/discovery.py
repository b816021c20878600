"""From blocks and their headers to stream definitions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.columns import (
    KEYLESS,
    CellCounts,
    Column,
    ColumnType,
    guessed_type,
    named_columns,
    type_in_metadata,
    value_columns_start,
)
from tap_pigment.errors import ApiKeyError, PigmentError, SettingsError
from tap_pigment.export import Export
from tap_pigment.listing import export_call, find_streams, report
from tap_pigment.naming import column_names, slug, without_technical_suffix
from tap_pigment.protocol import BlockType

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from tap_pigment.client import Client
    from tap_pigment.listing import Modelling, NamedStream
    from tap_pigment.naming import StreamName
    from tap_pigment.protocol import Block, ColumnMetadata
    from tap_pigment.settings import Settings


@dataclass(frozen=True)
class StreamDefinition:
    """A stream as discovery finds it: all columns of the block's export, and the names of its key's columns."""

    stream: NamedStream
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def name(self) -> StreamName:
        """The stream's name."""
        return self.stream.name

    @property
    def block(self) -> Block:
        """The block."""
        return self.stream.block


def discover(
    client: Client, settings: Settings, logger: logging.Logger
) -> tuple[list[StreamDefinition], dict[str, PigmentError]]:
    """Return the definition of every wanted stream, from the header and first rows of its export.

    A block that cannot be read is reported and left out; why, is returned too, by the stream's name.

    Raises:
        PigmentError: If the blocks cannot be listed, the key is not accepted, or no block at all can be read.
    """
    listing = find_streams(client, settings)
    report(listing, [stream.override for stream in listing.streams], settings, logger)

    def define_or_fail(stream: NamedStream) -> StreamDefinition | PigmentError:
        try:
            return probe(client, stream, settings, listing.modellings[stream.block.application_id])
        except (ApiKeyError, SettingsError):
            raise
        except PigmentError as error:
            return error

    with ThreadPoolExecutor(settings.parallel_exports, thread_name_prefix="discovery") as pool:
        try:
            results = list(pool.map(define_or_fail, listing.streams))
        except BaseException:
            client.close()  # Or the pool would let the others wait to their end.
            raise
    named = zip(listing.streams, results, strict=True)
    failures = {str(stream.name): result for stream, result in named if isinstance(result, PigmentError)}
    if failures and len(failures) == len(results):
        raise next(iter(failures.values()))
    for failure in failures.values():
        logger.warning("Left out of the catalog: %s", failure)
    return [result for result in results if not isinstance(result, PigmentError)], failures


def probe(client: Client, stream: NamedStream, settings: Settings, modelling: Modelling) -> StreamDefinition:
    """Return a stream's definition from the beginning of its export.

    Raises:
        PigmentError: If the export cannot be read, or an override does not fit it.
    """
    spool = client.sample(export_call(stream, settings, "reading the columns of"))
    try:
        with Export(stream.name, spool) as sample:
            return define(stream, spool.header, sample, settings, modelling)
    finally:
        spool.delete()


def define(
    stream: NamedStream, headers: Sequence[str], sample: Export, settings: Settings, modelling: Modelling
) -> StreamDefinition:
    """Return a stream's definition from its header and a sample of its rows.

    Raises:
        SettingsError: If the override names a column that is not there.
    """
    block, override = stream.block, stream.override
    where = f"stream_overrides.{stream.name}"
    friendly = settings.friendly_headers
    names = column_names(headers, friendly=friendly)
    named_columns(tuple(override.types), names, setting=f"{where}.types")
    values = _value_positions(block.type, headers, modelling, friendly=friendly)
    key = _key(stream, headers, names, values, sample)
    columns = []
    for position, (name, header, counts) in enumerate(zip(names, headers, sample.cell_counts(), strict=True)):
        guess = _type(header, counts, block, settings, is_value=position in values)
        column_type = ColumnType(override.types.get(name, ColumnType.TEXT if name in key else guess))
        columns.append(Column(name, header, column_type, nullable=name not in key, position=position))
    return StreamDefinition(stream, tuple(columns), key)


def _value_positions(
    block_type: BlockType, headers: Sequence[str], modelling: Modelling, *, friendly: bool
) -> frozenset[int]:
    """Return where an export's values stand: those of metrics, as against items of lists and their properties."""
    if block_type is BlockType.METRIC:
        return frozenset({len(headers) - 1})
    if block_type not in {BlockType.TABLE, BlockType.VIEW}:
        return frozenset()
    start = value_columns_start(
        headers, friendly=friendly, metric_names=modelling.metric_names, list_names=modelling.list_names
    )
    return frozenset() if start is None else frozenset(range(start, len(headers)))


def _key(
    stream: NamedStream, headers: Sequence[str], names: Sequence[str], values: frozenset[int], sample: Export
) -> tuple[str, ...]:
    """Return the names of the key's columns: by the first rule that answers, else `KEYLESS`."""
    override_key = stream.override.key_columns
    if override_key is not None:
        where = f"stream_overrides.{stream.name}.key_columns"
        return named_columns(override_key, names, setting=where) or KEYLESS
    if marked := _marked_positions(stream.block.columns, headers):
        return tuple(names[position] for position in marked)
    match stream.block.type:
        case BlockType.DIMENSION_LIST:
            positions = range(1)
        case BlockType.METRIC | BlockType.TABLE if values:
            positions = range(min(values))
        case _:
            return KEYLESS
    if not positions or not sample.has_unique_rows(positions):
        return KEYLESS
    return tuple(names[position] for position in positions)


def _type(header: str, counts: CellCounts, block: Block, settings: Settings, *, is_value: bool) -> ColumnType:
    """Return a column's type: what metadata says of it, else what its cells look like."""
    if not settings.infer_types:
        return ColumnType.TEXT
    for column in block.columns:
        if _is_about(column, header) and (column_type := type_in_metadata(column.type)):
            return column_type
    return guessed_type(counts, is_value=is_value)


def _marked_positions(columns: Sequence[ColumnMetadata], headers: Sequence[str]) -> list[int]:
    """Return where the columns stand that metadata marks as key, in its order; none unless all are found."""
    positions: list[int] = []
    for column in columns:
        if not column.is_key:
            continue
        free = [position for position in range(len(headers)) if position not in positions]
        found = [position for position in free if column.name == headers[position]]
        found += [position for position in free if _is_about(column, headers[position])]
        if not found:
            return []
        positions.append(found[0])
    return positions


def _is_about(column: ColumnMetadata, header: str) -> bool:
    """Return whether metadata and header are about one column: by its technical name, or by its display name."""
    return column.name == header or slug(column.name) == without_technical_suffix(header)
