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
    """A pipeline that ended well.

    Attributes:
        output: The stdout of the target.
        tap_log: The stderr of the tap.
        target_log: The stderr of the target.
    """

    output: str
    tap_log: str
    target_log: str

    @property
    def state(self) -> Any:  # noqa: ANN401 - JSON.
        """The last state that the target wrote: the input of the next run."""
        return json.loads(self.output.splitlines()[-1])


def environment() -> dict[str, str]:
    """Return the environment variables that are no settings of a tap, a target or Meltano.

    Nor those of coverage: it slows each process, for lines that the other tests run too.
    """
    prefixes = ("TAP_", "TARGET_", "MELTANO", "COVERAGE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def run_pipeline(
    tap_config: Mapping[str, Any], target: Path, target_config: Mapping[str, Any], folder: Path, *options: str
) -> Finished:
    """Run the tap into a target, and check that both end with exit code 0."""
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
                writer.stdout.close()  # So that the tap notices the end of the target.
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
