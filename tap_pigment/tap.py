"""The tap: wires the parts, syncs all streams, reports."""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import SingerCommand

from tap_pigment import settings as settings_module
from tap_pigment.ahead import Ahead
from tap_pigment.catalog import HOW_TO_REFRESH, resolved, schema_of
from tap_pigment.check import Mark, check
from tap_pigment.client import Client
from tap_pigment.discovery import discover
from tap_pigment.errors import PigmentError, SettingsError, StreamsFailedError
from tap_pigment.failures import redacted
from tap_pigment.listing import NamedStream, export_call, find_streams, is_wanted, override_of, report
from tap_pigment.naming import StreamName
from tap_pigment.protocol import Block, BlockType
from tap_pigment.settings import SETTINGS, ChangeDetection, OnStreamError, Settings
from tap_pigment.streams import ExportStream
from tap_pigment.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import ClassVar

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.singerlib import Catalog, CatalogEntry

    from tap_pigment.spool import Spool


# What ends a stream and can be mended by the user.
_STREAM_ERRORS = (PigmentError, MapExpressionError, StreamMapConfigError)
_SIGNALLED = 128  # What shells add to the number of a signal.


def _without_key(error: str) -> str:
    """Return the schema's message on a config without what may be a key, which it quotes."""
    for name in ("api_key", "metadata_api_key"):
        if error.endswith(f"in config['{name}']"):
            return f"{name}: a key is a text that is not empty."
    return redacted(error)


def _checked_file(file: IO[str] | None, option: str, member: str, member_type: type) -> IO[str] | None:
    """Return a file of JSON anew, after a look at whether it is an object that can have a certain member."""
    if file is None:
        return None
    text = file.read()
    try:
        content = json.loads(text)
    except ValueError as error:
        problem = f"it is not JSON: {error}" if text.strip() else "it is empty"
        raise SettingsError(f"{option} {file.name}: {problem}. Leave the option out for a run without it.") from None
    if not isinstance(content, dict) or not isinstance(content.get(member, member_type()), member_type):
        raise SettingsError(f"{option} {file.name}: it is not an object with {member}.")
    return io.StringIO(text)


class PigmentCommand(SingerCommand):
    """The command line, in which a failure that the user can mend is one line, and a bug keeps its traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature.
        """Run the command."""
        try:
            return super().main(*args, **kwargs)
        except PigmentError as error:
            self.logger.error("%s", error)  # noqa: TRY400 - the message is all there is to say.
            sys.exit(1)
        except (MapExpressionError, StreamMapConfigError) as error:
            self.logger.error("stream_maps: %s", error)  # noqa: TRY400 - see above.
            sys.exit(1)


class TapPigment(Tap):
    """Singer tap for Pigment, the business-planning platform."""

    name = "tap-pigment"
    config_jsonschema: ClassVar[dict[str, Any]] = {**SETTINGS, "properties": dict(SETTINGS["properties"])}
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.DISCOVER,
        TapCapabilities.STATE,
        TapCapabilities.TEST,
        PluginCapabilities.ABOUT,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    dynamic_catalog = True
    message_writer_class = BlockWriter

    def __init__(
        self,
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], object] | None = None,
        **options: Any,  # noqa: ANN401 - the SDK's own, passed on as they are.
    ) -> None:
        """Make the tap; `clock` tells the time in seconds, and `sleep` waits for some by it."""
        self._clock = clock
        self._sleep = sleep
        self._ahead: Ahead[ExportStream, Spool] | None = None
        self._failures: dict[str, Exception] = {}
        self._exit_code = 0
        try:
            super().__init__(**options)
        except (ValueError, TypeError):
            if options.get("parse_env_config"):
                self._check_environment()  # Raises if that is the reason.
            raise
        except (PigmentError, SystemExit):
            self._report_requests()
            raise

    @classmethod
    def _check_environment(cls) -> None:
        try:
            _ = cls._env_var_config
        except (ValueError, TypeError) as error:
            raise SettingsError(
                f"The environment: a variable that begins with {cls._env_var_prefix} cannot be read: "
                f"{redacted(str(error))}. Whole numbers are digits only; lists and objects are JSON."
            ) from None

    def _setup_signal_handlers(self) -> None:
        """Let a closed terminal end the run as the other signals do."""
        super()._setup_signal_handlers()
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the SDK's signature.
        """End the run, and not as a success: the SDK's exit code would be 0."""
        self.logger.error(
            "Stopped by %s. Streams without a state have not been sent whole.", signal.Signals(signum).name
        )
        self._exit_code = _SIGNALLED + signum
        sys.exit(self._exit_code)

    def exit_if_stopped(self) -> None:
        """End the run if a signal has said so: what a handler raises while Python frees an object is lost."""
        if self._exit_code:
            sys.exit(self._exit_code)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the config against its schema and against what a schema cannot say."""
        # A null is a setting that is not set: some runners write one for each that the user leaves alone.
        self._config = {name: setting for name, setting in self._config.items() if setting is not None}
        try:
            errors = super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            errors = list(error.errors)
        # The SDK's messages quote what was found, which may be a key.
        errors = [_without_key(error) for error in errors] + settings_module.problems(self._config)
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors, schema=self.config_jsonschema)
        return errors

    @cached_property
    def settings(self) -> Settings:
        """The settings."""
        return Settings.from_config(self.config)

    @cached_property
    def client(self) -> Client:
        """What talks to Pigment."""
        return Client(self.settings, self.logger, clock=self._clock, sleep=self._sleep)

    @cached_property
    def input_catalog(self) -> Catalog | None:
        """The catalog that was given, with the user's wishes about keys and types carried out."""
        given = super().input_catalog
        return None if given is None else resolved(given, self.settings)

    def discover_streams(self) -> Sequence[ExportStream]:
        """Return the streams: of the catalog if one was given, else of discovery.

        Raises:
            PigmentError: If the blocks cannot be listed, or no block can be read.
        """
        if self.input_catalog is not None:
            return self._catalogued_streams(self.input_catalog)
        definitions, failures = discover(self.client, self.settings, self.logger)
        self._failures.update(failures)
        return [
            ExportStream(
                self,
                definition.name,
                export_call(definition.stream, self.settings, "exporting"),
                schema_of(definition, self.settings),
                definition.key,
                application_id=definition.block.application_id,
                block_id=definition.block.id,
            )
            for definition in definitions
        ]

    def _catalogued_streams(self, catalog: Catalog) -> list[ExportStream]:
        listing = find_streams(self.client, self.settings)
        by_name = {str(stream.name): stream.block for stream in listing.streams}
        wanted_ids = {stream.block.id for stream in listing.streams}
        named = []
        gone = set()
        for entry in catalog.streams:
            name = entry.stream or entry.tap_stream_id
            block = listing.blocks.get(entry.table or "") or (None if entry.table else by_name.get(name))
            if block is None:
                gone.add(name)
                block = Block(entry.table or name, name, BlockType.TABLE, entry.database or "")
            override = override_of(name, block.id, self.settings, named=True)
            named.append((entry, NamedStream(StreamName(name), block, override)))
        report(listing, [stream.override for _, stream in named], self.settings, self.logger)
        known = {stream.block.id for _, stream in named}
        if new := sorted(stream.name for stream in listing.streams if stream.block.id not in known):
            self.logger.warning("In Pigment and not in the catalog: %s. %s", ", ".join(new), HOW_TO_REFRESH)
        streams = []
        for entry, stream in named:
            is_gone = stream.name in gone
            if is_gone or stream.block.id in wanted_ids or is_wanted(stream, self.settings):
                streams.append(self._catalogued_stream(entry, stream, is_gone=is_gone))
            else:
                self.logger.warning(
                    "%s is in the catalog and left out by include, exclude or block_types.", stream.name
                )
        return streams

    def _catalogued_stream(self, entry: CatalogEntry, stream: NamedStream, *, is_gone: bool) -> ExportStream:
        return ExportStream(
            self,
            stream.name,
            export_call(stream, self.settings, "exporting"),
            entry.schema.to_dict(),
            tuple(entry.key_properties or ()),
            application_id=stream.block.application_id,
            block_id=stream.block.id,
            is_gone=is_gone,
        )

    def sync_all(self) -> None:  # type: ignore[misc] # final, but the one place that knows all that will be synced.
        """Sync all selected streams, exports fetched ahead of the one that is written."""
        selected = [stream for stream in self.streams.values() if isinstance(stream, ExportStream) and stream.selected]
        if self.settings.emit_activate_version_messages and self.settings.change_detection is ChangeDetection.ROW:
            self.logger.warning(
                "emit_activate_version_messages has no effect with change_detection: row, or targets would delete what "
                "has not changed. What is gone is marked by _sdc_deleted_at."
            )
        try:
            self._stop_if_asked_to()
            with Ahead(
                ExportStream.fetch,
                selected,
                self.settings.parallel_exports,
                discard=lambda spool: spool.delete(),
            ) as ahead:
                self._ahead = ahead
                super().sync_all()
            self._fail_if_streams_did(len(selected))
            self.exit_if_stopped()
        except BaseException:
            self.client.close()  # Or what was begun ahead would go on to its end.
            self.exit_if_stopped()  # DuckDB turns an exit in the middle of a query into an error of its own.
            raise
        finally:
            self._ahead = None
            self._report_requests()

    def _fail_if_streams_did(self, selected: int) -> None:
        """Fail after the last stream if one has failed; `selected` is how many there were."""
        if self._failures:
            # Without a catalog, blocks that discovery could not read are among them.
            left_out = self._failures.keys() - self.streams
            raise StreamsFailedError(self._failures, selected + len(left_out))

    def _stop_if_asked_to(self) -> None:
        """Raise the first failure, if the others are not to be finished first."""
        if self._failures and self.settings.on_stream_error is OnStreamError.STOP:
            raise next(iter(self._failures.values()))

    @contextmanager
    def failing_late(self, stream_name: str) -> Iterator[None]:
        """Keep what ends a stream for the end of the run, so that the other streams are finished first."""
        self.exit_if_stopped()
        try:
            yield
        except _STREAM_ERRORS as error:
            if self._ahead is None:  # Not a run of all streams.
                raise
            self._failures[stream_name] = error
            self._stop_if_asked_to()
            self.logger.warning("%s failed; the run goes on to its end, and then fails. %s", stream_name, error)

    def run_discovery(self) -> str:
        """Write the catalog to standard output, and return it as JSON."""
        try:
            return super().run_discovery()
        finally:
            self._report_requests()

    def _report_requests(self) -> None:
        """Say what the run has asked of Pigment, once, at its end; a run without valid settings has no client."""
        if "client" in vars(self):
            self.logger.info("%s", self.client.tally)

    def take_spool(self, stream: ExportStream) -> Spool:
        """Return a stream's export: the one that was fetched ahead, or one fetched now."""
        if self._ahead and stream in self._ahead:
            return self._ahead.take(stream)
        return stream.fetch()

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401 - the SDK's own type is private.
        """Return the config of the files and the environment that `--config` names.

        Raises:
            SettingsError: If a file cannot be read.
        """
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(f"--config: cannot read {' or '.join(value)} as JSON: {error}.") from None

    @classmethod
    def invoke(  # type: ignore[override] # noqa: PLR0913 - the SDK's own signature, and one option of ours.
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,  # noqa: ANN401 - the SDK's own type is private.
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
        check_only: bool = False,
    ) -> None:
        """Run the command line, once what its files hold is known to be what it should.

        Raises:
            SettingsError: If it is not.
        """
        if check_only and not about:
            sys.exit(cls._check(config))
        super().invoke(
            about=about,
            about_format=about_format,
            config=config,
            state=_checked_file(state, "--state", "bookmarks", dict),
            catalog=_checked_file(catalog, "--catalog", "streams", list),
        )

    @classmethod
    def _check(cls, config: Any) -> int:  # noqa: ANN401 - see above.
        """Write what a check finds, for people and not for targets; return the exit code."""
        tap = cls(config=config.config, parse_env_config=config.parse_env, validate_config=True, setup_mapper=False)
        settings = replace(tap.settings, max_retries=0)  # Who checks wants to know how it is now.
        failed = False
        for finding in check(Client(settings, tap.logger), settings):
            click.echo(finding)
            failed = failed or finding.mark is Mark.FAIL
        return int(failed)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command line."""
        command = super().get_singer_command()
        command.params.append(
            click.Option(
                ["--check", "check_only"],
                is_flag=True,
                help="Test key, rights, applications and quota, without extracting anything.",
            )
        )
        return PigmentCommand(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help=command.help,
            logger=cls.logger,
        )
