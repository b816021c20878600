"""Consecutive runs of the tap into a target, from a scripted Pigment."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.pigment import API_KEY, APPLICATION_ID
from tests.support.taps import eventually
from tests.targets.exported_rows import ExportedRows
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment

SECONDS = 60


@dataclass
class TargetRuns:
    """Runs of the tap into a target, each from the state that the previous one left.

    Attributes:
        pigment: The source.
        target: The target's command.
        target_config: The target's config.
        folder: The folder of the files of all runs.
        settings: Settings of the tap in all runs.
        state: The last state that the target wrote; None before the first run.
    """

    pigment: Pigment
    target: Path
    target_config: Mapping[str, Any]
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: Any = None

    def tap_command(self, **settings: Any) -> list[str]:  # noqa: ANN401 - JSON.
        """Return the command that runs the tap from the state, with the catalog if there is one."""
        config = {
            "api_url": self.pigment.url,
            "api_key": API_KEY,
            "application_id": APPLICATION_ID,
            "max_retries": 0,
            "parallel_exports": 1,
            **self.settings,
            **settings,
        }
        command = [sys.executable, "-m", "tap_pigment", "--config", self._file("tap.json", config)]
        if self.catalog.exists():
            command += ["--catalog", str(self.catalog)]
        if self.state is not None:
            command += ["--state", self._file("state.json", self.state)]
        return command

    def tap(self, **settings: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401 - JSON.
        """Run the tap and return the finished process with its output."""
        command = self.tap_command(**settings)
        return subprocess.run(command, capture_output=True, check=False, env=environment(), timeout=SECONDS)

    def discover(self) -> None:
        """Discover the catalog of the following runs."""
        self.catalog.unlink(missing_ok=True)
        command = [*self.tap_command(), "--discover"]
        found = subprocess.run(command, capture_output=True, check=True, env=environment(), timeout=SECONDS)
        self.catalog.write_bytes(found.stdout)

    @property
    def target_command(self) -> list[str]:
        """The command that runs the target."""
        return [str(self.target), "--config", self._file("target.json", self.target_config)]

    def load(self, messages: bytes) -> None:
        """Load messages, and keep the last state that the target wrote."""
        finished = subprocess.run(
            self.target_command, input=messages, capture_output=True, check=False, env=environment(), timeout=SECONDS
        )
        assert finished.returncode == 0, finished.stderr.decode()
        self.keep_state(finished.stdout)

    def load_and_kill(self, messages: bytes, has_loaded: Callable[[], bool]) -> None:
        """Send messages to the target, kill it in the middle of its work, and keep the last state that it wrote.

        Args:
            messages: What to send. The target's stdin stays open, so that it cannot end by itself.
            has_loaded: Returns whether the target has loaded enough to be killed.
        """
        target = subprocess.Popen(
            self.target_command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        with target:
            assert target.stdin
            target.stdin.write(messages)
            target.stdin.flush()
            try:
                assert eventually(lambda: has_loaded() or target.poll() is not None, SECONDS)
            finally:
                target.kill()
            target.stdin.close()
            assert target.stdout
            self.keep_state(target.stdout.read())
        assert target.returncode == -signal.SIGKILL

    def keep_state(self, output: bytes) -> None:
        """Keep the last state in the output of a target."""
        if states := output.splitlines():
            self.state = json.loads(states[-1])

    def run(self, **settings: Any) -> int:  # noqa: ANN401 - JSON.
        """Run the tap into the target and return the tap's exit code."""
        finished = self.tap(**settings)
        self.load(finished.stdout)
        return finished.returncode

    def export(self, block: str) -> ExportedRows:
        """Return the export of a block."""
        text = self.pigment.exports[block].decode()
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
        return ExportedRows(tuple(header), tuple(map(tuple, rows)))

    @property
    def catalog(self) -> Path:
        """The file of the catalog; without it, a run discovers."""
        return self.folder / "catalog.json"

    def _file(self, name: str, content: object) -> str:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)
