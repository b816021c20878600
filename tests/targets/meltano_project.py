"""A Meltano project as meltano.yml defines it, whose plugins are those of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.targets import environments
from tests.targets.databases import DuckDb
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.targets.served_sandbox import ServedSandbox

COMMANDS = Path(sys.executable).parent
NO_ADDRESS = "http://127.0.0.1:9"  # Every request but those to the Pigment fails.


class MeltanoProject:
    """A copy of the project file in a folder of its own, with plugins that are already installed."""

    def __init__(self, folder: Path, pigment: ServedSandbox, extras: Mapping[str, Any], **settings: object) -> None:
        self.folder = folder
        project = yaml.safe_load((environments.ROOT / "meltano.yml").read_text(encoding="utf-8"))
        commands = {
            "tap-pigment": COMMANDS / "tap-pigment",
            "target-duckdb": environments.command("target-duckdb"),
            "target-jsonl": environments.command("target-jsonl"),
        }
        for plugin in (*project["plugins"]["extractors"], *project["plugins"]["loaders"]):
            if plugin["name"] in commands:
                del plugin["pip_url"]
                plugin["executable"] = str(commands[plugin["name"]])
        project["plugins"]["extractors"][0] |= extras
        (folder / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
        (folder / "output").mkdir()
        settings = {**pigment.config, **settings}
        self._environment = (
            environment()
            | {
                f"TAP_PIGMENT_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
                for name, value in settings.items()
            }
            | {
                "HOME": str(folder),
                "NO_COLOR": "1",
                "NO_PROXY": "127.0.0.1",
                "HTTP_PROXY": NO_ADDRESS,
                "HTTPS_PROXY": NO_ADDRESS,
                "MELTANO_HUB_URL": NO_ADDRESS,
                "PATH": os.pathsep.join([str(COMMANDS), os.environ["PATH"]]),
            }
        )

    def set_extras(self, extras: Mapping[str, Any]) -> None:
        """Set extras of the tap in the project file."""
        path = self.folder / "meltano.yml"
        project = yaml.safe_load(path.read_text(encoding="utf-8"))
        project["plugins"]["extractors"][0] |= extras
        path.write_text(yaml.safe_dump(project), encoding="utf-8")

    @property
    def database(self) -> DuckDb:
        """The file that target-duckdb wrote."""
        return DuckDb(self.folder / "output" / "pigment.duckdb", "tap_pigment")

    def meltano(self, *arguments: str) -> str:
        """Run Meltano and return its stdout."""
        return self._stdout(str(COMMANDS / "meltano"), *arguments)

    def shell(self, script: str) -> str:
        """Run a shell script that calls Meltano, and return its stdout."""
        return self._stdout("/bin/bash", "-e", "-c", script)

    def _stdout(self, *command: str) -> str:
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr.decode() + ended.stdout.decode()
        return ended.stdout.decode()
