"""The failures of a run: collected until its end, so that the other streams finish first."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError

from tap_pigment.errors import OutputError, PigmentError, StreamMapError, StreamsFailedError
from tap_pigment.redaction import printable
from tap_pigment.settings import OnStreamError

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

STREAM_ERRORS = (PigmentError, MapExpressionError, StreamMapConfigError)
"""The errors that end a stream and are reported in one line. Every other error is a bug, and ends the run."""


def error_message(error: Exception) -> str:
    """Return the message of one of `STREAM_ERRORS`."""
    return str(error) if isinstance(error, PigmentError) else printable(f"stream_maps: {error}")


@contextmanager
def map_errors(stream_name: str, *, is_deleted: bool) -> Iterator[None]:
    """Turn what the user's stream maps raise on a record, which may be anything, into an error of the stream.

    Args:
        stream_name: The stream's name; the message starts with it.
        is_deleted: Whether the record is one of a deleted row.

    Raises:
        StreamMapError: If they raise an error.
    """
    try:
        yield
    except Exception as error:
        # Errors other than the SDK's may quote cells.
        problem = str(error).rstrip(".") if isinstance(error, MapExpressionError) else type(error).__name__
        row, hint = (" of a deleted row", "Only its key is set. ") if is_deleted else ("", "")
        raise StreamMapError(
            f"{stream_name}: stream_maps fail on a record{row}: {problem}. {hint}Make the expressions handle null, as "
            "in `Name and Name.upper()`."
        ) from error


class StreamFailures:
    """The failures of one run.

    Args:
        on_error: What happens to the other streams when one fails.
        logger: Reports each failure when it happens.
    """

    def __init__(self, on_error: OnStreamError, logger: logging.Logger) -> None:
        self._on_error = on_error
        self._logger = logger
        self._failures: dict[str, Exception] = {}
        self._application_failures: dict[str, Exception] = {}
        self._is_collecting = False

    def add(self, failures: Mapping[str, Exception]) -> None:
        """Add the failures of discovery, by stream name."""
        self._failures.update(failures)

    def add_applications(self, failures: Mapping[str, Exception]) -> None:
        """Add the errors of applications that cannot be listed, by their name, and warn of them."""
        self._application_failures.update(failures)
        for error in failures.values():
            self._logger.warning("%s None of the application's streams is extracted.", error)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the streams that failed."""
        return tuple(self._failures)

    @property
    def application_names(self) -> tuple[str, ...]:
        """The names of the applications that cannot be listed."""
        return tuple(self._application_failures)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect failures until the block ends; outside of it, they are raised."""
        self._is_collecting = True
        try:
            yield
        finally:
            self._is_collecting = False

    @contextmanager
    def of_stream(self, stream_name: str) -> Iterator[None]:
        """Collect the error that ends a stream, or raise it if the run is to stop."""
        try:
            yield
        except OutputError:
            raise  # No other stream can be emitted either.
        except STREAM_ERRORS as error:
            if not self._is_collecting:
                raise
            self._failures[stream_name] = error
            self.raise_if_stopping()
            message = error_message(error).removeprefix(f"{printable(stream_name)}: ")
            self._logger.warning(
                "%s: failed; the other streams go on, and then the run fails. %s", stream_name, message
            )

    def raise_if_stopping(self) -> None:
        """Raise the first failure, if the other streams are not to be finished first."""
        failures = [*self._application_failures.values(), *self._failures.values()]
        if failures and self._on_error is OnStreamError.STOP:
            raise failures[0]

    def raise_if_any(self, selected: int, found: Mapping[str, object]) -> None:
        """Fail the run after its last stream if a stream failed, or an application.

        Args:
            selected: How many streams there were to sync.
            found: The streams by name; a failure that is not among them is one of discovery.

        Raises:
            StreamsFailedError: If one failed.
        """
        if self._failures or self._application_failures:
            undiscovered = self._failures.keys() - found.keys()
            messages = {name: error_message(error) for name, error in self._failures.items()}
            applications = {
                f"application {name}": error_message(error) for name, error in self._application_failures.items()
            }
            raise StreamsFailedError(messages, selected + len(undiscovered), applications)
