"""Decides what leaves of an export: all of it, what has changed, or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.bookmark import Bookmark
from tap_pigment.delivery import Delivery
from tap_pigment.digest import digest
from tap_pigment.export import Export
from tap_pigment.guard import UNGUARDED_PERCENT, check_shrinkage, may_activate
from tap_pigment.makeup import digest_of
from tap_pigment.outlet import Outlet
from tap_pigment.rowwise import RowComparison
from tap_pigment.schema import ChangeDetection
from tap_pigment.snapshots import SnapshotStore

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Sequence

    from tap_pigment.columns import Column
    from tap_pigment.makeup import Makeup
    from tap_pigment.settings import Settings
    from tap_pigment.spool import Spool

_BODY_CHARACTERS = 32


@dataclass(frozen=True)
class Dispatch:
    """One run of a stream.

    Attributes:
        name: The stream's name.
        columns: The columns that are emitted.
        key: Names of the key's columns, or `KEYLESS`.
        makeup: What the records are made of.
        settings: The settings.
        former: What the state knows of the last run; None for nothing.
        tap_version: The tap's version: another one looks at every export anew.
        logger: Where it is told what does not leave, and why all does.
    """

    name: str
    columns: Sequence[Column]
    key: Sequence[str]
    makeup: Makeup
    settings: Settings
    former: Bookmark | None
    tap_version: str
    logger: logging.Logger

    @contextmanager
    def delivery(self, spool: Spool) -> Iterator[Delivery]:
        """Give what leaves of an export, once it has been checked.

        Raises:
            PigmentError: If the export is not as it should be, or too much of it is gone.
        """
        body = self._body(spool)
        if body and self.former and self.former.body == body and self._is_settled(self.former):
            # What has been checked once needs no second look.
            self.logger.info("Unchanged since the last run, to the byte: no record is sent.")
            yield Delivery(spool.received_at, self.former)
            return
        with Export(self.name, spool) as export:
            if self.settings.change_detection is ChangeDetection.ROW:
                yield RowComparison(self, export).delivery(body)
                return
            export.check(self.columns, self.key)
            if self.settings.change_detection is ChangeDetection.STREAM:
                yield self._all_rows_or_none(export, body)
            else:
                yield self._all_rows(export, Bookmark(export.rows))

    def _body(self, spool: Spool) -> str | None:
        """Return what the same bytes, of which the same records are made, have in common; None if nobody asks."""
        if self.settings.change_detection is ChangeDetection.NONE:
            return None
        seen = [self.tap_version, self.settings.change_detection, self._activates, self.makeup.digest, spool.digest]
        return digest_of(seen)[:_BODY_CHARACTERS]

    @property
    def _activates(self) -> bool:
        """Whether versions are activated: what has left without that may have left rows behind that are gone."""
        return self.settings.emit_activate_version_messages

    def _is_settled(self, former: Bookmark) -> bool:
        """Return whether no later run, whose state has not come back, is known to have sent other rows since."""
        if self.settings.change_detection is not ChangeDetection.ROW:
            return True
        return SnapshotStore(self.settings.snapshot_uri).names(self.name)[-1:] == [former.snapshot]

    def _all_rows_or_none(self, export: Export, body: str | None) -> Delivery:
        found = digest_of([digest(export, self.columns, self.makeup), self._activates])
        bookmark = Bookmark(export.rows, digest=found, body=body)
        if self.former and self.former.digest == found:
            self.logger.info("Unchanged since the last run, all %d rows: no record is sent.", export.rows)
            return Delivery(export.spool.received_at, bookmark)
        return self._all_rows(export, bookmark)

    def _all_rows(self, export: Export, bookmark: Bookmark) -> Delivery:
        outlet = Outlet(export, self.columns, self.key)
        activates = self._activates and self._may_activate(export.rows)
        if self._activates and not activates:
            bookmark = Bookmark(export.rows)  # What was not activated is not to be taken for unchanged.
        return Delivery(export.spool.received_at, bookmark, outlet, activates=activates)

    def _may_activate(self, rows: int) -> bool:
        before = self.former.rows if self.former else None
        percent = self.settings.max_shrink_percent
        check_shrinkage(self.name, gone=(before or 0) - rows, before=before, max_percent=percent)
        if before is None and not rows:
            self.logger.warning(
                "The export is empty and the state knows no row count: no ACTIVATE_VERSION is sent, and nothing is "
                "deleted downstream. If that is what you want, run once with max_shrink_percent: %d.",
                UNGUARDED_PERCENT,
            )
        return may_activate(rows=rows, max_percent=percent)
