"""Runs of the tap into a target, night after night, from a Pigment that changes and fails as it is told to."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.pigment import API_KEY, APPLICATION_ID
from tests.targets.exports import Export
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.pigment import Pigment

SECONDS = 60


@dataclass
class Nights:
    """Runs of the tap into a target, each from the state that the one before has left.

    Attributes:
        pigment: What is extracted.
        target: The target's command.
        target_config: The target's config.
        folder: Where the files of the runs go.
        settings: Settings of the tap, for all runs.
        state: The last state that the target wrote; None before the first run.
    """

    pigment: Pigment
    target: Path
    target_config: Mapping[str, Any]
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: Any = None

    def tap_command(self, **settings: Any) -> list[str]:  # noqa: ANN401 - JSON.
        """Return the command that runs the tap from the state."""
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
        """Run the tap and return what it wrote."""
        command = self.tap_command(**settings)
        return subprocess.run(command, capture_output=True, check=False, env=environment(), timeout=SECONDS)

    def discover(self) -> None:
        """Refresh the catalog with which the tap runs."""
        self.catalog.unlink(missing_ok=True)
        command = [*self.tap_command(), "--discover"]
        found = subprocess.run(command, capture_output=True, check=True, env=environment(), timeout=SECONDS)
        self.catalog.write_bytes(found.stdout)

    @property
    def target_command(self) -> list[str]:
        """The command that runs the target."""
        return [str(self.target), "--config", self._file("target.json", self.target_config)]

    def load(self, messages: bytes) -> None:
        """Load messages, and keep the last state that the target has made sure of."""
        finished = subprocess.run(
            self.target_command, input=messages, capture_output=True, check=False, env=environment(), timeout=SECONDS
        )
        assert finished.returncode == 0, finished.stderr.decode()
        self.keep_state(finished.stdout)

    def load_and_kill(self, messages: bytes, is_time: Callable[[subprocess.Popen[bytes]], bool]) -> None:
        """Send messages to the target, kill it when it is time to, and keep the last state that it wrote."""
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
            assert is_time(target)
            target.kill()
            target.stdin.close()
            assert target.stdout
            self.keep_state(target.stdout.read())
        assert target.returncode == -signal.SIGKILL

    def keep_state(self, output: bytes) -> None:
        """Keep the last state in what a target wrote."""
        if states := output.splitlines():
            self.state = json.loads(states[-1])

    def run(self, **settings: Any) -> int:  # noqa: ANN401 - JSON.
        """Run the tap into the target and return the tap's exit code."""
        finished = self.tap(**settings)
        self.load(finished.stdout)
        return finished.returncode

    def export(self, block: str) -> Export:
        """Return the export of a block."""
        text = self.pigment.exports[block].decode()
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
        return Export(tuple(header), tuple(map(tuple, rows)))

    @property
    def catalog(self) -> Path:
        """The catalog with which the tap runs once it is there."""
        return self.folder / "catalog.json"

    def _file(self, name: str, content: object) -> str:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)
