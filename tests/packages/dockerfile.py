"""The steps of a Dockerfile, run in a plain folder: absolute paths of the image become paths below that folder.

The base image is the Python that runs the tests. A step that is not known here is an error.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import string
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.packages.environments import clean_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The folders at the top of the image that a step may name.
IMAGE_PATH = re.compile(r"(?<![\w./])/(?=(?:build|opt|spool)\b)")
SECONDS = 300


@dataclass
class Image:
    """What a Dockerfile makes.

    Attributes:
        root: The folder that stands for the root of the file system.
        base: The name of the base image.
        variables: The environment variables.
        user: The user who runs the entry point.
        volumes: The folders that can be written.
        entrypoint: The command.
        owners: Who owns a copied path, where it is not root.
    """

    root: Path
    base: str
    variables: dict[str, str]
    user: str = "root"
    workdir: str = "/"
    volumes: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return where a path of the image is."""
        return self.root / os.path.join(self.workdir, name).lstrip("/")  # noqa: PTH118 - a later absolute path wins.


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the arguments of each instruction of a Dockerfile."""
    without_comments = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", without_comments).splitlines():
        if line.strip():
            name, _, arguments = line.partition(" ")
            yield name, arguments.strip()


def context_files(context: Path) -> set[Path]:
    """Return the files of a folder that .dockerignore, a list of exceptions from `*`, leaves to the build."""
    first, *exceptions = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert first == "*"
    assert all(line.startswith("!") for line in exceptions)
    return {path for line in exceptions for path in context.glob(line[1:])}


class Build:
    """The build of an image from a folder with a Dockerfile."""

    def __init__(self, context: Path, root: Path) -> None:
        self._context = context
        self._root = root
        self._stages: dict[str, Path] = {}
        self._stage_name = ""
        self._arguments: dict[str, str] = {}
        self._image: Image | None = None

    def run(self) -> Image:
        """Run all steps."""
        for name, arguments in instructions((self._context / "Dockerfile").read_text(encoding="utf-8")):
            getattr(self, f"_step_{name.lower()}")(arguments)
        return self._now

    @property
    def _now(self) -> Image:
        assert self._image, "The Dockerfile has no FROM before this step."
        return self._image

    def _expanded(self, text: str, values: dict[str, str]) -> str:
        """Return a text with its variables replaced, and with the paths of the image below the folder."""
        return IMAGE_PATH.sub(f"{self._root}/", string.Template(text).substitute(values))

    def _step_arg(self, arguments: str) -> None:
        name, _, value = arguments.partition("=")
        self._arguments[name] = value

    def _step_from(self, arguments: str) -> None:
        if self._image:
            # Every stage has the same root while it is built: the scripts of a copied environment name their paths.
            self._stages[self._stage_name] = self._root.with_name(f"{self._root.name}-{self._stage_name}")
            self._root.rename(self._stages[self._stage_name])
        self._root.mkdir()
        base, _, self._stage_name = string.Template(arguments).substitute(self._arguments).partition(" AS ")
        commands = self._root / "usr" / "bin"
        commands.mkdir(parents=True)
        for name in ("python", "python3"):
            (commands / name).symlink_to(Path(sys.executable).resolve())
        self._image = Image(self._root, base, {"PATH": f"{commands}:{os.defpath}", "HOME": str(self._root)})

    def _step_workdir(self, arguments: str) -> None:
        self._now.workdir = arguments
        self._now.path(arguments).mkdir(parents=True, exist_ok=True)

    def _step_run(self, arguments: str) -> None:
        variables = {**clean_variables(), **self._now.variables}
        command = IMAGE_PATH.sub(f"{self._root}/", arguments)
        subprocess.run(["/bin/sh", "-c", command], cwd=self._now.path("."), env=variables, check=True, timeout=SECONDS)

    def _step_copy(self, arguments: str) -> None:
        words = shlex.split(arguments)
        options = dict(word[2:].split("=") for word in words if word.startswith("--"))
        *sources, name = [word for word in words if not word.startswith("--")]
        target = self._now.path(name)
        if "from" in options:
            [source] = sources
            shutil.copytree(self._stages[options["from"]] / source.lstrip("/"), target, symlinks=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            for path in self._from_context(sources):
                shutil.copy2(path, target)
        if "chown" in options:
            self._now.owners[name] = options["chown"]

    def _from_context(self, patterns: Iterable[str]) -> Iterator[Path]:
        for pattern in patterns:
            found = sorted(context_files(self._context) & set(self._context.glob(pattern)))
            assert found, f"COPY {pattern}: no file of the build context has this name."
            yield from found

    def _step_env(self, arguments: str) -> None:
        settings = [word.partition("=") for word in shlex.split(arguments)]
        self._now.variables |= {name: self._expanded(value, self._now.variables) for name, _, value in settings}

    def _step_user(self, arguments: str) -> None:
        self._now.user = arguments

    def _step_volume(self, arguments: str) -> None:
        self._now.volumes += json.loads(arguments)

    def _step_entrypoint(self, arguments: str) -> None:
        self._now.entrypoint = json.loads(arguments)
