"""The tap: puts the parts together, syncs all streams, and closes what it opened."""

from __future__ import annotations

import signal
import sys
import threading
from functools import cached_property
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import StateMessage

from tap_pigment import cli
from tap_pigment.catalog import (
    catalog_streams,
    discover,
    export_request,
    resolve_catalog,
    stream_schema,
    take_inventory,
)
from tap_pigment.changes import SnapshotStore
from tap_pigment.errors import PigmentError, SettingsError
from tap_pigment.exports import DuckDBSession, ExportDownloader, Prefetcher, SpoolDirectory
from tap_pigment.output import BlockWriter
from tap_pigment.pigment import PigmentClient
from tap_pigment.redaction import redacted
from tap_pigment.run_context import RunContext, StopRequest
from tap_pigment.run_report import StreamFailures
from tap_pigment.settings import SETTINGS, ChangeDetection, Settings, config_errors
from tap_pigment.streams import ExportStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import ClassVar

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.singerlib import Catalog

    from tap_pigment.exports import ExportFile

_SIGNAL_EXIT_CODE = 128  # Shells add it to the number of the signal.


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
        **options: Any,  # noqa: ANN401 - the SDK's own, passed on unchanged.
    ) -> None:
        """Make the tap; `clock` returns the time in seconds, and `sleep` waits for some seconds by it."""
        self._clock = clock
        self._sleep = sleep
        self._stop = StopRequest()
        try:
            super().__init__(**options)
        except (ValueError, TypeError):
            if options.get("parse_env_config"):
                self._check_environment()  # Raises an error if the environment is the cause.
            raise
        except (PigmentError, SystemExit):
            self.close()
            raise

    # The settings

    @classmethod
    def _check_environment(cls) -> None:
        try:
            _ = cls._env_var_config
        except (ValueError, TypeError) as error:
            raise SettingsError(
                f"The environment: cannot read a variable that begins with {cls._env_var_prefix}: "
                f"{redacted(str(error))}. Whole numbers are digits only; lists and objects are JSON."
            ) from None

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the config against its JSON schema and the rules that a schema cannot express."""
        # Some runners write a null for each setting that the user does not set.
        self._config = {name: setting for name, setting in self._config.items() if setting is not None}
        try:
            errors = super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            errors = list(error.errors)
        # The SDK's messages quote the value, which may be an API key.
        errors = [cli.without_key(error) for error in errors] + config_errors(self._config)
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors, schema=self.config_jsonschema)
        return errors

    @cached_property
    def settings(self) -> Settings:
        """The settings."""
        return Settings.from_config(self.config)

    # Signals

    def _setup_signal_handlers(self) -> None:
        """Let a closed terminal end the run as other signals do."""
        super()._setup_signal_handlers()
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the SDK's signature.
        """End the run with the signal's exit code; the SDK's would be 0."""
        self.logger.error("Stopped by %s. Streams without a STATE are incomplete.", signal.Signals(signum).name)
        exit_code = _SIGNAL_EXIT_CODE + signum
        self._stop.make(exit_code)
        sys.exit(exit_code)

    # The parts

    @cached_property
    def run_context(self) -> RunContext:
        """What the tap and its streams share.

        Raises:
            StoreError: If `snapshot_uri` cannot be used.
        """
        settings = self.settings
        client = PigmentClient(settings, self.logger, clock=self._clock, sleep=self._sleep)
        spool = SpoolDirectory(settings.spool_dir)
        compares_rows = settings.change_detection is ChangeDetection.ROW
        prefetcher: Prefetcher[Stream, ExportFile] = Prefetcher(
            _download, settings.parallel_exports, discard=lambda file: file.delete()
        )
        return RunContext(
            settings=settings,
            client=client,
            spool=spool,
            downloader=ExportDownloader(
                client,
                spool,
                is_hashed=settings.change_detection is not ChangeDetection.NONE,
                logger=self.logger,
            ),
            prefetcher=prefetcher,
            session=DuckDBSession(spool),
            store=SnapshotStore(settings.snapshot_uri) if compares_rows else None,
            failures=StreamFailures(settings.on_stream_error, self.logger),
            stop=self._stop,
        )

    def close(self) -> None:
        """Close what was opened, and report the requests of the run; the next use opens it again."""
        if "run_context" in vars(self):
            self.run_context.close()
            self.logger.info("%s", self.run_context.client.stats)

    # The streams

    @cached_property
    def input_catalog(self) -> Catalog | None:
        """The given catalog, with the keys and types that the user asks for."""
        given = super().input_catalog
        return None if given is None else resolve_catalog(given, self.settings)

    def discover_streams(self) -> Sequence[ExportStream]:
        """Return the streams of the given catalog, or else of discovery.

        Raises:
            PigmentError: If the blocks cannot be listed, or no block can be read.
        """
        run = self.run_context
        if self.input_catalog is not None:
            inventory = take_inventory(run.client, self.settings)
            return [
                ExportStream(
                    self,
                    run,
                    stream.source.name,
                    stream.source.block,
                    export_request(stream.source, self.settings),
                    stream.entry.schema.to_dict(),
                    tuple(stream.entry.key_properties or ()),
                    is_missing=stream.is_missing,
                )
                for stream in catalog_streams(self.input_catalog, inventory, self.settings, self.logger)
            ]
        definitions, failures = discover(run.client, self.settings, self.logger)
        run.failures.add(failures)
        return [
            ExportStream(
                self,
                run,
                definition.source.name,
                definition.source.block,
                export_request(definition.source, self.settings),
                stream_schema(definition, self.settings),
                definition.key.primary_key,
            )
            for definition in definitions
        ]

    def run_discovery(self) -> str:
        """Write the catalog to stdout, and return it as JSON."""
        try:
            return super().run_discovery()
        finally:
            self.close()

    def sync_all(self) -> None:  # type: ignore[misc] # Final in the SDK, but only here are all selected streams known.
        """Sync all selected streams, while the exports of the next ones are downloaded."""
        run = self.run_context
        selected = [stream for stream in self.streams.values() if stream.selected]
        if self.settings.emit_activate_version_messages and run.store:
            self.logger.warning(
                "emit_activate_version_messages has no effect with change_detection: row, because targets would delete "
                "unchanged rows. Deleted rows are marked in _sdc_deleted_at."
            )
        try:
            run.failures.raise_if_stopping()
            if self.state:
                self.write_message(StateMessage(self.state))
            with run.failures.collecting(), run.prefetcher.started(selected):
                for stream in selected:
                    stream.sync()
            run.failures.raise_if_any(len(selected), self.streams)
            run.stop.exit_if_made()
        except BaseException:
            run.client.cancel()  # Or downloads would go on to their end.
            raise
        finally:
            self.close()

    def run_sync_dry_run(self, *args: Any, **kwargs: Any) -> bool:  # type: ignore[misc] # noqa: ANN401 - the SDK's signature. It is final there, and closes nothing.
        """Emit some records of each stream, for `--test`."""
        try:
            return super().run_sync_dry_run(*args, **kwargs)
        finally:
            self.close()

    # The command line

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
    def invoke(  # type: ignore[override] # noqa: PLR0913 - the SDK's own signature, and two options of ours.
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
        """Run the command line, after a check of its files.

        Raises:
            SettingsError: If a file does not hold what it should.
        """
        if not about and (check_only or snapshots):
            tap = cls(config=config.config, parse_env_config=config.parse_env, validate_config=True, setup_mapper=False)
            if check_only:
                sys.exit(cli.run_check(tap.settings, tap.logger))
            cli.run_snapshots(str(snapshots), tap.settings, cli.checked_file(state, "--state", "bookmarks", dict))
            return
        super().invoke(
            about=about,
            about_format=about_format,
            config=config,
            state=cli.checked_file(state, "--state", "bookmarks", dict),
            catalog=cli.checked_file(catalog, "--catalog", "streams", list),
        )

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command line."""
        return cli.pigment_command(super().get_singer_command(), cls.logger)


def _download(stream: Stream) -> ExportFile:
    assert isinstance(stream, ExportStream)  # noqa: S101 - the tap makes no other streams.
    return stream.download()
