"""The tap: wires the parts, syncs all streams, reports."""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from tap_pigment import settings as settings_module
from tap_pigment.ahead import Ahead
from tap_pigment.catalog import catalogued_streams, resolved, schema_of
from tap_pigment.check import Mark, check
from tap_pigment.client import Client
from tap_pigment.command import checked_file, pigment_command, without_key
from tap_pigment.discovery import discover
from tap_pigment.errors import PigmentError, SettingsError
from tap_pigment.failures import redacted
from tap_pigment.listing import export_call, find_streams
from tap_pigment.outcome import Outcome
from tap_pigment.pruning import listed, named_snapshots, pruned
from tap_pigment.schema import SETTINGS, ChangeDetection
from tap_pigment.settings import Settings
from tap_pigment.snapshots import SnapshotStore
from tap_pigment.streams import ExportStream
from tap_pigment.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import ClassVar

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.singerlib import Catalog

    from tap_pigment.spool import Spool


_SIGNALLED = 128  # What shells add to the number of a signal.


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
        errors = [without_key(error) for error in errors] + settings_module.problems(self._config)
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

    @cached_property
    def _outcome(self) -> Outcome:
        return Outcome(self.settings.on_stream_error, self.logger)

    def discover_streams(self) -> Sequence[ExportStream]:
        """Return the streams: of the catalog if one was given, else of discovery.

        Raises:
            PigmentError: If the blocks cannot be listed, or no block can be read.
        """
        if self.input_catalog is not None:
            return self._catalogued_streams(self.input_catalog)
        definitions, failures = discover(self.client, self.settings, self.logger)
        self._outcome.add(failures)
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
        return [
            ExportStream(
                self,
                catalogued.stream.name,
                export_call(catalogued.stream, self.settings, "exporting"),
                catalogued.entry.schema.to_dict(),
                tuple(catalogued.entry.key_properties or ()),
                application_id=catalogued.stream.block.application_id,
                block_id=catalogued.stream.block.id,
                is_gone=catalogued.is_gone,
            )
            for catalogued in catalogued_streams(catalog, listing, self.settings, self.logger)
        ]

    def sync_all(self) -> None:  # type: ignore[misc] # final, but the one place that knows all that will be synced.
        """Sync all selected streams, exports fetched ahead of the one that is written."""
        selected = [stream for stream in self.streams.values() if isinstance(stream, ExportStream) and stream.selected]
        if self.settings.emit_activate_version_messages and self.settings.change_detection is ChangeDetection.ROW:
            self.logger.warning(
                "emit_activate_version_messages has no effect with change_detection: row, or targets would delete what "
                "has not changed. What is gone is marked by _sdc_deleted_at."
            )
        try:
            self._outcome.stop_if_asked_to()
            with Ahead(
                ExportStream.fetch,
                selected,
                self.settings.parallel_exports,
                discard=lambda spool: spool.delete(),
            ) as ahead:
                self._ahead = ahead
                super().sync_all()
            self._outcome.fail_if_streams_did(len(selected), self.streams)
            self.exit_if_stopped()
        except BaseException:
            self.client.close()  # Or what was begun ahead would go on to its end.
            raise
        finally:
            self._ahead = None
            self._report_requests()

    @contextmanager
    def failing_late(self, stream_name: str) -> Iterator[None]:
        """Keep the failure of a stream for the end of a run of all streams; but a run that is stopped stops."""
        self.exit_if_stopped()
        with nullcontext() if self._ahead is None else self._outcome.kept(stream_name):
            try:
                yield
            finally:
                self.exit_if_stopped()  # DuckDB turns an exit in the middle of a query into an error of its own.

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
        snapshots: str | None = None,
    ) -> None:
        """Run the command line, once what its files hold is known to be what it should.

        Raises:
            SettingsError: If it is not.
        """
        if check_only and not about:
            sys.exit(cls._check(config))
        if snapshots and not about:
            state = checked_file(state, "--state", "bookmarks", dict)
            cls._tend_snapshots(snapshots, config, state)
            return
        super().invoke(
            about=about,
            about_format=about_format,
            config=config,
            state=checked_file(state, "--state", "bookmarks", dict),
            catalog=checked_file(catalog, "--catalog", "streams", list),
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
    def _tend_snapshots(cls, action: str, config: Any, state: IO[str] | None) -> None:  # noqa: ANN401 - see above.
        """Write which snapshots there are, or were removed, for people and not for targets."""
        tap = cls(config=config.config, parse_env_config=config.parse_env, validate_config=True, setup_mapper=False)
        if not tap.settings.snapshot_uri:
            raise SettingsError(
                "--snapshots: there are none without snapshot_uri, where change_detection: row keeps them."
            )
        if action == "prune" and state is None:
            raise SettingsError(
                "--snapshots prune: add --state with the last state, which says what the next run will ask for."
            )
        tend = pruned if action == "prune" else listed
        for line in tend(SnapshotStore(tap.settings.snapshot_uri), named_snapshots(json.load(state) if state else {})):
            click.echo(line)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command line."""
        return pigment_command(super().get_singer_command(), cls.logger)
