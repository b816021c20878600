"""The README's commands of the first minutes, as a newcomer runs them: in a new clone, with an empty home folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import REPOSITORY, output_of, repository_files
from tests.support.doc_pages import PAGES, code_blocks, section
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from tests.targets.served_sandbox import ServedSandbox

TRY_IT, USE_IT = (code_blocks(section(PAGES["README.md"], title), "shell") for title in ("Try it", "Use it"))
SECONDS = 600
# Packages for those who change the tap.
DEVELOPMENT = {"coverage", "flask", "hypothesis", "moto", "mypy", "pytest", "ruff"}


class Newcomer:
    """Somebody with Python, git, an empty home folder and a new clone."""

    def __init__(self, clone: Path, home: Path) -> None:
        self.clone = clone
        own = str(Path(sys.executable).parent)
        kept = {name: value for name, value in environment().items() if name not in {"UV", "VIRTUAL_ENV"}}
        self._environment = kept | {
            "HOME": str(home),
            "PATH": os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != own),
            # What was downloaded before need not be downloaded again.
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
        }

    def run(self, commands: str) -> str:
        """Run shell commands in the clone, all of which must succeed, and return their stdout."""
        command = ["/bin/sh", "-e", "-c", commands]
        return output_of(command, folder=self.clone, variables=self._environment, seconds=SECONDS)


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    """Return a newcomer whose clone has the files of this working tree, all committed."""
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    for name in repository_files():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, clone / name)
    newcomer = Newcomer(clone, home)
    newcomer.run("git init -q . && git add . && git -c user.name=n -c user.email=n@localhost commit -qm All")
    return newcomer


def test_the_first_command_shows_what_landed_and_leaves_the_clone_clean(newcomer: Newcomer) -> None:
    command = TRY_IT[0]

    outputs = [newcomer.run(command), newcomer.run(command)]

    for output in outputs:
        _, _, report = output.partition("\nWhat landed where:\n")
        assert re.search(r"^  tap_pigment\.gl_transactions +3,000 rows$", report, flags=re.MULTILINE)
    assert newcomer.run("git status --porcelain") == ""
    installed = {path.name.partition("-")[0] for path in newcomer.clone.glob(".venv/lib/*/site-packages/*.dist-info")}
    assert "meltano" in installed
    assert installed & DEVELOPMENT == set()


def test_tap_and_target_are_installed_and_run_as_the_readme_says(newcomer: Newcomer, demo: ServedSandbox) -> None:
    install_uv = TRY_IT[0].partition(" && .uv/bin/uv run")[0]
    (newcomer.clone / "config.json").write_text(json.dumps(demo.config), encoding="utf-8")

    newcomer.run("\n".join([install_uv, *USE_IT]))

    [file] = newcomer.clone.glob("countries-*.jsonl")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 9
