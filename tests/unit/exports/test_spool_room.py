"""The room of exports on the disk: any for the stream that is synced, a limit for those ahead of it together."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tap_pigment.exports import PostponedError, SpoolDirectory, SpoolRoom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEGABYTE = 1_000_000


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolDirectory]:
    """Return a spool directory."""
    directory = SpoolDirectory(tmp_path)
    yield directory
    directory.close()


@pytest.fixture
def room(spool: SpoolDirectory) -> SpoolRoom:
    """Return room for 10 MB of exports ahead."""
    return SpoolRoom(spool, 10)


def test_exports_ahead_may_fill_the_limit_together_and_no_more(room: SpoolRoom) -> None:
    room.hold("a", 6 * MEGABYTE)
    room.hold("b", 4 * MEGABYTE)

    with pytest.raises(PostponedError):
        room.hold("c", 1)


def test_a_postponed_export_gives_its_room_to_the_others(room: SpoolRoom) -> None:
    room.hold("a", 6 * MEGABYTE)
    with pytest.raises(PostponedError):
        room.hold("b", 5 * MEGABYTE)

    room.hold("a", 10 * MEGABYTE)


def test_the_export_of_the_stream_that_is_synced_takes_no_room_of_the_others(room: SpoolRoom) -> None:
    with room.syncing("a"):
        room.hold("a", 500 * MEGABYTE)
        room.hold("b", 10 * MEGABYTE)

    room.hold("c", 0)


def test_room_is_free_again_once_its_stream_is_synced_or_its_export_deleted(room: SpoolRoom) -> None:
    room.hold("a", 5 * MEGABYTE)
    room.hold("b", 5 * MEGABYTE)
    with room.syncing("a"):
        pass
    room.release("b")
    room.release("never held")

    room.hold("c", 10 * MEGABYTE)


@pytest.mark.parametrize(("ahead", "may_begin"), [(0, True), (10 * MEGABYTE - 1, True), (10 * MEGABYTE, False)])
def test_no_download_begins_where_the_limit_is_reached(room: SpoolRoom, ahead: int, *, may_begin: bool) -> None:
    room.hold("a", ahead)

    assert room.may_begin("b") == may_begin


def test_the_download_that_is_waited_for_may_always_begin(room: SpoolRoom) -> None:
    room.hold("a", 10 * MEGABYTE)

    with room.syncing("b"):
        assert room.may_begin("b")
        assert not room.may_begin("c")


def test_a_limit_of_nothing_lets_nothing_begin_ahead(spool: SpoolDirectory) -> None:
    room = SpoolRoom(spool, 0)

    assert not room.may_begin("a")
    with room.syncing("a"):
        assert room.may_begin("a")


def test_by_default_the_limit_is_half_of_what_is_free(spool: SpoolDirectory) -> None:
    room = SpoolRoom(spool, None)
    free = shutil.disk_usage(spool.path()).free

    room.hold("a", free // 3)
    with pytest.raises(PostponedError):
        room.hold("b", free // 3)


def test_a_disk_that_cannot_be_looked_at_lets_nothing_begin_ahead(tmp_path: Path) -> None:
    room = SpoolRoom(SpoolDirectory(tmp_path / "missing"), None)

    assert not room.may_begin("a")
    with room.syncing("a"):
        assert room.may_begin("a")


def test_the_peak_counts_all_exports_that_are_there_at_once(room: SpoolRoom) -> None:
    room.hold("a", 3 * MEGABYTE)
    with room.syncing("a"):
        room.hold("b", 4 * MEGABYTE)
    room.hold("c", 1 * MEGABYTE)

    assert room.peak_bytes == 7 * MEGABYTE
