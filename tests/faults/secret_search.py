"""Runs the tap in a process and a home of its own, and searches everything that it writes for secrets meanwhile."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_SECONDS = 120
_PAUSE_SECONDS = 0.02
_CONTEXT_BYTES = 200
_GZIP = b"\x1f\x8b"
# How many characters of a text in base64 depend on the bytes before it, by their number, and on those after it.
_LEADING = (0, 2, 3)
_TRAILING = 4


def forms(secret: str) -> set[bytes]:
    """Return the forms in which a secret may be written."""
    in_base64 = {
        base64.b64encode(b"x" * offset + secret.encode())[_LEADING[offset] : -_TRAILING] for offset in range(3)
    }
    return {secret.encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), *in_base64}


@dataclass
class SecretSearch:
    """Searches the output, log, files and processes of runs for secrets.

    Attributes:
        home: The directory of the runs: HOME, TMPDIR and all paths of the settings are below.
        secrets: The secrets.
        found: The text around each secret that was found, by its place.
        spooled: The spooled exports that were searched.
        on_spooled: Called when a spooled export was searched.
    """

    home: Path
    secrets: Sequence[str]
    found: dict[str, str] = field(default_factory=dict)
    spooled: set[Path] = field(default_factory=set)
    on_spooled: Callable[[], object] = lambda: None
    _seen: dict[Path, tuple[int, int, int]] = field(default_factory=dict)

    def run(
        self, name: str, options: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run the tap, and search everything that it writes."""
        out, log = self.home / f"{name}.out", self.home / f"{name}.log"
        with (
            out.open("wb") as stdout,
            log.open("wb") as stderr,
            subprocess.Popen(
                [sys.executable, "-m", "tap_pigment", *options],
                stdout=stdout,
                stderr=stderr,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.home),
                    "TMPDIR": str(self.home / "tmp"),
                    **environment,
                },
            ) as running,
        ):
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while running.poll() is None and time.monotonic() < deadline:
                self._search_processes(name, running.pid)
                self._search_files(name)
                time.sleep(_PAUSE_SECONDS)
            running.kill()
        self._search_files(name)
        return subprocess.CompletedProcess(name, running.returncode, out.read_text("utf-8"), log.read_text("utf-8"))

    def _search_files(self, name: str) -> None:
        # Not rglob, which fails on a directory that is deleted meanwhile.
        found = [Path(folder, each) for folder, *names in os.walk(self.home) for each in chain(*names)]
        for path in found:
            self._search(f"{name}: the name of a file", str(path).encode())
            with suppress(OSError, EOFError):  # It may be deleted by now, or half written.
                status = path.stat()
                seen = (status.st_ino, status.st_size, status.st_mtime_ns)
                if path.is_file() and self._seen.get(path) != seen:
                    content = path.read_bytes()
                    is_zipped = content.startswith(_GZIP)
                    self._search(str(path.relative_to(self.home)), gzip.decompress(content) if is_zipped else content)
                    self._seen[path] = seen
                    if status.st_size and path.name.startswith("export-"):
                        self.spooled.add(path)
                        self.on_spooled()

    def _search_processes(self, name: str, pid: int) -> None:
        with suppress(psutil.Error):  # A process may have ended by now.
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                self._search(f"{name}: the arguments of a process", " ".join(each.cmdline()).encode())

    def _search(self, where: str, content: bytes) -> None:
        for secret in self.secrets:
            for form in forms(secret):
                if form in content and where not in self.found:
                    at = content.index(form)
                    self.found[where] = content[max(at - _CONTEXT_BYTES, 0) : at + _CONTEXT_BYTES].decode(
                        "utf-8", "replace"
                    )
