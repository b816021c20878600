"""A virtual environment for each target, because the dependencies of targets and tap conflict."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements")


def command(target: str) -> Path:
    """Return a target's command, from an environment that is installed at the first use.

    Raises:
        FileNotFoundError: If uv is missing.
        subprocess.CalledProcessError: If the installation fails.
    """
    requirements = REQUIREMENTS / f"{target}.txt"
    python = f"{platform.python_implementation()} {platform.python_version()} {sysconfig.get_platform()}"
    digest = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:12]
    environment = ROOT / ".targets" / f"{target}-{digest}"
    if not environment.exists():
        _install(requirements, environment)
    return _scripts(environment) / target


def _install(requirements: Path, environment: Path) -> None:
    """Make the environment beside its place and move it there, so that no run finds half of one."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        raise FileNotFoundError("uv is needed to install the targets: set UV, or put it on the PATH.")
    environment.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=environment.parent) as folder:
        new = Path(folder) / "new"
        subprocess.run([uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, new], check=True)
        python = _scripts(new) / "python"
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "-r", requirements], check=True)
        try:
            new.rename(environment)
        except OSError:
            if not environment.exists():  # Or another run was faster.
                raise


def _scripts(environment: Path) -> Path:
    return environment / ("Scripts" if sys.platform == "win32" else "bin")
