"""The findings of `--check`: API key, scopes, applications and quota, tested with few requests and without data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from tap_pigment.catalog import (
    HOW_TO_REFRESH,
    NO_APPLICATION_WITH_BLOCKS,
    ModelNames,
    define,
    export_request,
    first_by_id,
    idle_overrides,
    included_sources,
    needs_application,
    no_block_visible,
    override_failure,
    override_in_catalog,
    resolve_catalog,
    selected_names,
    typed_sources,
    unlisted_blocks,
)
from tap_pigment.errors import PigmentError, counted
from tap_pigment.exports import SpoolDirectory, fetch_sample
from tap_pigment.output import check_store
from tap_pigment.pigment import WINDOW_REQUESTS, BlockType
from tap_pigment.redaction import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.singerlib import Catalog

    from tap_pigment.catalog import StreamSource
    from tap_pigment.pigment import Block, PigmentClient
    from tap_pigment.settings import Settings, StoreAddress

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
        return f"{self.mark:<4} {shortened(printable(self.text))}"


_NO_EXPORT_TRIED = Finding(Mark.NOT_TRIED, "Export scope: not tried, because no extracted block is known.")
_NO_REQUEST_FITS = Finding(Mark.NOT_TRIED, "Export scope: not tried, because no extracted block has a valid request.")
_NO_APPLICATION = Finding(
    Mark.NOT_TRIED, "Applications and blocks: not listed, because application_id and application_ids are not set."
)


def check_connection(client: PigmentClient, settings: Settings, catalog: Catalog | None = None) -> Iterator[Finding]:
    """Yield the findings step by step.

    It takes at most 3 requests, one for each application, or two if it has views, and one for each block that need not
    be listed.
    """
    if settings.application_ids:
        yield from _check_applications(client, settings, catalog)
    else:
        yield _NO_APPLICATION
        yield from _check_blocks(client, settings, {}, {}, catalog)
    yield _check_spool(SpoolDirectory(settings.spool_dir))
    for store in settings.stores:
        yield _check_store(store)
    yield _check_quota(settings.requests_per_window, client.stats.requests)


def _check_applications(client: PigmentClient, settings: Settings, catalog: Catalog | None) -> Iterator[Finding]:
    """Yield the findings about applications and their blocks."""
    try:
        names = {application.id: application.name for application in client.applications()}
    except PigmentError as error:
        yield Finding(Mark.FAIL, str(error))
        yield Finding(Mark.NOT_TRIED, "Applications and blocks: not tried, because they cannot be listed.")
        yield _NO_EXPORT_TRIED
        return
    seen = counted(len(names), "application")
    yield Finding(Mark.OK, f"Pigment accepts the API key, which has the Modeling Metadata scope and sees {seen}.")
    listed: dict[str, tuple[Block, ...]] = {}
    for application_id in names if settings.takes_all_applications else settings.application_ids:
        finding, blocks = _check_application(client, application_id, names, settings)
        listed |= {application_id: blocks} if finding.mark is Mark.OK else {}
        yield finding
    if settings.takes_all_applications and not any(listed.values()) and not unlisted_blocks(settings):
        yield Finding(Mark.FAIL, NO_APPLICATION_WITH_BLOCKS)
    yield from _check_blocks(client, settings, listed, names, catalog)


def _check_application(
    client: PigmentClient, application_id: str, names: Mapping[str, str], settings: Settings
) -> tuple[Finding, tuple[Block, ...]]:
    """Return the finding about an application, and its blocks."""
    name = f"{names[application_id]} ({application_id})" if application_id in names else application_id
    hint = "" if application_id in names else _visible(names)
    try:
        blocks = client.blocks(application_id)
    except PigmentError as error:
        return Finding(Mark.FAIL, f"{error}{hint}"), ()
    if not blocks and settings.takes_all_applications:
        return Finding(Mark.OK, f"Application {name}: no block is visible, so it has no stream."), ()
    if not blocks:
        # Pigment does not document whether it refuses an unknown id or lists nothing for it.
        return Finding(Mark.FAIL, f"{no_block_visible(name)}{hint}"), ()
    return Finding(Mark.OK, f"Application {name}: {counted(len(blocks), 'block')}."), blocks


def _check_blocks(
    client: PigmentClient,
    settings: Settings,
    listed: Mapping[str, tuple[Block, ...]],
    names: Mapping[str, str],
    catalog: Catalog | None,
) -> Iterator[Finding]:
    """Yield the findings about blocks, listed by application or not, and about the catalog."""
    by_id = first_by_id((*chain.from_iterable(listed.values()), *unlisted_blocks(settings)))
    yield from _check_exports(client, settings, tuple(by_id.values()), names, tuple(listed), catalog)
    if catalog is not None:
        yield from _check_catalog(catalog, by_id, settings)


def _check_exports(  # noqa: PLR0913, PLR0917 - what was listed, and the settings.
    client: PigmentClient,
    settings: Settings,
    blocks: tuple[Block, ...],
    names: Mapping[str, str],
    application_ids: Sequence[str],
    catalog: Catalog | None,
) -> Iterator[Finding]:
    """Yield how many blocks are extracted, which patterns and overrides match none, and which exports work.

    They are that of the first block, and those of all blocks that are not listed: only their export shows whether they
    exist.
    """
    if not blocks:
        yield _NO_EXPORT_TRIED
        return
    takes_views = BlockType.VIEW.label in settings.block_types
    knows_all = len(application_ids) == len(names if settings.takes_all_applications else settings.application_ids)
    try:
        if takes_views:
            # Without blocks: if Pigment does not list all views at once, one by one would take too many requests.
            views = [view for application_id in application_ids for view in client.views(application_id, ())]
            blocks = tuple(first_by_id((*blocks, *views)).values())
            knows_all = knows_all and bool(views)
        sources, idle_patterns = included_sources(blocks, names, settings)
    except PigmentError as error:
        yield Finding(Mark.FAIL if knows_all else Mark.NOT_TRIED, str(error))
        yield _NO_EXPORT_TRIED
        return
    yield Finding(Mark.OK, f"Blocks extracted: {len(sources):,} of {len(blocks):,}.")
    # Several jobs may share the overrides, and each of them exclude the blocks of others.
    used = [source.override for source in typed_sources(blocks, names, settings)]
    entries = catalog.streams if catalog else ()
    used += [override_in_catalog(entry.tap_stream_id, entry.table or "", settings) for entry in entries]
    for message in (*idle_patterns, *idle_overrides(used, settings)):
        yield Finding(Mark.FAIL if knows_all else Mark.NOT_TRIED, f"{message}. Correct or remove it.")
    failures = [override_failure(source, settings) for source in sources]
    yield from (Finding(Mark.FAIL, str(failure)) for failure in failures if failure)
    fitting = [source for source, failure in zip(sources, failures, strict=True) if not failure]
    if not fitting:
        yield _NO_REQUEST_FITS if sources else _NO_EXPORT_TRIED
    for number, source in enumerate(fitting):
        if number == 0 or not source.block.application_id:
            yield _check_export(client, source, settings)


def _check_catalog(catalog: Catalog, blocks: Mapping[str, Block], settings: Settings) -> Iterator[Finding]:
    """Yield whether the selected streams of a catalog can be extracted."""
    try:
        resolved = resolve_catalog(catalog, settings)
        selected = selected_names(resolved.catalog)
    except PigmentError as error:
        yield Finding(Mark.FAIL, str(error))
        return
    # Views are not all known here.
    takes_views = BlockType.VIEW.label in settings.block_types
    for name in selected:
        block_id = resolved.catalog[name].table
        if failure := resolved.failures.get(name):
            yield Finding(Mark.FAIL, str(failure))
        elif block_id and block_id not in blocks and not settings.application_ids:
            yield Finding(Mark.FAIL, needs_application(resolved.catalog[name]))
        elif block_id and block_id not in blocks and not takes_views:
            yield Finding(Mark.FAIL, f"{name}: the block is in the catalog and not in Pigment. {HOW_TO_REFRESH}")
    yield Finding(Mark.OK, f"--catalog: {len(selected):,} of {counted(len(catalog), 'stream')} selected.")


def _check_export(client: PigmentClient, source: StreamSource, settings: Settings) -> Finding:
    """Return whether a stream's block can be exported, and its settings fit; only its header is read."""
    try:
        sample = fetch_sample(client, export_request(source, settings), rows=0)
    except PigmentError as error:
        return Finding(Mark.FAIL, str(error))
    # Names of metrics and lists only matter for types, which nothing is inferred for here.
    definition = define(source, sample, settings, ModelNames())
    if definition.failure:
        return Finding(Mark.FAIL, str(definition.failure))
    columns = counted(len(sample.header), "column")
    return Finding(Mark.OK, f"The API key has the Export scope: {source.name} can be exported, with {columns}.")


def _check_spool(spool: SpoolDirectory) -> Finding:
    """Return whether a spool directory can be made."""
    try:
        folder = spool.path().parent
    except PigmentError as error:
        return Finding(Mark.FAIL, str(error))
    finally:
        spool.close()
    return Finding(Mark.OK, f"spool_dir: {folder} can be used.")


def _check_store(store: StoreAddress) -> Finding:
    """Return whether a store can be used."""
    try:
        check_store(store)
    except PigmentError as error:
        return Finding(Mark.FAIL, str(error))
    return Finding(Mark.OK, f"{store.setting}: {store.uri} can be used.")


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
