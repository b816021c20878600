"""The command line: its options, the files that they name, `--check` and `--snapshots`, and errors in one line."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk.plugin_base import SingerCommand

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
from tap_pigment.exports import DuckDBSession, SpoolDirectory
from tap_pigment.pigment import PigmentClient
from tap_pigment.redaction import redacted
from tap_pigment.run_report import STREAM_ERRORS, error_message

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from tap_pigment.changes import Lineage
    from tap_pigment.settings import Settings

_MEMORY_BYTES_TO_DESCRIBE = 64 << 20


def without_key(error: str) -> str:
    """Return a message about a config that does not fit its schema, without the API key that it may quote."""
    for name in ("api_key", "metadata_api_key"):
        if error.endswith(f"in config['{name}']"):
            return f"{name}: an API key is a text that is not empty."
    return redacted(error)


def checked_file(file: IO[str] | None, option: str, member: str, member_type: type) -> IO[str] | None:
    """Return a file of JSON once more, after a check that it is an object whose `member`, if any, has a type.

    Raises:
        SettingsError: If it is not.
    """
    if file is None:
        return None
    text = file.read()
    try:
        content = json.loads(text)
    except ValueError as error:
        problem = f"it is not JSON: {error}" if text.strip() else "it is empty"
        raise SettingsError(f"{option} {file.name}: {problem}. Leave the option out for a run without it.") from None
    members: Any = content.get(member, member_type()) if isinstance(content, dict) else None
    entries = members.values() if isinstance(members, dict) else members
    if not isinstance(members, member_type):
        raise SettingsError(f"{option} {file.name}: it is not an object with {member}.")
    if not all(isinstance(entry, dict) for entry in entries):
        raise SettingsError(f"{option} {file.name}: each of its {member} must be an object.")
    return io.StringIO(text)


def run_check(settings: Settings, logger: logging.Logger) -> int:
    """Write the findings of `--check`, for people and not for targets, and return the exit code."""
    failed = False
    client = PigmentClient(replace(settings, max_retries=0), logger)  # The user wants to know how it is now.
    try:
        for finding in check_connection(client, settings):
            click.echo(finding)
            failed = failed or finding.mark is Mark.FAIL
    finally:
        client.close()
    return int(failed)


def run_snapshots(action: str, settings: Settings, state: IO[str] | None) -> None:
    """Write which snapshots there are, or were removed, for people and not for targets.

    Raises:
        SettingsError: If a setting or an option is missing.
        StoreError: If the store fails.
    """
    if not settings.snapshot_uri:
        raise SettingsError("--snapshots: set snapshot_uri, the store of the snapshots of change_detection: row.")
    store = SnapshotStore(settings.snapshot_uri)
    named = named_snapshots(json.load(state) if state else {})
    if action == "list":
        lines = list_snapshots(store, named)
    elif state is None:
        raise SettingsError("--snapshots prune: add --state with the last state, which names the snapshots in use.")
    else:
        lines = _pruned(store, named, settings)
    for line in lines:
        click.echo(line)


def _pruned(store: SnapshotStore, named: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """Remove the snapshots that no run needs any more, and yield a line for each."""
    spool = SpoolDirectory(settings.spool_dir)
    session = DuckDBSession(spool)

    def read_lineage(stream: str, name: str) -> Lineage:
        path = spool.path() / f"{name}.parquet"
        store.fetch(stream, name, path)
        with session.for_stream(stream, memory_bytes=_MEMORY_BYTES_TO_DESCRIBE) as database:
            return read_snapshot(database, path).lineage

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
            return super().main(*args, **kwargs)
        except STREAM_ERRORS as error:
            self.logger.error("%s", error_message(error))  # noqa: TRY400 - the message is all there is to report.
            sys.exit(1)


def pigment_command(command: click.Command, logger: logging.Logger) -> PigmentCommand:
    """Return the SDK's command line with the options of this tap."""
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
    return PigmentCommand(
        name=command.name,
        callback=command.callback,
        context_settings=command.context_settings,
        params=[*command.params, check, snapshots],
        help=command.help,
        logger=logger,
    )
