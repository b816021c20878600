"""The command line: its options, the files that they name, and errors as one line."""

from __future__ import annotations

import io
import json
import sys
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk.plugin_base import SingerCommand

from tap_pigment.errors import SettingsError
from tap_pigment.failures import redacted
from tap_pigment.outcome import STREAM_ERRORS, said

if TYPE_CHECKING:
    import logging


def without_key(error: str) -> str:
    """Return the schema's message on a config without what may be a key, which it quotes."""
    for name in ("api_key", "metadata_api_key"):
        if error.endswith(f"in config['{name}']"):
            return f"{name}: a key is a text that is not empty."
    return redacted(error)


def checked_file(file: IO[str] | None, option: str, member: str, member_type: type) -> IO[str] | None:
    """Return a file of JSON anew, after a look at whether it is an object that can have a certain member."""
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
        raise SettingsError(f"{option} {file.name}: not each of its {member} is an object.")
    return io.StringIO(text)


class PigmentCommand(SingerCommand):
    """The command line, in which a failure that the user can mend is one line, and a bug keeps its traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature.
        """Run the command."""
        try:
            return super().main(*args, **kwargs)
        except STREAM_ERRORS as error:
            self.logger.error("%s", said(error))  # noqa: TRY400 - the message is all there is to say.
            sys.exit(1)


def pigment_command(command: click.Command, logger: logging.Logger) -> PigmentCommand:
    """Return the SDK's command line with what this tap adds to it."""
    check = click.Option(
        ["--check", "check_only"],
        is_flag=True,
        help="Test key, rights, applications and quota, without extracting anything.",
    )
    snapshots = click.Option(
        ["--snapshots"],
        type=click.Choice(["list", "prune"]),
        help="List the snapshots at snapshot_uri, or remove those older than the ones that --state names.",
    )
    return PigmentCommand(
        name=command.name,
        callback=command.callback,
        context_settings=command.context_settings,
        params=[*command.params, check, snapshots],
        help=command.help,
        logger=logger,
    )
