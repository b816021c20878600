"""The spool directory of a killed run, over a real run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import RunCommand


def test_the_next_run_removes_the_directory_of_a_killed_run(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Numbers", "Code\r\n" + "".join(f"{number}\r\n" for number in range(200_000)))
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    spool_dir = tmp_path / "spool"
    spool_dir.mkdir()
    settings = {**config, "spool_dir": str(spool_dir)}
    (tmp_path / "killed.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "tap_pigment", "--config", str(tmp_path / "killed.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as killed:
        assert killed.stdout
        assert json.loads(killed.stdout.readline())["type"] == "SCHEMA"
        killed.kill()
    left = [path.name for path in spool_dir.glob("*/export-*.csv")]

    result = run_command(config={**settings, "exclude": ["Numbers"]})

    assert left
    assert result.returncode == 0
    assert list(spool_dir.iterdir()) == []
