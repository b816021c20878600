"""What all streams of the tap have in common: names, records through stream maps, versions and STATE.

Private names of the SDK in use, seen in singer-sdk 0.54.9: `_generate_record_messages`,
`_write_activate_version_message`, `_stream_version` and `_tap`.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform

from tap_pigment.changes import next_version, read_bookmark
from tap_pigment.columns import DELETED_AT
from tap_pigment.output import with_exact_numbers
from tap_pigment.redaction import PRINTABLE_RECORDS
from tap_pigment.run_report import Stage
from tap_pigment.stream_failures import map_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Record

    from tap_pigment.changes import Bookmark
    from tap_pigment.errors import PigmentError
    from tap_pigment.run_context import RunContext
    from tap_pigment.run_report import StreamProgress


class PigmentStream(Stream):
    """A stream of the tap.

    Args:
        tap: The tap.
        run: What the tap and its streams share.
        name: The stream's name.
        schema: The JSON schema of the records.
        key: The Singer primary key.
        failure: The error that ends the stream when it is synced, such as one in its settings; None if there is none.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # Cells have the types of the schema already.

    def __init__(  # noqa: PLR0913 - the parts of a catalog entry.
        self,
        tap: Tap,
        run: RunContext,
        name: str,
        schema: dict[str, Any],
        key: Sequence[str],
        *,
        failure: PigmentError | None = None,
    ) -> None:
        super().__init__(tap, schema, name)
        self.logger.addFilter(PRINTABLE_RECORDS)
        self._run = run
        self.failure = failure
        self.primary_keys = key

    @property
    def requests(self) -> int:
        """How many requests its sync takes at least."""
        return 0

    @property
    def replication_method(self) -> str:
        """Always FULL_TABLE: what Pigment exports and lists is a full copy, whatever a catalog asks for."""
        return "FULL_TABLE"

    @property
    def emitted_names(self) -> tuple[str, ...]:
        """The names of the streams that are emitted: stream maps may rename a stream, copy it, or remove it."""
        removed = RemoveRecordTransform
        return tuple(stream_map.stream_alias for stream_map in self.stream_maps if not isinstance(stream_map, removed))

    def report_discovery(self) -> None:
        """Report what the user should know of the stream once it is in the catalog."""
        if self.failure:
            self.logger.warning("%s Until then, each sync fails this stream.", self.failure)

    def _write_record(self, record: Record, received_at: datetime) -> int:
        """Write a record through stream maps and flattening, and return how many RECORD messages it became."""
        with self._map_errors(record):
            messages = list(self._generate_record_messages(record))
        for message in messages:
            message.time_extracted = received_at
            message.record = with_exact_numbers(message.record)
            self._tap.write_message(message)
        return len(messages)

    def _count_records(self, written: Iterable[int], progress: StreamProgress) -> None:
        """Write records, and report how many.

        Args:
            written: Writes some messages at each step, and yields how many records they are.
            progress: The progress of the stream.
        """
        with (
            self.get_record_counter() as counter,
            self.get_sync_timer() as timer,
            progress.during(Stage.EMITTING),
        ):
            counter.with_context({})
            counter.log_interval = math.inf  # One metric with the total, and no parts of it before.
            timer.with_context({})
            for records in written:
                counter.increment(records)
                progress.emitted_rows += records
                self._run.stop.exit_if_made()

    def _previous_bookmark(self) -> Bookmark | None:
        """Return the bookmark of the last run, or None if there is none of a known format."""
        # Not `stream_state`, which leaves an entry for a stream that then fails.
        state: dict[str, Any] = self.tap_state.get("bookmarks", {}).get(self.name, {})
        bookmark = read_bookmark(state)
        if state and not bookmark:
            self.logger.warning("%s: ignoring a bookmark of unknown format; sending all rows", self.name)
        return bookmark

    def _new_version(self, previous: Bookmark | None) -> int | None:
        """Return the version of the records, or None if none will ever be activated."""
        if self._run.settings.activates_versions and not self._is_test:
            return next_version(time.time_ns() // 1_000_000, previous)
        return None

    def _write_activation_and_state(self, bookmark: Bookmark, *, activates: bool) -> None:
        """Write ACTIVATE_VERSION if it may follow, and then the one STATE of the stream; both follow the last record.

        Args:
            bookmark: The stream's bookmark, without a version.
            activates: Whether ACTIVATE_VERSION may follow the records.
        """
        if activates and self._stream_version is not None:
            self._write_activate_version_message(self._stream_version)
        bookmarks = self.tap_state.setdefault("bookmarks", {})
        previous = read_bookmark(bookmarks.get(self.name, {}))
        version = self._stream_version if activates else previous.version if previous else None
        bookmarks[self.name] = replace(bookmark, version=version).to_state()
        # Not the SDK's way, which compares and copies the bookmarks of all streams each time.
        self._run.states.stream_ended(self.tap_state)

    @property
    def _is_test(self) -> bool:
        """Whether `--test` limits the number of records."""
        return self.ABORT_AT_RECORD_COUNT is not None

    @cached_property
    def _has_maps(self) -> bool:
        """Whether stream maps may change, drop or multiply records."""
        return [type(stream_map) for stream_map in self.stream_maps] != [SameRecordTransform]

    def _map_errors(self, record: Record) -> AbstractContextManager[None]:
        return map_errors(self.name, is_deleted=record.get(DELETED_AT) is not None) if self._has_maps else nullcontext()
