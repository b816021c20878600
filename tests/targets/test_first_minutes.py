"""The README's commands of the first minutes, as a newcomer runs them: in a new clone, with an empty home folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.targets.environments import ROOT
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from tests.targets.served_sandbox import ServedSandbox

README = (ROOT / "README.md").read_text(encoding="utf-8")
TRY_IT, USE_IT = (README.split(f"\n## {title}\n")[1].partition("\n## ")[0] for title in ("Try it", "Use it"))
SECONDS = 600
# Packages for those who change the tap.
DEVELOPMENT = {"coverage", "flask", "hypothesis", "moto", "mypy", "pytest", "ruff"}


def shell_blocks(section: str) -> list[str]:
    """Return the blocks of shell commands."""
    return re.findall(r"^```shell\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)


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
        ended = subprocess.run(
            ["/bin/sh", "-e", "-c", commands],
            cwd=self.clone,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr + ended.stdout
        return ended.stdout


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    """Return a newcomer whose clone has the files of this working tree, all committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - whichever git is on the PATH.
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    for name in listed.stdout.split("\0")[:-1]:
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    newcomer = Newcomer(clone, home)
    newcomer.run("git init -q . && git add . && git -c user.name=n -c user.email=n@localhost commit -qm All")
    return newcomer


def test_the_first_command_shows_what_landed_and_leaves_the_clone_clean(newcomer: Newcomer) -> None:
    command = shell_blocks(TRY_IT)[0]

    outputs = [newcomer.run(command), newcomer.run(command)]

    for output in outputs:
        _, _, report = output.partition("\nWhat landed where:\n")
        assert re.search(r"^  tap_pigment\.gl_transactions +3,000 rows$", report, flags=re.MULTILINE)
    assert newcomer.run("git status --porcelain") == ""
    installed = {path.name.partition("-")[0] for path in newcomer.clone.glob(".venv/lib/*/site-packages/*.dist-info")}
    assert "meltano" in installed
    assert installed & DEVELOPMENT == set()


def test_tap_and_target_are_installed_and_run_as_the_readme_says(newcomer: Newcomer, demo: ServedSandbox) -> None:
    install_uv = shell_blocks(TRY_IT)[0].partition(" && .uv/bin/uv run")[0]
    (newcomer.clone / "config.json").write_text(json.dumps(demo.config), encoding="utf-8")

    newcomer.run("\n".join([install_uv, *shell_blocks(USE_IT)]))

    [file] = newcomer.clone.glob("countries-*.jsonl")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 9
