"""Commands that must succeed, and the files of the repository."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).parents[2]


def output_of(command: Sequence[str | Path], *, folder: Path, variables: Mapping[str, str], seconds: float) -> str:
    """Run a command in a folder, with these environment variables and no others, and return its stdout."""
    ended = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def repository_files() -> set[str]:
    """Return the names of all files of the repository, committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - whichever git is on the PATH.
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in listed.stdout.split("\0")[:-1] if (REPOSITORY / name).exists()}
