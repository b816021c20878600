"""The conditions of a benchmark: processor, memory, versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_DISTRIBUTIONS = ("singer-sdk", "duckdb", "dlt", "pyarrow")


def machine() -> str:
    """Return processor, cores, memory and system, as one line."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{_processor()}, {os.cpu_count()} cores, {memory_bytes / 2**30:.0f} GiB, {platform.system()}"


def versions() -> str:
    """Return the versions of the tap, of Python and of the installed libraries in use, as one line."""
    libraries = (f"{name} {_version(name)}" for name in _DISTRIBUTIONS)
    return ", ".join([f"tap-pigment {_commit()}", f"Python {platform.python_version()}", *libraries])


def _version(distribution: str) -> str:
    """Return a distribution's version; only the dependency group `bench` installs all of them."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Return the commit that is checked out: the version of an editable install is that of its installation."""
    describe = ("git", "describe", "--tags", "--always", "--dirty")
    return subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip() or version(
        "tap-pigment"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # Linux only; platform.processor() is empty there.
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return found[1] if found else platform.processor() or platform.machine()
