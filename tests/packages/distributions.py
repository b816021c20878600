"""The wheel and the sdist under test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.metadata import Metadata

from tests.targets.environments import ROOT


@dataclass(frozen=True)
class Distributions:
    """A wheel and an sdist, alone in a folder."""

    folder: Path

    @property
    def wheel(self) -> Path:
        """The wheel."""
        return self._only("*.whl")

    @property
    def sdist(self) -> Path:
        """The sdist."""
        return self._only("*.tar.gz")

    def wheel_files(self) -> set[str]:
        """Return the names of the files in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def sdist_files(self) -> set[str]:
        """Return the names of the files in the sdist, below its folder."""
        with tarfile.open(self.sdist) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}

    def metadata(self) -> Metadata:
        """Return the metadata of the wheel, validated."""
        [name] = [name for name in self.wheel_files() if name.endswith(".dist-info/METADATA")]
        with zipfile.ZipFile(self.wheel) as archive:
            return Metadata.from_email(archive.read(name), validate=True)

    def _only(self, pattern: str) -> Path:
        [path] = self.folder.glob(pattern)
        return path


def uv() -> Path:
    """Return the command uv.

    Raises:
        FileNotFoundError: If uv is missing.
    """
    found = os.environ.get("UV") or shutil.which("uv")
    if not found:
        raise FileNotFoundError("uv is needed to build and install packages: set UV, or put it on the PATH.")
    return Path(found)


def build(folder: Path) -> None:
    """Build the sdist, and the wheel from it."""
    subprocess.run([uv(), "build", "--quiet", "--out-dir", folder, ROOT], check=True)
