"""The applications of a run and their blocks, as Pigment lists them, and the blocks that need not be listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from tap_pigment.errors import ApiKeyError, PigmentError, RunStoppedError, SettingsError
from tap_pigment.pigment import Application, Block, BlockType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_pigment.pigment import PigmentClient
    from tap_pigment.settings import Settings

NO_APPLICATION_WITH_BLOCKS = (
    "application_ids: the API key sees no application with a block. Check the access rights of its owner in Pigment."
)


@dataclass(frozen=True)
class Listing:
    """The blocks of all applications, as Pigment lists them.

    Attributes:
        applications: All applications that the key can see; only listed where something needs them.
        blocks: The lists, metrics and tables of each application, by its id, in the order of the applications.
        views: The views of each application, by its id; only listed where they are extracted.
        failures: The errors of applications that cannot be listed, by id.
    """

    applications: tuple[Application, ...] = ()
    blocks: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)
    views: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)
    failures: Mapping[str, PigmentError] = field(default_factory=dict)

    @property
    def application_names(self) -> dict[str, str]:
        """The names of the applications, by id."""
        return {application.id: application.name for application in self.applications}

    @property
    def failures_by_name(self) -> dict[str, PigmentError]:
        """The errors of applications that cannot be listed, by the application's name and id."""
        return {f"{self.application_names[key]} ({key})": error for key, error in self.failures.items()}


def fetch_listing(client: PigmentClient, settings: Settings) -> Listing:
    """Return the blocks of all applications.

    It takes a request for each application, one for its views, and one for the names of several applications; none for
    blocks that need not be listed. Where every application is extracted, one that cannot be listed fails alone.

    Raises:
        PigmentError: If the applications, or the blocks of one that the settings name, cannot be listed.
        SettingsError: If an application that the settings name has no blocks.
    """
    needs_applications = settings.applications_in_names or settings.metadata_streams
    applications = client.applications() if needs_applications else ()
    is_named = not settings.takes_all_applications
    blocks: dict[str, tuple[Block, ...]] = {}
    views: dict[str, tuple[Block, ...]] = {}
    failures: dict[str, PigmentError] = {}
    for application_id in settings.application_ids if is_named else (application.id for application in applications):
        try:
            listed = client.blocks(application_id)
            if not listed and is_named:
                raise SettingsError(no_block_visible(application_id))
            has_views = bool(listed) and BlockType.VIEW.label in settings.block_types
            shown = client.views(application_id, listed) if has_views else ()
        except PigmentError as error:
            if is_named or isinstance(error, ApiKeyError | RunStoppedError):
                raise
            failures[application_id] = error
        else:
            blocks[application_id], views[application_id] = listed, shown
    return Listing(applications, blocks, views, failures)


def no_block_visible(application: str) -> str:
    """Return the message about an application without blocks."""
    return (
        f"Application {application}: no block is visible. Check application_id, and the access rights of the API key's "
        "owner in Pigment."
    )


def all_blocks(listing: Listing, settings: Settings) -> dict[str, Block]:
    """Return the blocks that Pigment lists, and those that overrides give by id and type, by id.

    A block that several applications share is one block, that of the first of them.

    Raises:
        PigmentError: If there is none, because an application cannot be listed.
        SettingsError: If there is none.
    """
    listed = chain.from_iterable((*blocks, *listing.views[key]) for key, blocks in listing.blocks.items())
    found = first_by_id((*listed, *unlisted_blocks(settings)))
    if not found and listing.failures:
        raise next(iter(listing.failures.values()))
    if not found:
        raise SettingsError(NO_APPLICATION_WITH_BLOCKS)
    return found


def first_by_id(blocks: Iterable[Block]) -> dict[str, Block]:
    """Return the first block of each id, by id."""
    found: dict[str, Block] = {}
    for block in blocks:
        found.setdefault(block.id, block)
    return found


def unlisted_blocks(settings: Settings) -> Sequence[Block]:
    """Return the blocks that overrides give by id and type, without a name and an application."""
    return [
        Block(block_id, "", BlockType.of_label(override.block_type), "")
        for block_id, override in settings.stream_overrides.items()
        if override.block_type
    ]
