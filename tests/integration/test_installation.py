"""The command line in an environment in which another plugin has replaced packages of the tap."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# As backoff 1.8.0 to 1.11.1 call their hooks: without the exception.
OLD_BACKOFF = """
def constant(interval=1):
    while True:
        yield interval


expo = fibo = runtime = constant


def on_exception(wait_gen, exception, max_tries=None, on_giveup=None, **others):
    def decorate(function):
        def call(*args, **kwargs):
            try:
                return function(*args, **kwargs)
            except exception:
                if on_giveup:
                    on_giveup({"target": function, "args": args, "kwargs": kwargs, "tries": 1, "elapsed": 0.0})
                raise

        return call

    return decorate
"""
# As in jsonschema 2.6.0, to which singer-python holds its environment.
OLD_JSONSCHEMA = "from . import validators"


def install(folder: Path, package: str, code: str) -> None:
    """Write a package into a folder of packages."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(code)


def register(folder: Path, distribution: str, version: str) -> None:
    """Register a distribution in a folder of packages, as an installer does."""
    metadata = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")


def run_with_packages(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line with packages that come before those of the environment."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "tap_pigment", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_old_backoff_is_an_error_at_start(tmp_path: Path) -> None:
    install(tmp_path, "backoff", OLD_BACKOFF)
    register(tmp_path, "backoff", "1.8.0")

    result = run_with_packages(tmp_path)

    assert result.returncode == 1
    assert result.stderr == (
        "tap-pigment: the package backoff is too old for retries. backoff 1.8.0 in the same environment replaced "
        "packages of the tap. Install each plugin in an environment of its own.\n"
    )


def test_a_package_that_singer_python_replaced_is_an_error_at_start(tmp_path: Path) -> None:
    install(tmp_path, "jsonschema", OLD_JSONSCHEMA)
    (tmp_path / "jsonschema" / "validators.py").touch()
    register(tmp_path, "singer-python", "6.8.0")

    result = run_with_packages(tmp_path)

    assert result.returncode == 1
    assert result.stderr.startswith("tap-pigment: a package cannot be imported (")
    assert result.stderr.endswith(
        "singer-python 6.8.0 in the same environment replaced packages of the tap. Install each plugin in an "
        "environment of its own.\n"
    )
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("distribution", ["singer-python", "backoff"])
def test_a_package_that_replaced_nothing_the_tap_needs_is_accepted(tmp_path: Path, distribution: str) -> None:
    register(tmp_path, distribution, "2.2.1")

    assert run_with_packages(tmp_path).returncode == 0
