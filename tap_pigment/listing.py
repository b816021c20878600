"""Which blocks are wanted, and under which stream names."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tap_pigment import protocol
from tap_pigment.errors import SettingsError
from tap_pigment.naming import NamedBlock, StreamName, snake_case, stream_names
from tap_pigment.protocol import BlockType
from tap_pigment.settings import StreamOverride

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_pigment.client import Client
    from tap_pigment.protocol import Block
    from tap_pigment.settings import Settings


@dataclass(frozen=True)
class NamedStream:
    """A block that is wanted, under the name of its stream."""

    name: StreamName
    block: Block
    override: StreamOverride


@dataclass(frozen=True)
class Modelling:
    """What the names of an application's blocks tell about the columns of its tables."""

    metric_names: frozenset[str]
    list_names: frozenset[str]


@dataclass(frozen=True)
class Listing:
    """The blocks of all applications.

    Attributes:
        blocks: All of them, by id.
        streams: Those that the settings want, under the names of their streams.
        modellings: What the names of each application's blocks tell, by its id.
    """

    blocks: Mapping[str, Block]
    streams: tuple[NamedStream, ...]
    modellings: Mapping[str, Modelling]


def find_streams(client: Client, settings: Settings) -> Listing:
    """List the blocks of all applications: one request for each, one for its views, one for the names of several."""
    names = {}
    if settings.applications_in_names:
        names = {application.id: application.name for application in client.applications()}
    blocks: dict[str, Block] = {}
    modellings = {}
    for application_id in settings.application_ids:
        listed = client.blocks(application_id)
        modellings[application_id] = Modelling(
            frozenset(block.name for block in listed if block.type is BlockType.METRIC),
            frozenset(block.name for block in listed if block.type is BlockType.DIMENSION_LIST),
        )
        if BlockType.VIEW.label in settings.block_types:
            listed += client.views(application_id, listed)
        for block in listed:
            # A block shared by two applications is one block, and one stream.
            blocks.setdefault(block.id, block)
    return Listing(blocks, wanted_streams(blocks.values(), names, settings), modellings)


def wanted_streams(
    blocks: Iterable[Block], application_names: Mapping[str, str], settings: Settings
) -> tuple[NamedStream, ...]:
    """Return the blocks that the settings want, under the names of their streams.

    Raises:
        SettingsError: If a name that an override gives is another stream's.
    """
    typed = [block for block in blocks if block.type.label in settings.block_types]
    return tuple(stream for stream in name_streams(typed, application_names, settings) if is_wanted(stream, settings))


def report(
    listing: Listing, overrides_used: Collection[StreamOverride], settings: Settings, logger: logging.Logger
) -> None:
    """Say which settings have found nothing: a misspelt name must not look like a run without data."""
    if listing.blocks and not listing.streams:
        logger.warning(
            "None of the %d blocks is extracted: check include, exclude and block_types.", len(listing.blocks)
        )
    for key, override in sorted(settings.stream_overrides.items()):
        if not any(override is used for used in overrides_used):
            logger.warning("stream_overrides.%s: no stream that is extracted has this name or block id.", key)


def name_streams(
    blocks: Sequence[Block], application_names: Mapping[str, str], settings: Settings
) -> tuple[NamedStream, ...]:
    """Return each block under the name of its stream, with the override that goes with either.

    Raises:
        SettingsError: If a name that an override gives is another stream's.
    """
    derived = stream_names(
        NamedBlock(block.id, block.name, block.type.kind, _prefix(block, application_names, settings))
        for block in blocks
    )
    streams = []
    for block in blocks:
        name = derived[block.id]
        override = override_of(name, block.id, settings)
        streams.append(NamedStream(StreamName(override.name or name), block, override))
    for stream in streams:
        if stream.override.name and sum(other.name == stream.name for other in streams) > 1:
            raise SettingsError(
                f"stream_overrides: two streams would have the name {stream.name}. Give one of them another."
            )
    return tuple(streams)


def _prefix(block: Block, application_names: Mapping[str, str], settings: Settings) -> str:
    if not settings.applications_in_names:
        return ""
    application = application_names.get(block.application_id, "")
    return snake_case(application) or snake_case(f"application {block.application_id[:8]}")


def override_of(stream_name: str, block_id: str, settings: Settings, *, named: bool = False) -> StreamOverride:
    """Return the override for a stream: by its block's id, or by its name.

    Args:
        stream_name: The name that its block gives it; or, if `named`, the one it has in a catalog, to which an
            override's own `name` has been applied.
        block_id: The block's id.
        settings: The settings.
        named: Which of the two names it is.
    """
    overrides = settings.stream_overrides
    if block_id in overrides:
        return overrides[block_id]
    if named:
        for override in overrides.values():
            if override.name == stream_name:
                return override
    found = overrides.get(stream_name, StreamOverride())
    return StreamOverride() if named and found.name else found


def is_wanted(stream: NamedStream, settings: Settings) -> bool:
    """Return whether `include` takes the block in and `exclude` leaves it."""
    names = (stream.block.name, stream.name, stream.block.id)

    def matches(globs: Sequence[str]) -> bool:
        return any(fnmatchcase(name, glob) for name in names for glob in globs)

    return matches(settings.include) and not matches(settings.exclude)


def export_call(stream: NamedStream, settings: Settings, purpose: str) -> protocol.Call:
    """Return the call that exports a stream's block."""
    return protocol.export(
        stream.block,
        f"{purpose} {stream.name}",
        friendly=settings.friendly_headers,
        request=stream.override.request,
    )
