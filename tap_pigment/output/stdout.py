"""Standard output for one command: what fails there is one error, and nothing waits to be written when Python exits."""

from __future__ import annotations

import errno
import io
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_pigment.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Stdout(io.FileIO):
    """Standard output without a buffer: the rest of one would fail once more when Python exits."""

    def write(self, content: bytes | memoryview, /) -> int:  # type: ignore[override] # Only bytes are written.
        """Write all bytes.

        Raises:
            OutputError: If they cannot be written.
        """
        rest = memoryview(content)
        while rest:
            try:
                written = super().write(rest)
            except OSError as error:
                raise output_error(error) from None
            if written is None:  # Another program made the pipe non-blocking, and it is full.
                select.select([], [self], [])
            rest = rest[written or 0 :]
        return len(content)


@contextmanager
def checked_stdout() -> Iterator[None]:
    """Let everything that is written to `sys.stdout` raise an `OutputError` where it fails, until the block ends.

    Raises:
        OutputError: If it is closed already.
    """
    stdout = sys.stdout
    if stdout is None:
        raise output_error(OSError(errno.EBADF, "closed"))
    is_pythons = stdout is sys.__stdout__
    if not is_pythons or stdout.isatty():  # Tests replace it; Windows writes to terminals in another way.
        yield
        return
    raw = _Stdout(stdout.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(raw, stdout.encoding, stdout.errors, write_through=True)
    try:
        yield
    finally:
        sys.stdout = stdout


def output_error(error: OSError) -> OutputError:
    """Return the error for an `OSError` of standard output."""
    match error.errno:
        case errno.EPIPE:
            return OutputError("stdout: the target closed the pipe. Look at the target's own messages, and run again.")
        case errno.ENOSPC | errno.EDQUOT:
            return OutputError("stdout: the disk is full. Make room, or write the output to another disk.")
        case errno.EBADF:
            return OutputError("stdout: it is closed. Connect it to a target, a pipe or a file.")
    return OutputError(f"stdout: cannot write: {error.strerror}. Check the file or device to which it is redirected.")
