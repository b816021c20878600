"""Discovery: the columns, types and key of each stream, from the beginning of its export."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tap_pigment.catalog.blocks import export_request, warn_of_idle_settings
from tap_pigment.catalog.request_bodies import override_failure
from tap_pigment.catalog.selection import check_headers
from tap_pigment.columns import (
    Column,
    ColumnType,
    RowKey,
    StreamName,
    column_names,
    existing_columns,
    infer_type,
    is_name_of,
    metric_value_column,
    scenario_column,
    slug,
    type_in_metadata,
    value_columns_start,
    without_technical_suffix,
)
from tap_pigment.errors import ApiKeyError, PigmentError, RunStoppedError, SettingsError
from tap_pigment.exports import Prefetcher, fetch_sample
from tap_pigment.pigment import BlockType
from tap_pigment.settings import Headers

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_pigment.catalog.blocks import BlockInventory, ModelNames, StreamSource
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
        failure: The error in the stream's settings; None if there is none. It ends the stream when it is synced.
        display_names: The display names of columns whose name is their technical header, for `column_titles`.
    """

    source: StreamSource
    columns: tuple[Column, ...]
    key: RowKey
    failure: SettingsError | None = None
    display_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownColumns:
    """What the state has about the columns of a stream.

    Attributes:
        types: The types that columns had, by name.
        names: The names that they had, by header.
    """

    types: Mapping[str, ColumnType] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def discover(  # noqa: PLR0913 - everything that decides about a definition.
    client: PigmentClient,
    inventory: BlockInventory,
    sources: Collection[StreamSource],
    settings: Settings,
    logger: logging.Logger,
    *,
    known: Mapping[str, KnownColumns],
    on_read: Callable[[], object] = lambda: None,
) -> tuple[dict[StreamName, StreamDefinition], dict[str, PigmentError]]:
    """Return the definitions of streams, and the errors of the others, by stream name.

    Args:
        client: The client.
        inventory: The blocks to extract.
        sources: Those of which the definitions are wanted.
        settings: The settings.
        logger: Reports settings that match nothing, and blocks that cannot be read.
        known: What the state has about the columns, by stream.
        on_read: Called after each block.

    Raises:
        PigmentError: If the key is not accepted, or no block at all can be read.
    """
    warn_of_idle_settings(inventory, [source.override for source in inventory.sources], settings, logger)

    def define_or_fail(source: StreamSource) -> StreamDefinition | PigmentError:
        if failure := override_failure(source, settings):
            return failure
        try:
            sample = fetch_sample(client, export_request(source, settings))
            model_names = inventory.model_names_of(source.block)
            definition = define(source, sample, settings, model_names, known.get(source.name, KnownColumns()))
            return replace(definition, display_names=_fetch_display_names(client, definition, settings, logger))
        except ApiKeyError:
            raise
        except PigmentError as error:
            return error

    by_name = {source.name: source for source in sources}

    def define_and_count(name: StreamName) -> StreamDefinition | PigmentError:
        result = define_or_fail(by_name[name])
        on_read()
        return result

    # Not a pool of `concurrent.futures`: a stopped run would wait for its threads, and they for Pigment.
    prefetcher = Prefetcher[StreamName, StreamDefinition | PigmentError](
        define_and_count,
        len(by_name),
        discard=lambda _: None,
        threads=settings.parallel_exports,
    )
    with prefetcher.started(by_name):
        results = {name: prefetcher.take(name) for name in by_name}
    failures = {str(name): result for name, result in results.items() if isinstance(result, PigmentError)}
    if failures and len(failures) == len(inventory.sources):
        raise next(iter(failures.values()))
    for failure in failures.values():
        logger.warning("%s The stream is not in the catalog.", failure)
    definitions = {name: result for name, result in results.items() if not isinstance(result, PigmentError)}
    return definitions, failures


def _fetch_display_names(
    client: PigmentClient, definition: StreamDefinition, settings: Settings, logger: logging.Logger
) -> Mapping[str, str]:
    """Return the display names of a stream's columns, by name; none unless the settings ask for them.

    They are the header of the same export with display names, which has the same columns in the same order.

    Raises:
        ApiKeyError: If the key is not accepted.
        RunStoppedError: If the run was stopped.
    """
    source = definition.source
    is_view = source.block.type is BlockType.VIEW
    if not settings.column_titles or is_view or source.has_friendly_headers(settings):
        return {}
    friendly = replace(source, override=replace(source.override, headers=Headers.FRIENDLY))
    try:
        header = fetch_sample(client, export_request(friendly, settings), rows=0).header
    except (ApiKeyError, RunStoppedError):
        raise
    except PigmentError as error:
        logger.warning("%s The stream has no column titles.", error)
        return {}
    if len(header) != len(definition.columns):
        logger.warning(
            "%s: no column titles, because the header with display names has %d columns, and the other one %d. "
            "Discover again; if it persists, turn column_titles off.",
            source.name,
            len(header),
            len(definition.columns),
        )
        return {}
    return display_names(definition.columns, header)


def display_names(columns: Sequence[Column], header: Sequence[str]) -> dict[str, str]:
    """Return the display names of columns by name, as far as they can be titles.

    Where a column's name differs from its header, the title is the header; and no title may look like that of such a
    column, because a sync would look for a header in it.

    Args:
        columns: All columns of an export.
        header: Its header with display names.
    """
    return {
        column.name: display_name
        for column, display_name in zip(columns, header, strict=True)
        if display_name and column.name == column.header
        if display_name == column.name or not is_name_of(column.name, display_name, friendly=False)
    }


def define(
    source: StreamSource,
    sample: ExportSample,
    settings: Settings,
    model_names: ModelNames,
    known: KnownColumns = KnownColumns(),
) -> StreamDefinition:
    """Return a stream's definition, from the beginning of its export.

    If its settings do not fit the export, that is its failure, and the definition is the one without key columns and
    types in the settings. So the stream stays in the catalog, and only its own sync fails.
    """
    friendly = source.has_friendly_headers(settings)
    try:
        check_headers(source.name, sample.header, friendly=friendly)
        return _define(source, sample, settings, model_names, known)
    except SettingsError as error:
        unset = replace(source, override=replace(source.override, key_columns=None, types={}))
        return replace(_define(unset, sample, settings, model_names, known), source=source, failure=error)


def _define(
    source: StreamSource,
    sample: ExportSample,
    settings: Settings,
    model_names: ModelNames,
    known: KnownColumns,
) -> StreamDefinition:
    """Return a stream's definition.

    Raises:
        SettingsError: If the override does not fit the export.
    """
    block, override = source.block, source.override
    setting = f"stream_overrides.{source.name}"
    friendly = source.has_friendly_headers(settings)
    names = column_names(sample.header, friendly=friendly, known=known.names)
    existing_columns(override.types, names, setting=f"{setting}.types")
    values = _value_positions(source, sample.header, model_names, friendly=friendly)
    key = key_rule(source, sample, names, values)
    check_key_types(key, override.types, setting=f"{setting}.types")
    columns = []
    for position, (name, header) in enumerate(zip(names, sample.header, strict=True)):
        inferred = ColumnType.TEXT
        if name not in key.columns and name not in override.types:
            known_type = known.types.get(name)
            inferred = _type(sample, position, block, settings, known_type, is_value=position in values)
        column_type = ColumnType(override.types.get(name, inferred))
        columns.append(Column(name, header, column_type, nullable=name not in key.columns, position=position))
    return StreamDefinition(source, tuple(columns), key)


def _value_positions(
    source: StreamSource, header: Sequence[str], model_names: ModelNames, *, friendly: bool
) -> frozenset[int]:
    """Return the positions of the columns that hold values of metrics, as against items and properties of lists."""
    block, request = source.block, source.override.request_bodies[0]
    has_scenarios, given_name = _requested_scenarios(request)
    if block.type is BlockType.METRIC:
        # The value stands last, unless the scenario column does.
        if has_scenarios:
            return frozenset({metric_value_column(header, friendly=friendly, metric_name=block.name)})
        return frozenset({len(header) - 1})
    if block.type not in {BlockType.TABLE, BlockType.VIEW}:
        return frozenset()
    # The header of a view does not depend on the settings: it takes no `friendlyHeaders`.
    friendly = friendly and block.type is not BlockType.VIEW
    start = value_columns_start(
        header, friendly=friendly, metric_names=model_names.metrics, list_names=model_names.lists
    )
    if start is None:
        return frozenset()
    scenario = None
    if has_scenarios:
        scenario = scenario_column(
            header,
            start,
            friendly=friendly,
            metric_names=model_names.metrics,
            list_names=model_names.lists,
            given_name=given_name,
        )
    return frozenset(range(start, len(header))) - {scenario}


def _requested_scenarios(request: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Return whether a request body asks for a scenario column, and the display name that it gives the column."""
    fields = [item for item in request.get("fields") or () if item["type"] == "ScenarioField"]
    given_name = fields[0].get("displayName") if fields else None
    return bool(fields or request.get("scenarios")), given_name


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
            positions = [0]
        case BlockType.METRIC | BlockType.TABLE if values:
            positions = [position for position in range(len(names)) if position not in values]
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


def _type(  # noqa: PLR0913 - everything that decides about a type.
    sample: ExportSample,
    position: int,
    block: Block,
    settings: Settings,
    known: ColumnType | None,
    *,
    is_value: bool,
) -> ColumnType:
    """Return a column's type: from metadata, else inferred from its cells, else, if all are blank, its known one."""
    if not settings.infer_types:
        return ColumnType.TEXT
    for column in block.columns:
        if _describes(column, sample.header[position]) and (column_type := type_in_metadata(column.type)):
            return column_type
    if known and not any(row[position] for row in sample.rows):
        return known
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
