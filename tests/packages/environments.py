"""Clean environments with the wheel, and its commands run in them with the sources out of reach."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.packages.distributions import uv
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.requirements import Requirement

    from tests.packages.distributions import Distributions

SECONDS = 120
# The options of uv for each choice of versions. The last one takes pre-releases too, of singer-sdk also those beyond
# the upper bound.
RESOLUTIONS: Mapping[str, tuple[str, ...]] = {
    "highest": (),
    "lowest-direct": ("--resolution", "lowest-direct"),
    "sdk-prerelease": ("--prerelease", "allow", "--override", "-"),
}
OVERRIDE = "singer-sdk"
# Variables that would lead to the sources or to another environment.
UNSET = {"PYTHONPATH", "PYTHONHOME", "UV", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"}


def clean_variables() -> dict[str, str]:
    """Return the environment variables without those of the tap and of this environment."""
    return {name: value for name, value in environment().items() if name not in UNSET}


@dataclass(frozen=True)
class Environment:
    """A virtual environment in a folder."""

    folder: Path

    @property
    def scripts(self) -> Path:
        """The folder of its commands."""
        return self.folder / "bin"

    def run(self, command: str, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands in a folder outside the sources; PATH does not lead to it."""
        return subprocess.run(
            [self.scripts / command, *arguments],
            cwd=cwd,
            env={**clean_variables(), "PATH": os.defpath, "NO_COLOR": "1", **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def packages(self) -> set[str]:
        """Return the names of the installed packages."""
        return {path.name.partition("-")[0].lower() for path in self.folder.glob("lib/*/site-packages/*.dist-info")}


def install(distributions: Distributions, folder: Path, resolution: str, *extras: str) -> Environment:
    """Install the wheel with some of its extras into a new environment."""
    environment = Environment(folder / "environment")
    requirements = [
        f"tap-pigment[{','.join(extras)}] @ {distributions.wheel.as_uri()}",
        # uv takes the lowest version only of what it is given itself.
        *map(str, _direct_requirements(distributions, extras)),
    ]
    given = folder / "requirements.txt"
    given.write_text("\n".join(requirements), encoding="utf-8")
    _run_uv("venv", "--python", sys.executable, environment.folder)
    options = RESOLUTIONS[resolution]
    _run_uv("pip", "install", "--python", environment.folder, *options, "--requirement", given, stdin=OVERRIDE)
    return environment


def _direct_requirements(distributions: Distributions, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """Yield what the wheel requires here with these extras, without markers."""
    for requirement in distributions.metadata().requires_dist or ():
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            yield requirement


def _run_uv(*arguments: str | Path, stdin: str = "") -> None:
    subprocess.run([uv(), *arguments[:1], "--quiet", *arguments[1:]], input=stdin, text=True, check=True)
