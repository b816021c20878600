"""The tap: puts the parts together, syncs all streams, and closes what it opened.

Private names of the SDK in use, seen in singer-sdk 0.54.9: `_config`, `_env_var_config`, `_env_var_prefix`,
`_handle_termination`, `_setup_signal_handlers`, `_validate_config`, and
`configuration._dict_config.parse_environment_config`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from singer_sdk import Tap
from singer_sdk.cli import plugin_cli
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog, StateMessage
from singer_sdk.tap_base import CliTestOptionValue

from tap_pigment import cli
from tap_pigment.catalog import (
    NO_STREAM_SELECTED,
    KnownColumns,
    catalog_streams,
    discover,
    known_entries,
    request_errors,
    resolve_catalog,
    stream_schema,
    take_inventory,
    uncataloged_streams,
)
from tap_pigment.changes import SnapshotStore, given_bookmarks
from tap_pigment.errors import CatalogError, OutputError, PigmentError, SettingsError, counted
from tap_pigment.exports import DuckDBSession, ExportDownloader, Prefetcher, SpoolDirectory, SpoolRoom, in_thread
from tap_pigment.input_files import read_config
from tap_pigment.live_display import is_on_terminal, live_display
from tap_pigment.metadata_streams import metadata_streams
from tap_pigment.output import BlockWriter, StateWriter, check_store
from tap_pigment.pigment import PigmentClient
from tap_pigment.pigment_stream import PigmentStream
from tap_pigment.redaction import PRINTABLE_RECORDS
from tap_pigment.run_context import RunContext, StopRequest
from tap_pigment.run_report import PROGRESS_SECONDS, RunReport, size_text
from tap_pigment.settings import (
    SETTINGS,
    ChangeDetection,
    Settings,
    check_key_log,
    config_errors,
    key_problem,
    log_config_errors,
    read_variables,
    readable_schema_error,
    settings_without_effect,
    unknown_variables_warning,
    use_known_log_level,
)
from tap_pigment.stream_failures import StreamFailures
from tap_pigment.streams import ExportStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import ClassVar

    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.singerlib import CatalogEntry

    from tap_pigment.catalog import BlockInventory, ResolvedCatalog, StreamDefinition, StreamSource
    from tap_pigment.columns import StreamName
    from tap_pigment.exports import ExportFile

_ENVIRONMENT = "ENV"  # In place of a file of `--config`.
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
        progress_seconds: float = PROGRESS_SECONDS,
        known_catalog: Mapping[str, Any] | None = None,
        **options: Any,  # noqa: ANN401 - the SDK's own, passed on unchanged.
    ) -> None:
        """Make the tap.

        Args:
            clock: Returns the time in seconds.
            sleep: Waits for some seconds by that clock.
            progress_seconds: After how many seconds what is not done is reported again.
            known_catalog: An older catalog, for discovery that reads only blocks that it lacks.
            **options: Those of the SDK.
        """
        self._clock = clock
        self._sleep = sleep
        self._progress_seconds = progress_seconds
        self._known_catalog = None if known_catalog is None else Catalog.from_dict(dict(known_catalog))
        self._stop = StopRequest()
        self._given_bookmarks = given_bookmarks(options.get("state"))
        self.logger.addFilter(PRINTABLE_RECORDS)
        check_key_log(os.environ)
        try:
            super().__init__(**options)
        except BaseException:
            self.close()
            raise

    # The settings

    @property  # The SDK's is a property of the class, but only instances use it.
    def _env_var_config(self) -> dict[str, Any]:
        """The settings in the environment, and in `.env` where the SDK looks for it.

        Raises:
            SettingsError: If `.env` cannot be read.
            ConfigValidationError: If a variable cannot be read.
        """
        try:
            parse_environment_config({}, self._env_var_prefix)  # Only loads `.env`: no setting is parsed.
        except (OSError, ValueError) as error:
            raise SettingsError(f".env: cannot read the file: {type(error).__name__}. Write it in UTF-8.") from None
        self.append_builtin_config(self.config_jsonschema)
        properties = self.config_jsonschema["properties"]
        config, errors = read_variables(os.environ, self._env_var_prefix, properties)
        for warning in (
            use_known_log_level(os.environ, self._env_var_prefix),
            unknown_variables_warning(os.environ, self._env_var_prefix, properties),
        ):
            if warning:
                self.logger.warning("%s", warning)
        if errors:
            raise ConfigValidationError("Config validation failed", errors=errors, schema=self.config_jsonschema)
        return config

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the config against its JSON schema and the rules that a schema cannot express."""
        # Some runners write a null for each setting that the user does not set.
        self._config = {name: setting for name, setting in self._config.items() if setting is not None}
        given = dict(self._config)  # Before defaults are filled in.
        try:
            errors = super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            errors = list(error.errors)
        errors = [*map(readable_schema_error, errors), *config_errors(self._config), *request_errors(self._config)]
        if errors and raise_errors:
            message = f"{counted(len(errors), 'error')} in the settings. Nothing was requested."
            raise ConfigValidationError(message, errors=errors, schema=self.config_jsonschema)
        for warning in () if errors else settings_without_effect(given):
            self.logger.warning("%s", warning)
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
        """End the run with the exit code of the first signal; the SDK's would be 0."""
        if self._stop.make(_SIGNAL_EXIT_CODE + signum):
            is_syncing = "run_context" in vars(self) and self.run_context.report.streams
            consequence = " Streams without a STATE are incomplete." if is_syncing else ""
            # RuntimeError: the signal arrived in the middle of another line of the log.
            with self._stop.ignored(), suppress(RuntimeError):
                self.logger.error("Stopped by %s.%s", signal.Signals(signum).name, consequence)
        self._stop.exit_if_made()

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
        room = SpoolRoom(spool, settings.max_prefetch_mb)
        compares_rows = settings.change_detection is ChangeDetection.ROW
        prefetcher: Prefetcher[Stream, ExportFile] = Prefetcher(
            _download,
            settings.parallel_exports,
            discard=lambda file: file.delete(),
            may_begin=lambda stream: room.may_begin(stream.name),
        )
        return RunContext(
            settings=settings,
            client=client,
            spool=spool,
            room=room,
            downloader=ExportDownloader(
                client,
                spool,
                room,
                is_hashed=settings.change_detection is not ChangeDetection.NONE,
                logger=self.logger,
            ),
            prefetcher=prefetcher,
            session=DuckDBSession(spool),
            store=SnapshotStore(settings.snapshot_uri) if compares_rows else None,
            failures=StreamFailures(settings.on_stream_error, self.logger),
            report=RunReport(self.logger, progress_seconds=self._progress_seconds),
            stop=self._stop,
            states=StateWriter(self.write_message, clock=self._clock),
        )

    def close(self) -> None:
        """Close what was opened, and report the requests of the run; the next use opens it again."""
        if "run_context" in vars(self):
            with self._stop.ignored():
                self.run_context.close()
            self.logger.info("%s", self.run_context.client.stats)

    # The streams

    @cached_property
    def _resolved_catalog(self) -> ResolvedCatalog | None:
        given = super().input_catalog
        if given is None:
            return None
        resolved = resolve_catalog(given, self.settings)
        if resolved.incremental:
            self.logger.warning(
                "replication-method and replication-key have no effect (%s): Pigment has no change feed. To emit only "
                "changes, set change_detection.",
                ", ".join(resolved.incremental),
            )
        return resolved

    @property
    def input_catalog(self) -> Catalog | None:
        """The given catalog, with the keys and types that the user asks for."""
        resolved = self._resolved_catalog
        return resolved.catalog if resolved else None

    def setup_mapper(self) -> None:
        """Check the catalog and the places for files, which then fail once and not for each stream; make the streams.

        Raises:
            CatalogError: If the catalog has no streams, or two of the same name.
            SettingsError: If `quota_file` cannot be used.
            SpoolError: If the spool directory cannot be made.
            StoreError: If a store cannot be used.
        """
        _ = self._resolved_catalog
        self.run_context.spool.path()
        self.run_context.client.open_quota()
        for store in self.settings.stores:
            check_store(store)
        super().setup_mapper()

    def discover_streams(self) -> Sequence[PigmentStream]:
        """Return the streams of the given catalog, or else of discovery.

        Raises:
            PigmentError: If the blocks cannot be listed, there is nothing to extract, or no block can be read.
        """
        run, settings = self.run_context, self.settings
        listed_at = datetime.now(UTC)
        with run.discovering():
            inventory = in_thread(lambda: take_inventory(run.client, settings))
        resolved = self._resolved_catalog
        run.failures.add_applications(inventory.listing.failures_by_name)
        self._warn_of_lost_streams(inventory)
        if resolved is not None:
            run.failures.add(uncataloged_streams(resolved, inventory, self._given_bookmarks))
            parts = [
                (stream.source, stream.entry.schema.to_dict(), stream.entry.key_properties or (), stream.failure)
                for stream in catalog_streams(resolved, inventory, settings, self.logger)
            ]
            return self._made_streams(parts, inventory, listed_at)
        known = self._known_entries(inventory)
        definitions = self._discovered([source for source in inventory.sources if source.name not in known], inventory)
        parts = []
        for source in inventory.sources:
            if entry := known.get(source.name):
                parts.append((source, entry.schema.to_dict(), entry.key_properties or (), None))
            elif definition := definitions.get(source.name):
                schema = stream_schema(definition, settings)
                parts.append((source, schema, definition.key.primary_key, definition.failure))
        streams = self._made_streams(parts, inventory, listed_at)
        known_catalog = Catalog(known)
        for stream in streams:
            if stream.name in known:
                stream.apply_catalog(known_catalog)  # It has the user's selection.
        return streams

    def _known_entries(self, inventory: BlockInventory) -> dict[str, CatalogEntry]:
        """Return the entries of the older catalog that need no discovery, by stream name, and report the others.

        Raises:
            CatalogError: If the catalog has no streams, or two of the same name.
        """
        if self._known_catalog is None:
            return {}
        resolved = resolve_catalog(self._known_catalog, self.settings)
        known = known_entries(resolved, inventory, self.settings)
        names = {str(source.name) for source in inventory.sources} | self.settings.reserved_names
        changes = {"read again or for the first time": names - known.keys(), "removed": resolved.catalog.keys() - names}
        kept = counted(len(known), "stream")
        texts = [f"{change}: {', '.join(sorted(found))}" for change, found in changes.items() if found]
        self.logger.info("%s", "; ".join([f"Discovery: {kept} as in --catalog", *texts]))
        return known

    def _discovered(
        self, sources: Sequence[StreamSource], inventory: BlockInventory
    ) -> dict[StreamName, StreamDefinition]:
        """Return the definitions of streams, by name, as discovery finds them.

        Raises:
            PigmentError: If the key is not accepted, or no block can be read.
        """
        run, settings = self.run_context, self.settings
        known = {name: KnownColumns(bookmark.types, bookmark.names) for name, bookmark in self._given_bookmarks.items()}
        run.client.report_long_wait("Discovery", len(sources) * (2 if settings.column_titles else 1))
        with run.discovering(), run.report.discovering(len(sources)) as progress, self._showing_progress():
            definitions, failures = discover(
                run.client,
                inventory,
                sources,
                settings,
                self.logger,
                known=known,
                on_read=progress.count_block,
            )
        run.failures.add(failures)
        return definitions

    def _showing_progress(self) -> AbstractContextManager[None]:
        """Return what shows the progress until its block ends: a display on a terminal, or else lines of the log."""
        report = self.run_context.report
        return live_display(report) if is_on_terminal() else report.progress_lines()

    def _made_streams(
        self,
        parts: Iterable[tuple[StreamSource, dict[str, Any], Sequence[str], PigmentError | None]],
        inventory: BlockInventory,
        listed_at: datetime,
    ) -> list[PigmentStream]:
        """Return the streams of exports, each of its source, schema, key and failure, and those of metadata."""
        run = self.run_context
        exports = (
            ExportStream(self, run, source, schema, tuple(key), failure=failure)
            for source, schema, key, failure in parts
        )
        return [*exports, *metadata_streams(self, run, inventory, listed_at)]

    def _warn_of_lost_streams(self, inventory: BlockInventory) -> None:
        """Warn of streams that an earlier run extracted, and that neither Pigment nor the catalog has any more."""
        resolved = self._resolved_catalog
        known = {str(source.name) for source in inventory.sources} | set(resolved.catalog if resolved else ())
        known |= self.settings.reserved_names
        lost = sorted(self._given_bookmarks.keys() - known)
        if lost and not inventory.listing.failures:  # They may be streams of an application that failed.
            self.logger.warning(
                "In the state and no longer extracted: %s. Their rows stay in the target.", ", ".join(lost)
            )

    def run_discovery(self) -> str:
        """Write the catalog to stdout, and return it as JSON."""
        try:
            text = super().run_discovery()
            for stream in self.streams.values():
                if isinstance(stream, PigmentStream):
                    stream.report_discovery()
            return text
        finally:
            self.close()

    def sync_all(self) -> None:  # type: ignore[misc] # Final in the SDK, but only here are all selected streams known.
        """Sync all selected streams, while the exports of the next ones are downloaded."""
        run = self.run_context
        selected = [stream for stream in self.streams.values() if stream.selected]
        try:
            run.failures.raise_if_stopping()
            self._check_before_exports(selected)
            if self.state:
                self.write_message(StateMessage(self.state))
            names = [stream.name for stream in selected]
            requests = sum(stream.requests for stream in selected if isinstance(stream, PigmentStream))
            run.client.report_long_wait("The sync", requests)
            reporting = run.report.running(
                names, failed=run.failures.names, failed_applications=run.failures.application_names
            )
            exported = [stream for stream in selected if isinstance(stream, ExportStream)]
            with reporting, self._showing_progress(), run.failures.collecting(), run.prefetcher.started(exported):
                for stream in selected:
                    stream.sync()
            run.states.write_pending()
            run.failures.raise_if_any(len(selected), self.streams)
            run.stop.exit_if_made()
        except BaseException:
            run.client.cancel()  # Or downloads would go on to their end.
            if not (isinstance(self.message_writer, BlockWriter) and self.message_writer.is_interrupted):
                with suppress(OutputError):  # What ended the run is the error to raise.
                    run.states.write_pending()
            raise
        finally:
            self.logger.info("Exports took at most %s on the disk at once", size_text(run.room.peak_bytes))
            self.close()

    def _check_before_exports(self, selected: Sequence[Stream]) -> None:
        """Check what can be known before the first export, and warn of stream maps that have no effect.

        Raises:
            CatalogError: If no stream is selected.
            SettingsError: If stream maps remove all streams, give two of them the same name, or hide deleted rows.
        """
        if not selected:
            self.run_context.failures.raise_if_any(0, self.streams)
            raise CatalogError(NO_STREAM_SELECTED)
        self._check_emitted_names(selected)
        for name, stream_map in (self.config.get("stream_maps") or {}).items():
            source = stream_map.get("__source__", name) if isinstance(stream_map, dict) else name
            if not any(fnmatchcase(stream, source) for stream in self.streams):
                self.logger.warning("stream_maps.%s has no effect: no extracted stream is named %s", name, source)
            elif self.settings.change_detection is ChangeDetection.ROW and isinstance(stream_map, dict):
                mapped = [stream for stream in selected if fnmatchcase(stream.name, source)]
                self._check_mapped_keys(name, stream_map, mapped)

    @staticmethod
    def _check_mapped_keys(name: str, stream_map: Mapping[str, Any], mapped: Sequence[Stream]) -> None:
        for stream in mapped:
            if not isinstance(stream, ExportStream):
                continue  # The streams of metadata have no deleted rows.
            if problem := key_problem(name, stream_map, stream.primary_keys or (), stream.schema["properties"]):
                raise SettingsError(problem)

    @staticmethod
    def _check_emitted_names(selected: Sequence[Stream]) -> None:
        names = [name for stream in selected if isinstance(stream, PigmentStream) for name in stream.emitted_names]
        if not names:
            raise SettingsError("stream_maps: they remove all selected streams, so nothing is extracted. Correct them.")
        # Names that differ only in case would be one table in many databases.
        counts = Counter(map(str.lower, names))
        if shared := next((name for name in names if counts[name.lower()] > 1), None):
            raise SettingsError(
                f"stream_maps: two streams would be emitted as {shared}; upper and lower case make no difference. Set "
                "__alias__ to another name."
            )

    def run_sync_dry_run(self, *args: Any, **kwargs: Any) -> bool:  # type: ignore[misc] # noqa: ANN401 - the SDK's signature. It is final there, and closes nothing.
        """Emit some records of each stream, for `--test`."""
        try:
            passed = super().run_sync_dry_run(*args, **kwargs)
            self.run_context.failures.raise_if_any(len(self.streams), self.streams)  # Those of discovery.
            return passed
        finally:
            self.close()

    def write_schemas(self) -> None:  # type: ignore[misc] # Final in the SDK, where it closes nothing.
        """Emit the SCHEMA of each stream, for `--test=schema`."""
        failures = self.run_context.failures
        try:
            super().write_schemas()
            failures.add(
                {
                    name: stream.failure
                    for name, stream in self.streams.items()
                    if isinstance(stream, PigmentStream) and stream.failure
                }
            )
            failures.raise_if_any(len(self.streams), self.streams)  # Those of discovery, and of settings.
        finally:
            self.close()

    # The command line

    @plugin_cli
    def cli(cls) -> click.Command:  # noqa: N805 - the SDK's decorator passes the class.
        """The command line, with a log level that exists."""
        warning = use_known_log_level(os.environ, cls._env_var_prefix)
        try:
            with log_config_errors(os.environ):
                command = super().cli
        except SettingsError as error:
            sys.exit(f"{cls.name}: {error}")  # There is no log yet.
        if warning:
            cls.logger.warning("%s", warning)
        return command

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401 - the SDK's own type is private.
        """Return the config of the files that `--config` names, and whether it names the environment.

        Raises:
            SettingsError: If a file cannot be read, or holds no config.
        """
        found = super().cb_config(ctx, param, tuple(source for source in value if source == _ENVIRONMENT))
        found.config = read_config(tuple(path for path in value if path != _ENVIRONMENT))
        return found

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:  # noqa: FBT001 - the SDK's signature.
        """Run `--discover`, with the catalog of `--catalog` if there is one.

        Raises:
            SettingsError: If the file is not a catalog.
        """
        if not (value and ctx.params.get("catalog")):
            super().cb_discover(ctx, param, value)
            return
        text = cli.checked_catalog(ctx.params["catalog"])
        config = ctx.params["config"]
        tap = cls(
            config=config.config,
            parse_env_config=config.parse_env,
            validate_config=True,
            setup_mapper=False,
            known_catalog=json.loads(text.read()) if text else None,
        )
        tap.run_discovery()
        ctx.exit()

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`.

        Raises:
            click.BadParameter: If its value is not one of those in its help; `disabled` is the SDK's default.
        """
        is_given = ctx.get_parameter_source(str(param.name)) is not ParameterSource.DEFAULT
        if is_given and value not in {CliTestOptionValue.All.value, CliTestOptionValue.Schema.value}:
            raise click.BadParameter(f"'{value}' is not one of 'all', 'schema'.", ctx, param)
        super().cb_test(ctx, param, value)

    @classmethod
    def invoke(  # type: ignore[override] # noqa: PLR0913 - the SDK's own signature, and two options of ours.
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,  # noqa: ANN401 - the SDK's own type is private.
        state: IO[bytes] | None = None,
        catalog: IO[bytes] | None = None,
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
                sys.exit(cli.run_check(tap.settings, tap.logger, catalog=catalog, state=state))
            cli.run_snapshots(str(snapshots), tap.settings, state)
            return
        super().invoke(
            about=about,
            about_format=about_format,
            config=config,
            state=cli.checked_state(state),
            catalog=cli.checked_catalog(catalog),
        )

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command line."""
        return cli.pigment_command(super().get_singer_command(), cls.logger)


def _download(stream: Stream) -> ExportFile:
    assert isinstance(stream, ExportStream)  # noqa: S101 - the tap makes no other streams.
    return stream.download()
