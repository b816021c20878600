"""From blocks to streams: the inventory of an application's blocks, filters, names, and the request of each export."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from tap_pigment.catalog.listing import all_blocks, fetch_listing
from tap_pigment.columns import NamedBlock, StreamName, snake_case, stream_names
from tap_pigment.errors import SettingsError, counted
from tap_pigment.pigment import BlockType, export_block
from tap_pigment.settings import Headers, StreamOverride

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_pigment.catalog.listing import Listing
    from tap_pigment.pigment import ApiRequest, Block, PigmentClient
    from tap_pigment.settings import Settings


PROPERTY_NAMES = "propertyTechnicalNames"
"""The member of a list's request body that names the properties to export."""


@dataclass(frozen=True)
class StreamSource:
    """A block, and the name and settings of its stream.

    Attributes:
        name: The stream's name.
        block: The block.
        override: The settings of the stream.
        derived_name: The name that is derived from the block's; "" where it does not matter.
    """

    name: StreamName
    block: Block
    override: StreamOverride
    derived_name: str = ""

    def has_friendly_headers(self, settings: Settings) -> bool:
        """Return whether the export is requested with display names in its header."""
        return (self.override.headers or settings.headers) is Headers.FRIENDLY


@dataclass(frozen=True)
class ModelNames:
    """The names of an application's metrics and dimension lists: they show which columns of a table are metrics."""

    metrics: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()

    @classmethod
    def of_blocks(cls, blocks: Collection[Block]) -> ModelNames:
        """Return the names among the blocks of an application."""
        return cls(
            frozenset(block.name for block in blocks if block.type is BlockType.METRIC),
            frozenset(block.name for block in blocks if block.type is BlockType.DIMENSION_LIST),
        )


@dataclass(frozen=True)
class BlockInventory:
    """The blocks of all applications, and those of them to extract.

    Attributes:
        listing: What Pigment lists.
        blocks: All blocks, and those that need not be listed, by id.
        sources: The blocks to extract, at least one.
        idle_patterns: A message for each pattern of `include` and `exclude` that matches no block.
    """

    listing: Listing
    blocks: Mapping[str, Block]
    sources: tuple[StreamSource, ...]
    idle_patterns: tuple[str, ...]

    @cached_property
    def model_names(self) -> Mapping[str, ModelNames]:
        """The names of each application's metrics and lists, by its id."""
        return {application_id: ModelNames.of_blocks(found) for application_id, found in self.listing.blocks.items()}

    def model_names_of(self, block: Block) -> ModelNames:
        """Return the names of the application of a block; none for a block that is not listed."""
        return self.model_names.get(block.application_id, ModelNames())


def take_inventory(client: PigmentClient, settings: Settings) -> BlockInventory:
    """Return the blocks of all applications, and those that need not be listed.

    Raises:
        PigmentError: If they cannot be listed, or there is nothing to extract.
    """
    listing = fetch_listing(client, settings)
    blocks = all_blocks(listing, settings)
    sources, idle = included_sources(tuple(blocks.values()), listing.application_names, settings)
    return BlockInventory(listing, blocks, sources, idle)


def included_sources(
    blocks: Sequence[Block], application_names: Mapping[str, str], settings: Settings
) -> tuple[tuple[StreamSource, ...], tuple[str, ...]]:
    """Return the blocks to extract by `block_types`, `include` and `exclude`, at least one, and the idle patterns.

    Raises:
        SettingsError: If there is no block to extract, or an override gives a stream the name of another one.
    """
    found = typed_sources(blocks, application_names, settings)
    included = tuple(source for source in found if is_included(source, settings))
    idle = idle_patterns(blocks, found, settings)
    # Without any pattern in `include`, only metadata is wanted.
    if not included and (settings.include or not settings.metadata_streams):
        raise SettingsError(
            f"No block is extracted: {counted(len(blocks), 'block')} listed, {len(found):,} of block_types. "
            f"{''.join(f'{message}. ' for message in idle)}Check include, exclude and block_types."
        )
    return included, idle


def typed_sources(
    blocks: Sequence[Block], application_names: Mapping[str, str], settings: Settings
) -> tuple[StreamSource, ...]:
    """Return the blocks of `block_types`, whether `include` and `exclude` skip them or not.

    A block whose override has a `block_type` was chosen by its id, so `block_types` does not skip it.

    Raises:
        SettingsError: If an override gives a stream the name of another one.
    """
    chosen = {block_id for block_id, override in settings.stream_overrides.items() if override.block_type}
    typed = [block for block in blocks if block.type.label in settings.block_types or block.id in chosen]
    return stream_sources(typed, application_names, settings)


def idle_patterns(blocks: Iterable[Block], typed: Sequence[StreamSource], settings: Settings) -> tuple[str, ...]:
    """Return a message for each pattern that matches no block.

    Args:
        blocks: All blocks, of which `exclude` may name any.
        typed: Those of `block_types`, of which `include` must match one.
        settings: The settings.
    """
    found = {source.block.id for source in typed}
    others = [StreamSource(StreamName(""), block, StreamOverride()) for block in blocks if block.id not in found]

    def idle(patterns: Sequence[str], sources: Sequence[StreamSource]) -> list[str]:
        return [pattern for pattern in patterns if not any(_matches(source, pattern) for source in sources)]

    return (
        *(f'include: "{pattern}" matches no block of block_types' for pattern in idle(settings.include, typed)),
        *(f'exclude: "{pattern}" matches no block' for pattern in idle(settings.exclude, [*typed, *others])),
    )


def warn_of_idle_settings(
    inventory: BlockInventory, overrides_used: Collection[StreamOverride], settings: Settings, logger: logging.Logger
) -> None:
    """Warn of settings that match nothing, such as a misspelt name."""
    # They may be overrides of streams of an application that failed.
    overrides = [] if inventory.listing.failures else idle_overrides(overrides_used, settings)
    for message in (*inventory.idle_patterns, *overrides):
        logger.warning("%s", message)


def idle_overrides(overrides_used: Collection[StreamOverride], settings: Settings) -> list[str]:
    """Return a message for each override that is none of the used ones."""
    return [
        f"stream_overrides.{key} has no effect: no extracted stream has this name or block id"
        for key, override in sorted(settings.stream_overrides.items())
        if not any(override is used for used in overrides_used)
    ]


def stream_sources(
    blocks: Sequence[Block], application_names: Mapping[str, str], settings: Settings
) -> tuple[StreamSource, ...]:
    """Return each block with its stream's name, and the override for that name or for the block's id.

    Raises:
        SettingsError: If an override gives a stream the name of another one.
    """
    named = [
        NamedBlock(block.id, block.name, block.type.kind, _prefix(block, application_names, settings))
        for block in blocks
    ]
    derived = stream_names(named, settings.reserved_names)
    sources = []
    for block in blocks:
        name = derived[block.id]
        override = override_for(name, block.id, settings)
        sources.append(StreamSource(StreamName(override.name or name), block, override, name))
    # Names that differ only in case would be one table in many databases.
    counts = Counter([*(source.name.lower() for source in sources), *settings.reserved_names])
    for source in sources:
        if source.override.name and counts[source.name.lower()] > 1:
            raise SettingsError(
                f"stream_overrides: two streams have the name {source.name}; upper and lower case make no difference. "
                "Rename one of them."
            )
    return tuple(sources)


def _prefix(block: Block, application_names: Mapping[str, str], settings: Settings) -> str:
    if not (settings.applications_in_names and block.application_id):
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
    return overrides.get(stream_name, StreamOverride())


def is_included(source: StreamSource, settings: Settings) -> bool:
    """Return whether `include` matches a block and `exclude` does not."""
    return any(_matches(source, pattern) for pattern in settings.include) and not any(
        _matches(source, pattern) for pattern in settings.exclude
    )


def _matches(source: StreamSource, pattern: str) -> bool:
    """Return whether a pattern is a name of a block or its stream, or matches one as a glob; case is ignored."""
    folded = pattern.casefold()
    names = [name.casefold() for name in (source.block.name, source.name, source.derived_name, source.block.id) if name]
    return folded in names or any(fnmatchcase(name, folded) for name in names)


def export_request(
    source: StreamSource, settings: Settings, part: int = 0, properties: Sequence[str] | None = None
) -> ApiRequest:
    """Return the request that exports a stream's block, or one of its slices.

    Args:
        source: The block, with the stream's name and settings.
        settings: The settings.
        part: The number of the slice, from 0, where there are slices. Discovery reads the beginning of the first.
        properties: The technical names of the properties of a list to export; None for what the settings ask for.
    """
    body = source.override.request_bodies[part]
    if properties is not None:
        body = {**body, PROPERTY_NAMES: list(properties)}
    part_name = source.override.part_names[part]
    return export_block(
        source.block,
        f"{source.name}: {part_name}" if part_name else source.name,
        friendly=source.has_friendly_headers(settings),
        request=body,
    )
