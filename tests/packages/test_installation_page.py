"""The commands of docs/installation.md, as a reader types them, in an empty home folder.

Where the page takes `tap-pigment` from the package index, they find the packages under test.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.packages.container_engine import read_image
from tests.packages.distributions import uv
from tests.packages.dockerfile import context_files
from tests.packages.environments import clean_variables
from tests.support.commands import output_of
from tests.support.doc_pages import PAGES, code_blocks, section
from tests.targets.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.packages.conftest import ServeDemo
    from tests.packages.distributions import Distributions
    from tests.packages.dockerfile import Image

PAGE = PAGES["docs/installation.md"]
COMMANDS = Path(sys.executable).parent
SECONDS = 300


def shell(title: str) -> list[str]:
    """Return the shell blocks of a section."""
    return code_blocks(section(PAGE, title), "shell")


class Reader:
    """Somebody with uv, pipx, Meltano and `docker`, and an empty home folder.

    Attributes:
        folder: The folder in which commands run.
    """

    def __init__(self, home: Path, distributions: Distributions) -> None:
        self.folder = home / "work"
        self.folder.mkdir(parents=True)
        self.images = home / "images"
        self.commands = home / "commands"
        self.commands.mkdir()
        self._variables = clean_variables() | {
            "HOME": str(home),
            "PATH": os.pathsep.join([f"{home}/.local/bin", str(self.commands), str(uv().parent), os.defpath]),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
            "UV_FIND_LINKS": str(distributions.folder),
            "PIP_FIND_LINKS": f"{distributions.folder} {os.environ.get('PIP_FIND_LINKS', '')}",
            "UV_PYTHON": sys.executable,
            "PIPX_DEFAULT_PYTHON": sys.executable,
            "NO_COLOR": "1",
        }
        (self.commands / "meltano").symlink_to(COMMANDS / "meltano")
        self._write_command("docker", [sys.executable, "-m", "tests.packages.container_engine", str(self.images)])

    def _write_command(self, name: str, command: list[str]) -> None:
        path = self.commands / name
        path.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)

    def run(self, commands: str, **variables: str) -> str:
        """Run shell commands, all of which must succeed, and return their stdout."""
        return output_of(
            ["/bin/sh", "-e", "-c", commands],
            folder=self.folder,
            variables=self._variables | variables,
            seconds=SECONDS,
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, distributions: Distributions) -> Reader:
    """Return a reader, who has installed pipx with uv."""
    reader = Reader(tmp_path_factory.mktemp("home"), distributions)
    reader.run("uv tool install --quiet pipx", UV_TOOL_BIN_DIR=str(reader.commands))
    return reader


@pytest.fixture
def version(distributions: Distributions) -> str:
    return f"tap-pigment v{distributions.metadata().version}"


def streams(output: str) -> list[str]:
    """Return the stream of each record."""
    messages = [json.loads(line) for line in output.splitlines()]
    return [message["stream"] for message in messages if message["type"] == "RECORD"]


def test_every_command_of_the_page_is_in_a_section_that_is_run() -> None:
    sections = ("See rows first", "Install", "Extras", "Meltano", "Upgrade", "Container")

    assert code_blocks(PAGE, "shell") == [block for title in sections for block in shell(title)]


@pytest.mark.parametrize("command", shell("See rows first"), ids=lambda command: command.partition(" ")[0])
def test_rows_are_shown_by_one_command(reader: Reader, command: str) -> None:
    shown = streams(reader.run(command))

    assert shown.count("gl_transactions") == 20
    assert shown.count("countries") == 9
    assert list(reader.folder.iterdir()) == []


@pytest.mark.parametrize("tool", ["uv", "pipx"])
def test_tap_is_installed_extended_and_upgraded(reader: Reader, version: str, tool: str) -> None:
    install, extend, upgrade = (
        next(block for block in shell(title) if block.startswith(tool)) for title in ("Install", "Extras", "Upgrade")
    )
    installed = reader.run(install)
    reader.run(extend)
    extended = extra_packages(reader)

    reader.run(upgrade)

    assert version in installed
    assert extended == {"uv": {"s3fs"}, "pipx": {"gcsfs"}}[tool]
    assert extra_packages(reader) == extended
    reader.run({"uv": "uv tool uninstall tap-pigment", "pipx": "pipx uninstall tap-pigment"}[tool])


def extra_packages(reader: Reader) -> set[str]:
    """Return which packages of the stores are installed with the command on the PATH."""
    environment = Path(reader.run("command -v tap-pigment").strip()).resolve().parents[1]
    names = {path.name.partition("-")[0] for path in environment.glob("lib/*/site-packages/*.dist-info")}
    return names & {"gcsfs", "s3fs"}


def test_meltano_installs_and_upgrades_the_tap(reader: Reader, version: str, tmp_path: Path) -> None:
    [block] = code_blocks(section(PAGE, "Meltano"), "yaml")
    [ours] = yaml.safe_load(block)["plugins"]["extractors"]
    project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    project["plugins"]["extractors"][0] |= ours
    reader.folder = tmp_path
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")

    invoked = reader.run("\n".join([*shell("Meltano"), shell("Upgrade")[-1], shell("Meltano")[-1].splitlines()[-1]]))

    assert invoked.count(version) == 2
    assert list(tmp_path.glob(".meltano/extractors/tap-pigment/venv/lib/*/site-packages/s3fs"))


# The container


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, distributions: Distributions) -> Path:
    """Return a folder with the files of the repository, from the sdist."""
    folder = tmp_path_factory.mktemp("clone")
    with tarfile.open(distributions.sdist) as archive:
        archive.extractall(folder, filter="data")
    [clone] = folder.iterdir()
    return clone


@pytest.fixture(scope="module")
def image(reader: Reader, clone: Path) -> Image:
    """Return the image that the first block builds."""
    reader.folder = clone
    reader.run(shell("Container")[0])
    return read_image(reader.images / "tap-pigment")


def test_dockerfile_has_no_findings() -> None:
    linted = subprocess.run([COMMANDS / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (linted.returncode, linted.stdout) == (0, "")


def test_image_is_built_from_the_wheel_on_a_pinned_base_for_another_user_than_root(image: Image, clone: Path) -> None:
    context = {path.relative_to(clone).as_posix() for path in context_files(clone)}

    [wheel] = (clone / "dist").glob("*.whl")
    assert context == {"pyproject.toml", "uv.lock", f"dist/{wheel.name}"}
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image.base)
    assert image.user == "10001:10001"
    assert image.owners == {"/spool": image.user}


def test_container_runs_the_tap_and_writes_to_the_spool_only(
    image: Image, reader: Reader, clone: Path, serve_demo: ServeDemo
) -> None:
    _, check_and_discover, sync = shell("Container")
    settings = {f"TAP_PIGMENT_{name.upper()}": value for name, value in serve_demo(1).config.items()}
    (clone / "pigment.env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    reader.folder = clone
    before = tree(image.root)

    checked = reader.run(check_and_discover)
    reader.run(sync)

    assert f"ok   spool_dir: {image.path('/spool')} can be used." in checked
    assert streams((clone / "messages.jsonl").read_text()).count("countries") == 9
    assert tree(image.root) == before


def tree(folder: Path) -> set[Path]:
    """Return the files and folders below the root of an image, without those that are mounted."""
    return {path for path in folder.rglob("*") if path != folder / "work"}


def test_image_has_the_versions_of_the_lock_and_the_extras_of_stores(image: Image, clone: Path) -> None:
    locked = locked_versions(clone)
    installed = dict(
        path.name.removesuffix(".dist-info").rsplit("-", 1)
        for path in image.root.glob("opt/tap-pigment/lib/*/site-packages/*.dist-info")
    )
    del installed["tap_pigment"]
    assert installed.items() <= locked.items()
    assert {"gcsfs", "s3fs", "singer_sdk"} <= installed.keys()
    assert installed.keys() & {"hypercorn", "pip", "pytest", "starlette", "uv"} == set()


def locked_versions(clone: Path) -> Mapping[str, Any]:
    """Return the version of each package in uv.lock, by the name that an installed one has."""
    locked = tomllib.loads((clone / "uv.lock").read_text(encoding="utf-8"))
    return {re.sub(r"[-.]", "_", package["name"]): package.get("version") for package in locked["package"]}
