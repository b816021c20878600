"""Writes STATE messages: after each stream, and in a run of hundreds of streams less often.

A STATE has the bookmarks of all streams. After each of a thousand streams, that would be a million bookmarks, far more
than small lists have rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_pigment.output.message_writer import FlatStateMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_sdk.singerlib import Message

_FEW_BOOKMARKS = 200
_BOOKMARKS_PER_SECOND = 1_000


class StateWriter:
    """Writes the state of a run.

    With up to 200 bookmarks, it is written after each stream. With more, about a thousand bookmarks are written in a
    second: a stream that ends before the next STATE is due is in that one, or in the last one of the run.

    Args:
        write: Writes a message.
        clock: Returns the time in seconds.
    """

    def __init__(self, write: Callable[[Message], object], *, clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._pending: Mapping[str, Any] | None = None
        self._next_at = 0.0

    def stream_ended(self, state: Mapping[str, Any]) -> None:
        """Write a state that has the bookmark of one more stream, now or later.

        Args:
            state: The state, which later streams go on changing.
        """
        self._pending = state
        self.write_if_due()

    def write_if_due(self) -> None:
        """Write the state that waits, if enough time has passed since the last one."""
        if self._pending is None:
            return
        bookmarks = len(self._pending["bookmarks"])
        if bookmarks <= _FEW_BOOKMARKS or self._clock() >= self._next_at:
            self.write_pending()
            self._next_at = self._clock() + bookmarks / _BOOKMARKS_PER_SECOND

    def write_pending(self) -> None:
        """Write the state that waits, if there is one: the last one of a run."""
        if self._pending is not None:
            state, self._pending = self._pending, None
            self._write(FlatStateMessage(dict(state)))
