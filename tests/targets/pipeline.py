"""Tap and target as two processes with a pipe between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SECONDS = 120


@dataclass(frozen=True)
class Finished:
    """What a pipeline left that went well.

    Attributes:
        output: What the target wrote to stdout.
        tap_log: What the tap wrote to stderr.
        target_log: What the target wrote to stderr.
    """

    output: str
    tap_log: str
    target_log: str

    @property
    def state(self) -> Any:  # noqa: ANN401 - whatever the target wrote.
        """The last state, which is what the next run begins with."""
        return json.loads(self.output.splitlines()[-1])


def environment() -> dict[str, str]:
    """Return our environment without the variables that are settings of the tap or of a target."""
    prefixes = ("TAP_", "TARGET_", "MELTANO")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def run_pipeline(
    tap_config: Mapping[str, Any], target: Path, target_config: Mapping[str, Any], folder: Path, *options: str
) -> Finished:
    """Run the tap into a target until both have ended, both well."""
    tap_file, target_file = folder / "tap.json", folder / "target.json"
    tap_file.write_text(json.dumps(tap_config))
    target_file.write_text(json.dumps(target_config))
    tap: Sequence[str | Path] = [sys.executable, "-m", "tap_pigment", "--config", tap_file, *options]
    with tempfile.TemporaryFile() as tap_log, tempfile.TemporaryFile() as target_log:
        reader = writer = None
        try:
            writer = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=tap_log, env=environment())
            reader = subprocess.Popen(
                [target, "--config", target_file],
                stdin=writer.stdout,
                stdout=subprocess.PIPE,
                stderr=target_log,
                cwd=folder,
                env=environment(),
            )
            if writer.stdout:
                writer.stdout.close()  # So that the tap sees it when the target dies.
            output, _ = reader.communicate(timeout=SECONDS)
            codes = (writer.wait(SECONDS), reader.returncode)
        finally:
            for process in (writer, reader):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()
        logs = []
        for log in (tap_log, target_log):
            log.seek(0)
            logs.append(log.read().decode())
    assert codes == (0, 0), "\n".join(logs)
    return Finished(output.decode(), *logs)
