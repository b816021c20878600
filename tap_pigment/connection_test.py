"""The findings of `--check`: API key, scopes, applications and quota, tested with few requests and without data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tap_pigment.catalog import export_request, included_sources
from tap_pigment.errors import PigmentError, counted
from tap_pigment.exports import fetch_sample
from tap_pigment.pigment import WINDOW_REQUESTS, BlockType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_pigment.catalog import StreamSource
    from tap_pigment.pigment import Block, PigmentClient
    from tap_pigment.settings import Settings

_MAX_NAMED_APPLICATIONS = 10


class Mark(StrEnum):
    """The beginning of a finding's line."""

    OK = "ok"
    FAIL = "FAIL"
    NOT_TRIED = "--"


@dataclass(frozen=True)
class Finding:
    """The result of one step, and what to do if it failed."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        """Return the finding as a line."""
        return f"{self.mark:<4} {self.text}"


_NO_EXPORT_TRIED = Finding(Mark.NOT_TRIED, "Export scope: not tried, because no extracted block is known.")


def check_connection(client: PigmentClient, settings: Settings) -> Iterator[Finding]:
    """Yield the findings step by step, with at most 3 requests and one for each application."""
    try:
        names = {application.id: application.name for application in client.applications()}
    except PigmentError as error:
        yield Finding(Mark.FAIL, str(error))
        yield Finding(Mark.NOT_TRIED, "Applications and blocks: not tried, because they cannot be listed.")
        yield _NO_EXPORT_TRIED
    else:
        seen = counted(len(names), "application")
        yield Finding(Mark.OK, f"Pigment accepts the API key, which has the Modeling Metadata scope and sees {seen}.")
        blocks: dict[str, Block] = {}
        for application_id in settings.application_ids:
            finding, found = _check_application(client, application_id, names)
            yield finding
            blocks |= {block.id: block for block in found}
        yield from _check_exports(client, settings, tuple(blocks.values()), names)
    yield _check_quota(settings.requests_per_window, client.stats.requests)


def _check_application(
    client: PigmentClient, application_id: str, names: Mapping[str, str]
) -> tuple[Finding, tuple[Block, ...]]:
    """Return the finding about an application, and its blocks."""
    name = f"{names[application_id]} ({application_id})" if application_id in names else application_id
    try:
        blocks = client.blocks(application_id)
    except PigmentError as error:
        return Finding(Mark.FAIL, f"{error}{'' if application_id in names else _visible(names)}"), ()
    if not blocks and application_id not in names:
        # Pigment does not document whether it refuses an unknown id or lists nothing for it.
        return Finding(Mark.FAIL, f"Application {name}: not found. Check application_id.{_visible(names)}"), ()
    return Finding(Mark.OK, f"Application {name}: {counted(len(blocks), 'block')}."), blocks


def _check_exports(
    client: PigmentClient, settings: Settings, blocks: tuple[Block, ...], names: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield how many blocks are extracted, and whether the first of them can be exported."""
    takes_views = BlockType.VIEW.label in settings.block_types
    views: tuple[Block, ...] = ()
    try:
        sources = included_sources(blocks, names, settings)
        if blocks and takes_views and not sources:
            # Without blocks: if Pigment does not list all views at once, one by one would take too many requests.
            views = client.views(blocks[0].application_id, ())
            sources = included_sources(views, names, settings)
    except PigmentError as error:
        yield Finding(Mark.FAIL, str(error))
        yield _NO_EXPORT_TRIED
        return
    listed = len(blocks) + len(views)
    if sources:
        yield Finding(Mark.OK, f"Blocks extracted: {len(sources):,} of {listed:,}.")
        yield _check_export(client, sources[0], settings)
        return
    if blocks and (views or not takes_views):
        yield Finding(Mark.FAIL, f"Blocks extracted: none of {listed:,}. Check include, exclude and block_types.")
    yield _NO_EXPORT_TRIED


def _check_export(client: PigmentClient, source: StreamSource, settings: Settings) -> Finding:
    """Return whether a stream's block can be exported; only its header is read."""
    try:
        sample = fetch_sample(client, export_request(source, settings), rows=0)
    except PigmentError as error:
        return Finding(Mark.FAIL, str(error))
    columns = counted(len(sample.header), "column")
    return Finding(Mark.OK, f"The API key has the Export scope: {source.name} can be exported, with {columns}.")


def _check_quota(allowed: int, sent: int) -> Finding:
    """Return whether `requests_per_window` is within Pigment's quota."""
    rule = f"requests_per_window allows {allowed:,} in 5 minutes, Pigment {WINDOW_REQUESTS:,} for each IP address."
    if allowed > WINDOW_REQUESTS:
        return Finding(Mark.FAIL, f"{rule} Lower it.")
    return Finding(Mark.OK, f"{rule} This check sent {sent:,}.")


def _visible(names: Mapping[str, str]) -> str:
    """Return the applications that the key sees, as the end of a message."""
    if not names:
        return " The API key sees no application."
    known = [f"{name} ({application_id})" for application_id, name in names.items()]
    more = f", and {len(known) - _MAX_NAMED_APPLICATIONS:,} more" if len(known) > _MAX_NAMED_APPLICATIONS else ""
    return f" The API key sees: {', '.join(known[:_MAX_NAMED_APPLICATIONS])}{more}."
