"""Commands on a disk of a limited size."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def on_small_disk(script: str, folder: str, *, megabytes: int) -> list[str]:
    """Return the command that runs a shell script with a small disk mounted on a folder; skip the test without one."""
    limited = [shutil.which("unshare") or "", "-Urm", "sh", "-c"]
    mount = f"mount -t tmpfs -o size={megabytes}m none"
    if not limited[0] or subprocess.run([*limited, f"{mount} /mnt"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets the user mount no filesystem of a limited size")
    return [*limited, f"{mount} {folder} && {script}"]
