"""What has failed in a run: kept for its end, so that the other streams are finished first."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError

from tap_pigment.errors import PigmentError, StreamMapError, StreamsFailedError
from tap_pigment.schema import OnStreamError

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

STREAM_ERRORS = (PigmentError, MapExpressionError, StreamMapConfigError)
"""What ends a stream and can be mended by the user. Anything else is a bug, and ends the run."""


def said(error: Exception) -> str:
    """Return the message of such an error."""
    return str(error) if isinstance(error, PigmentError) else f"stream_maps: {error}"


@contextmanager
def map_errors(stream_name: str, *, is_gone: bool) -> Iterator[None]:
    """Turn what the user's maps raise on a record, which may be anything, into an error of the stream.

    Args:
        stream_name: The stream's name, to begin the message with.
        is_gone: Whether the record is of a row that is gone.

    Raises:
        StreamMapError: If they raise something.
    """
    try:
        yield
    except Exception as error:
        # Errors other than the SDK's may quote the cells.
        problem = str(error).rstrip(".") if isinstance(error, MapExpressionError) else type(error).__name__
        row, hint = (" of a row that is gone", "All but the key of such a row is null. ") if is_gone else ("", "")
        raise StreamMapError(
            f"{stream_name}: stream_maps fail on a record{row}: {problem}. {hint}Let the expressions stand a null, as "
            "in `Name and Name.upper()`."
        ) from error


class Outcome:
    """The failures of one run.

    Args:
        on_error: What happens to the other streams when one has failed.
        logger: Where a failure is told as it happens.
    """

    def __init__(self, on_error: OnStreamError, logger: logging.Logger) -> None:
        self._on_error = on_error
        self._logger = logger
        self._failures: dict[str, Exception] = {}

    def add(self, failures: Mapping[str, Exception]) -> None:
        """Add what has failed before the run, by the names of the streams."""
        self._failures.update(failures)

    @contextmanager
    def kept(self, stream_name: str) -> Iterator[None]:
        """Keep what ends a stream for the end of the run, unless that is to be stopped."""
        try:
            yield
        except STREAM_ERRORS as error:
            self._failures[stream_name] = error
            self.stop_if_asked_to()
            self._logger.warning("%s failed; the run goes on to its end, and then fails. %s", stream_name, said(error))

    def stop_if_asked_to(self) -> None:
        """Raise the first failure, if the others are not to be finished first."""
        if self._failures and self._on_error is OnStreamError.STOP:
            raise next(iter(self._failures.values()))

    def fail_if_streams_did(self, selected: int, found: Mapping[str, object]) -> None:
        """Fail after the last stream if one has failed.

        Args:
            selected: How many streams there were to sync.
            found: The streams by name; those that failed and are not among them could not even be discovered.

        Raises:
            StreamsFailedError: If one has failed.
        """
        if self._failures:
            left_out = self._failures.keys() - found.keys()
            messages = {name: said(error) for name, error in self._failures.items()}
            raise StreamsFailedError(messages, selected + len(left_out))
