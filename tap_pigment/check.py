"""Whether key, rights, applications and quota are in order: found out with few requests, and without data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tap_pigment.errors import PigmentError
from tap_pigment.failures import WINDOW_REQUESTS
from tap_pigment.listing import export_call, wanted_streams
from tap_pigment.protocol import BlockType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_pigment.client import Client
    from tap_pigment.listing import NamedStream
    from tap_pigment.protocol import Block
    from tap_pigment.settings import Settings

_MAX_NAMED_APPLICATIONS = 10


class Mark(StrEnum):
    """What a line of a check begins with."""

    OK = "ok"
    FAIL = "FAIL"
    NOT_TRIED = "--"


@dataclass(frozen=True)
class Finding:
    """What one step of a check has found, and what to do if it failed."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        """Return the finding as a line."""
        return f"{self.mark:<4} {self.text}"


_NO_EXPORT_TRIED = Finding(Mark.NOT_TRIED, "Export right: not tried, as no block is known that is extracted.")


def check(client: Client, settings: Settings) -> Iterator[Finding]:
    """Yield what is found, step by step, with at most 3 requests and one for each application."""
    try:
        names = {application.id: application.name for application in client.applications()}
    except PigmentError as error:
        yield Finding(Mark.FAIL, str(error))
        yield Finding(Mark.NOT_TRIED, "Applications and blocks: not tried, as they cannot be listed.")
        yield _NO_EXPORT_TRIED
    else:
        seen = _counted(len(names), "application")
        yield Finding(Mark.OK, f"Pigment accepts the key, which has the Modeling Metadata right and sees {seen}.")
        blocks: dict[str, Block] = {}
        for application_id in settings.application_ids:
            finding, found = _application(client, application_id, names)
            yield finding
            blocks |= {block.id: block for block in found}
        yield from _exports(client, settings, tuple(blocks.values()), names)
    yield _quota(settings.requests_per_window, client.tally.requests)


def _application(client: Client, application_id: str, names: Mapping[str, str]) -> tuple[Finding, tuple[Block, ...]]:
    """Return what is found of one application, and its blocks."""
    name = f"{names[application_id]} ({application_id})" if application_id in names else application_id
    try:
        blocks = client.blocks(application_id)
    except PigmentError as error:
        return Finding(Mark.FAIL, f"{error}{'' if application_id in names else _known(names)}"), ()
    if not blocks and application_id not in names:
        # Whether Pigment says of an id that it does not know, or lists nothing for it, is not documented.
        return Finding(Mark.FAIL, f"Application {name}: not found. Check application_id.{_known(names)}"), ()
    return Finding(Mark.OK, f"Application {name}: {_counted(len(blocks), 'block')}."), blocks


def _exports(
    client: Client, settings: Settings, blocks: tuple[Block, ...], names: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield how many blocks are extracted, and whether the first of them can be exported."""
    takes_views = BlockType.VIEW.label in settings.block_types
    views: tuple[Block, ...] = ()
    try:
        streams = wanted_streams(blocks, names, settings)
        if blocks and takes_views and not streams:
            # Without blocks: if Pigment does not list all views at once, one by one would be too many requests.
            views = client.views(blocks[0].application_id, ())
            streams = wanted_streams(views, names, settings)
    except PigmentError as error:
        yield Finding(Mark.FAIL, str(error))
        yield _NO_EXPORT_TRIED
        return
    if streams:
        yield Finding(Mark.OK, f"Blocks extracted: {len(streams):,} of {len(blocks) + len(views):,}.")
        yield _export(client, streams[0], settings)
        return
    if blocks and (views or not takes_views):
        none = f"Blocks extracted: none of {len(blocks) + len(views):,}. Check include, exclude and block_types."
        yield Finding(Mark.FAIL, none)
    yield _NO_EXPORT_TRIED


def _export(client: Client, stream: NamedStream, settings: Settings) -> Finding:
    """Return whether a stream's block can be exported; its header is all that is read."""
    try:
        spool = client.sample(export_call(stream, settings, "exporting"), rows=0)
    except PigmentError as error:
        return Finding(Mark.FAIL, str(error))
    spool.delete()
    columns = _counted(len(spool.header), "column")
    return Finding(Mark.OK, f"The key has the Export right: {stream.name} can be exported, with {columns}.")


def _quota(allowed: int, sent: int) -> Finding:
    """Return whether as many requests are allowed as Pigment allows."""
    rule = f"requests_per_window allows {allowed:,} in 5 minutes, Pigment {WINDOW_REQUESTS:,} for each IP address."
    if allowed > WINDOW_REQUESTS:
        return Finding(Mark.FAIL, f"{rule} Lower it.")
    return Finding(Mark.OK, f"{rule} This check has sent {sent:,}.")


def _known(names: Mapping[str, str]) -> str:
    """Return the applications that there are, to stand at the end of a message."""
    if not names:
        return " The key sees no application."
    known = [f"{name} ({application_id})" for application_id, name in names.items()]
    more = f", and {len(known) - _MAX_NAMED_APPLICATIONS:,} more" if len(known) > _MAX_NAMED_APPLICATIONS else ""
    return f" The key sees: {', '.join(known[:_MAX_NAMED_APPLICATIONS])}{more}."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
