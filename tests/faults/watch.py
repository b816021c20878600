"""Runs the tap in a process and a home of its own, and looks for secrets in all that it writes, also while it runs."""

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
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PATIENCE_SECONDS = 120
_PAUSE_SECONDS = 0.02
_CONTEXT_BYTES = 200
_GZIP = b"\x1f\x8b"
# What of a text in base64 depends on the bytes before it, by how many there are; and what on those after it.
_LEADING = (0, 2, 3)
_TRAILING = 4


def forms(secret: str) -> set[bytes]:
    """Return the forms in which a secret could be written."""
    in_base64 = {
        base64.b64encode(b"x" * offset + secret.encode())[_LEADING[offset] : -_TRAILING] for offset in range(3)
    }
    return {secret.encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), *in_base64}


@dataclass
class Watch:
    """What runs have written.

    Attributes:
        home: Where they write: HOME, TMPDIR and whatever the settings name are below.
        secrets: What must not be found.
        found: Where secrets were found, and in what.
        spools: The spooled exports that were seen while something ran.
        on_spool: Called when a spooled export has been looked at.
    """

    home: Path
    secrets: Sequence[str]
    found: dict[str, str] = field(default_factory=dict)
    spools: set[Path] = field(default_factory=set)
    on_spool: Callable[[], object] = lambda: None
    _seen: dict[Path, tuple[int, int, int]] = field(default_factory=dict)

    def run(
        self, name: str, options: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run the tap, and look at all that it writes."""
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
            deadline = time.monotonic() + PATIENCE_SECONDS
            while running.poll() is None and time.monotonic() < deadline:
                self._look_at_processes(name, running.pid)
                self._look_at_files(name)
                time.sleep(_PAUSE_SECONDS)
            running.kill()
        self._look_at_files(name)
        return subprocess.CompletedProcess(name, running.returncode, out.read_text("utf-8"), log.read_text("utf-8"))

    def _look_at_files(self, name: str) -> None:
        for path in self.home.rglob("*"):
            self._look(f"{name}: the name of a file", str(path).encode())
            with suppress(OSError, EOFError):  # It may be gone by now, or half written.
                status = path.stat()
                seen = (status.st_ino, status.st_size, status.st_mtime_ns)
                if path.is_file() and self._seen.get(path) != seen:
                    content = path.read_bytes()
                    is_zipped = content.startswith(_GZIP)
                    self._look(str(path.relative_to(self.home)), gzip.decompress(content) if is_zipped else content)
                    self._seen[path] = seen
                    if status.st_size and path.name.startswith("export-"):
                        self.spools.add(path)
                        self.on_spool()

    def _look_at_processes(self, name: str, pid: int) -> None:
        for process in (pid, *_children(pid)):
            with suppress(OSError):
                self._look(f"{name}: the arguments of a process", Path(f"/proc/{process}/cmdline").read_bytes())

    def _look(self, where: str, content: bytes) -> None:
        for secret in self.secrets:
            for form in forms(secret):
                if form in content and where not in self.found:
                    at = content.index(form)
                    self.found[where] = content[max(at - _CONTEXT_BYTES, 0) : at + _CONTEXT_BYTES].decode(
                        "utf-8", "replace"
                    )


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            yield from map(int, children.read_text().split())
