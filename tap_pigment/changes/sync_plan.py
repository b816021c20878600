"""Plans what a sync emits of an export: all rows, the changed and deleted ones, or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_pigment.changes.bookmark import Bookmark
from tap_pigment.changes.record_spec import digest_of
from tap_pigment.changes.row_plan import RowPlanner
from tap_pigment.changes.shrink_guard import UNGUARDED_PERCENT, check_shrinkage, may_activate
from tap_pigment.changes.stale_rows import keyless_notice, stale_rows_warning
from tap_pigment.changes.stream_run import SyncPlan
from tap_pigment.exports import memory_bytes, sql, validate
from tap_pigment.output import RecordSet, number_identical_rows
from tap_pigment.settings import ChangeDetection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_pigment.changes.stream_run import StreamRun
    from tap_pigment.exports import ExportFile, ValidatedExport

_MEMORY_BYTES_TO_COMPARE = 80 << 20
_HALVES = (1, 17)  # Where the halves of 64 bits begin in the hexadecimal text of a hash.


@contextmanager
def plan_sync(run: StreamRun, file: ExportFile) -> Iterator[SyncPlan]:
    """Validate an export and give the plan; its rows can be read until the block ends.

    Raises:
        PigmentError: If the export is not valid, or has lost too many rows.
    """
    if run.store is not None:
        memory = memory_bytes(file) + _MEMORY_BYTES_TO_COMPARE
        with run.session.for_stream(run.name, memory_bytes=memory) as database:
            yield RowPlanner(run, file, database, run.store).plan()
        return
    if unchanged := run.unchanged_plan(file):
        yield unchanged
        return
    with run.session.for_stream(run.name, memory_bytes=memory_bytes(file)) as database:
        export = validate(file, database, run.columns, run.key)
        check_shrinkage(
            run.name,
            rows=export.table.rows,
            previous_rows=run.previous_rows,
            max_percent=run.settings.max_shrink_percent,
        )
        if run.settings.change_detection is ChangeDetection.STREAM:
            yield _plan_stream(run, export)
        else:
            # Without a key, only the digest shows whether old versions of edited rows stay in the target. It serves a
            # warning, so it need not be that of `stream`, which takes as long as writing the rows.
            is_needed = run.key.is_keyless and not run.settings.activates_versions
            parts = [run.spec.digest, export.table.rows, str(export.hash_sum)]
            digest = digest_of(parts) if is_needed else None
            yield _plan_full(run, export, Bookmark(export.table.rows, digest=digest))


def _plan_stream(run: StreamRun, export: ValidatedExport) -> SyncPlan:
    file, rows = export.table.file, export.table.rows
    digest = _rows_digest(run, export)
    bookmark = Bookmark(rows, digest=digest, body=run.body_digest(file))
    if run.bookmark and run.bookmark.digest == digest:
        run.logger.info("%s: %s rows unchanged since the last run; no records emitted", run.name, f"{rows:,}")
        return SyncPlan(file.received_at, bookmark)
    return _plan_full(run, export, bookmark)


def _rows_digest(run: StreamRun, export: ValidatedExport) -> str:
    """Return a digest of the rows, in any order, and of how messages are made of them."""
    # Sums, so that identical rows do not cancel each other out.
    sums = ", ".join(
        f"coalesce(sum(CAST('0x' || substr(hash, {start}, 16) AS UBIGINT)::HUGEINT), 0)" for start in _HALVES
    )
    hashes = f"SELECT {sql.content_hash(run.columns)} AS hash FROM {export.table.relation}"
    halves = export.table.database.row(f"SELECT {sums} FROM ({hashes})")
    of_rows = digest_of([run.spec.digest, export.table.rows, *map(str, halves)])
    return digest_of([of_rows, run.settings.activates_versions])


def _plan_full(run: StreamRun, export: ValidatedExport, bookmark: Bookmark) -> SyncPlan:
    table = export.table
    activates = run.settings.activates_versions and _may_activate(run, table.rows)
    if run.settings.activates_versions and not activates:
        bookmark = Bookmark(table.rows)  # The next run must not find it unchanged.
    _report_stale_rows(run, bookmark)
    occurrences = None
    if run.key.is_keyless and export.may_repeat:
        occurrences = number_identical_rows(export, run.columns)
    records = RecordSet(table, run.columns, run.key, occurrences)
    return SyncPlan(table.file.received_at, bookmark, records, activates=activates)


def _report_stale_rows(run: StreamRun, bookmark: Bookmark) -> None:
    """Report rows that may stay in the target although they are no longer in Pigment."""
    if run.settings.activates_versions:
        if run.key.is_keyless:
            run.logger.info("%s", keyless_notice(run.name))
        return
    warning = stale_rows_warning(
        run.name,
        rows=bookmark.rows,
        previous_rows=run.previous_rows,
        is_keyless=run.key.is_keyless,
        is_changed=_is_known_to_differ(run.bookmark, bookmark),
        writes_files=run.settings.writes_files,
    )
    if warning:
        run.logger.warning("%s", warning)


def _is_known_to_differ(previous: Bookmark | None, bookmark: Bookmark) -> bool:
    """Return whether the rows differ from those of the last run; only digests of the same mode can be compared."""
    if previous is None or previous.digest is None or (previous.body is None) is not (bookmark.body is None):
        return False
    return previous.digest != bookmark.digest


def _may_activate(run: StreamRun, rows: int) -> bool:
    percent = run.settings.max_shrink_percent
    may = may_activate(rows=rows, max_percent=percent)
    if run.previous_rows is None and not may:
        run.logger.warning(
            "%s: the export is empty, and the number of rows of the last run is unknown. No ACTIVATE_VERSION is "
            "emitted, so nothing is deleted downstream. To delete all rows, run once with max_shrink_percent: %d.",
            run.name,
            UNGUARDED_PERCENT,
        )
    return may
