"""The command line: its options, the files that they name, `--check` and `--snapshots`, and errors in one line."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib import Catalog

from tap_pigment.changes import (
    SETTING,
    SnapshotStore,
    list_snapshots,
    named_snapshots,
    prune_snapshots,
    read_snapshot,
)
from tap_pigment.connection_test import Mark, check_connection
from tap_pigment.errors import SettingsError
from tap_pigment.exports import DuckDBSession, SpoolDirectory, in_thread
from tap_pigment.input_files import read_catalog, read_state, read_state_or_wrapped
from tap_pigment.output import checked_stdout
from tap_pigment.pigment import PigmentClient
from tap_pigment.redaction import PRINTABLE_RECORDS, printable
from tap_pigment.stream_failures import STREAM_ERRORS, error_message

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from tap_pigment.changes import Lineage
    from tap_pigment.settings import Settings

_MEMORY_BYTES_TO_DESCRIBE = 64 << 20


def checked_state(file: IO[bytes] | None) -> IO[str] | None:
    """Return a state file as text, after a check that it is a state.

    Raises:
        SettingsError: If it is not.
    """
    return None if file is None else io.StringIO(read_state(file))


def checked_catalog(file: IO[bytes] | None) -> IO[str] | None:
    """Return a catalog file as text, after a check that it is a catalog.

    Raises:
        SettingsError: If it is not.
    """
    return None if file is None else io.StringIO(read_catalog(file))


def run_check(settings: Settings, logger: logging.Logger, *, catalog: IO[bytes] | None, state: IO[bytes] | None) -> int:
    """Write the findings of `--check`, for people and not for targets, and return the exit code.

    Raises:
        SettingsError: If a file is not a catalog or not a state.
    """
    checked_state(state)
    text = checked_catalog(catalog)
    given = Catalog.from_dict(json.load(text)) if text else None
    failed = False
    client = PigmentClient(replace(settings, max_retries=0), logger)  # The user wants to know how it is now.
    try:
        findings = check_connection(client, settings, given)
        while finding := in_thread(lambda: next(findings, None)):
            click.echo(finding)
            failed = failed or finding.mark is Mark.FAIL
    finally:
        client.cancel()
        client.close()
    return int(failed)


def run_snapshots(action: str, settings: Settings, state: IO[bytes] | None) -> None:
    """Write which snapshots there are, or were removed, for people and not for targets.

    Raises:
        SettingsError: If a setting or an option is missing.
        StoreError: If the store fails.
    """
    if not settings.snapshot_uri:
        raise SettingsError("--snapshots: set snapshot_uri, the store of the snapshots of change_detection: row.")
    store = SnapshotStore(settings.snapshot_uri)
    named = named_snapshots(read_state_or_wrapped(state) if state else {})
    if action == "list":
        lines = list_snapshots(store, named)
    elif state is None:
        raise SettingsError("--snapshots prune: add --state with the last state, which names the snapshots in use.")
    else:
        lines = _pruned(store, named, settings)
    for line in lines:
        click.echo(printable(line))


def _pruned(store: SnapshotStore, named: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """Remove the snapshots that no run needs any more, and yield a line for each."""
    spool = SpoolDirectory(settings.spool_dir)
    session = DuckDBSession(spool)

    def read_lineage(stream: str, name: str) -> Lineage:
        path = spool.path() / f"{name}.parquet"
        try:
            store.fetch(stream, name, path)
            with session.for_stream(stream, memory_bytes=_MEMORY_BYTES_TO_DESCRIBE) as database:
                return read_snapshot(database, path).lineage
        finally:
            path.unlink(missing_ok=True)

    try:
        yield from prune_snapshots(store, named, read_lineage)
    finally:
        session.close()
        spool.close()


class PigmentCommand(SingerCommand):
    """The command line, which reports an expected failure in one line, and a bug with its traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature.
        """Run the command."""
        try:
            with checked_stdout():
                return super().main(*args, **kwargs)
        except STREAM_ERRORS as error:
            lines = error_message(error).split("\n")  # Line breaks that an error quotes are escaped.
            self.logger.error("\n".join(["%s"] * len(lines)), *lines)  # noqa: TRY400 - the message is all there is.
            sys.exit(1)
        except ConfigValidationError as error:  # The SDK catches it in a sync and in --discover, not in --test.
            for problem in error.errors:
                self.logger.error("%s", problem)  # noqa: TRY400 - see above.
            sys.exit(1)


def pigment_command(command: click.Command, logger: logging.Logger) -> PigmentCommand:
    """Return the SDK's command line with the options of this tap."""
    logger.addFilter(PRINTABLE_RECORDS)
    check = click.Option(
        ["--check", "check_only"],
        is_flag=True,
        help="Test API key, scopes, applications and quota, without extracting anything.",
    )
    snapshots = click.Option(
        ["--snapshots"],
        type=click.Choice(["list", "prune"]),
        help=f"List the snapshots at {SETTING}, or remove those that no run needs any more by what --state names.",
    )
    for param in command.params:
        if param.name in {"catalog", "state"}:
            param.type = click.File("rb")  # The tap decodes them: PowerShell writes UTF-16.
        if param.name == "catalog":
            param.is_eager = True  # It is read before --discover runs.
            assert isinstance(param, click.Option)  # noqa: S101 - the SDK makes it.
            param.help = "Use a Singer catalog file. With --discover, only blocks that it lacks are read."
    return PigmentCommand(
        name=command.name,
        callback=command.callback,
        context_settings=command.context_settings,
        params=[*command.params, check, snapshots],
        help=command.help,
        logger=logger,
    )
