"""From blocks to streams: the inventory of an application's blocks, filters, names, and the request of each export."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tap_pigment.columns import NamedBlock, StreamName, snake_case, stream_names
from tap_pigment.errors import SettingsError, counted
from tap_pigment.pigment import BlockType, export_block
from tap_pigment.settings import StreamOverride

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_pigment.pigment import ApiRequest, Block, PigmentClient
    from tap_pigment.settings import Settings


@dataclass(frozen=True)
class StreamSource:
    """A block, and the name and settings of its stream."""

    name: StreamName
    block: Block
    override: StreamOverride


@dataclass(frozen=True)
class ModelNames:
    """The names of an application's metrics and dimension lists: they show which columns of a table are metrics."""

    metrics: frozenset[str]
    lists: frozenset[str]


@dataclass(frozen=True)
class BlockInventory:
    """The blocks of all applications.

    Attributes:
        blocks: All blocks, by id.
        sources: The blocks to extract.
        model_names: The names of each application's metrics and lists, by its id.
    """

    blocks: Mapping[str, Block]
    sources: tuple[StreamSource, ...]
    model_names: Mapping[str, ModelNames]


def take_inventory(client: PigmentClient, settings: Settings) -> BlockInventory:
    """List the blocks of all applications.

    It takes a request for each application, one for its views, and one for the names of several applications.

    Raises:
        PigmentError: If they cannot be listed.
    """
    application_names = {}
    if settings.applications_in_names:
        application_names = {application.id: application.name for application in client.applications()}
    blocks: dict[str, Block] = {}
    model_names = {}
    for application_id in settings.application_ids:
        listed = client.blocks(application_id)
        model_names[application_id] = ModelNames(
            frozenset(block.name for block in listed if block.type is BlockType.METRIC),
            frozenset(block.name for block in listed if block.type is BlockType.DIMENSION_LIST),
        )
        if BlockType.VIEW.label in settings.block_types:
            listed += client.views(application_id, listed)
        for block in listed:
            blocks.setdefault(block.id, block)  # A block shared by two applications is one stream.
    return BlockInventory(blocks, included_sources(blocks.values(), application_names, settings), model_names)


def included_sources(
    blocks: Iterable[Block], application_names: Mapping[str, str], settings: Settings
) -> tuple[StreamSource, ...]:
    """Return the blocks to extract by `block_types`, `include` and `exclude`.

    Raises:
        SettingsError: If an override gives a stream the name of another one.
    """
    typed = [block for block in blocks if block.type.label in settings.block_types]
    return tuple(
        source for source in stream_sources(typed, application_names, settings) if is_included(source, settings)
    )


def warn_of_idle_settings(
    inventory: BlockInventory, overrides_used: Collection[StreamOverride], settings: Settings, logger: logging.Logger
) -> None:
    """Warn of settings that match nothing, such as a misspelt name."""
    if inventory.blocks and not inventory.sources:
        logger.warning(
            "No block is extracted (%s listed). Check include, exclude and block_types.",
            counted(len(inventory.blocks), "block"),
        )
    for key, override in sorted(settings.stream_overrides.items()):
        if not any(override is used for used in overrides_used):
            logger.warning("stream_overrides.%s has no effect: no extracted stream has this name or block id", key)


def stream_sources(
    blocks: Sequence[Block], application_names: Mapping[str, str], settings: Settings
) -> tuple[StreamSource, ...]:
    """Return each block with its stream's name, and the override for that name or for the block's id.

    Raises:
        SettingsError: If an override gives a stream the name of another one.
    """
    derived = stream_names(
        NamedBlock(block.id, block.name, block.type.kind, _prefix(block, application_names, settings))
        for block in blocks
    )
    sources = []
    for block in blocks:
        name = derived[block.id]
        override = override_for(name, block.id, settings)
        sources.append(StreamSource(StreamName(override.name or name), block, override))
    for source in sources:
        if source.override.name and sum(other.name == source.name for other in sources) > 1:
            raise SettingsError(f"stream_overrides: two streams have the name {source.name}. Rename one of them.")
    return tuple(sources)


def _prefix(block: Block, application_names: Mapping[str, str], settings: Settings) -> str:
    if not settings.applications_in_names:
        return ""
    application = application_names.get(block.application_id, "")
    return snake_case(application) or snake_case(f"application {block.application_id[:8]}")


def override_for(derived_name: str, block_id: str, settings: Settings) -> StreamOverride:
    """Return the override for a stream: by its block's id, or by the name that is derived from the block's."""
    overrides = settings.stream_overrides
    return overrides.get(block_id) or overrides.get(derived_name) or StreamOverride()


def override_in_catalog(stream_name: str, block_id: str, settings: Settings) -> StreamOverride:
    """Return the override for a stream of a catalog, whose name an override may have changed."""
    overrides = settings.stream_overrides
    if block_id in overrides:
        return overrides[block_id]
    for override in overrides.values():
        if override.name == stream_name:
            return override
    found = overrides.get(stream_name, StreamOverride())
    return StreamOverride() if found.name else found


def is_included(source: StreamSource, settings: Settings) -> bool:
    """Return whether `include` matches a block and `exclude` does not."""
    names = (source.block.name, source.name, source.block.id)

    def matches(globs: Sequence[str]) -> bool:
        return any(fnmatchcase(name, glob) for name in names for glob in globs)

    return matches(settings.include) and not matches(settings.exclude)


def export_request(source: StreamSource, settings: Settings) -> ApiRequest:
    """Return the request that exports a stream's block: whole in a sync, its beginning in discovery."""
    return export_block(
        source.block,
        source.name,
        friendly=settings.friendly_headers,
        request=source.override.request,
    )
