"""The error for each failure of stdout; `tests/integration/test_stdout.py` has the command line."""

from __future__ import annotations

import errno
import os

import pytest

from tap_pigment.output.stdout import output_error


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EPIPE, "stdout: the target closed the pipe. Look at the target's own messages, and run again."),
        (errno.ENOSPC, "stdout: the disk is full. Make room, or write the output to another disk."),
        (errno.EDQUOT, "stdout: the disk is full. Make room, or write the output to another disk."),
        (errno.EBADF, "stdout: it is closed. Connect it to a target, a pipe or a file."),
        (
            errno.EFBIG,
            "stdout: cannot write: File too large. Check the file or device to which it is redirected.",
        ),
    ],
)
def test_each_failure_names_its_cause_and_what_to_do(number: int, message: str) -> None:
    assert str(output_error(OSError(number, os.strerror(number)))) == message
