"""Meltano adds, installs and runs the tap from the definition for Meltano Hub, without the Hub."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.commands import output_of
from tests.targets import environments
from tests.targets.demo import DEMO
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.targets.served_sandbox import ServedSandbox

DEFINITION = environments.ROOT / "hub/_data/meltano/extractors/tap-pigment/tap-pigment.yml"
COMMANDS = Path(sys.executable).parent
NO_ADDRESS = "http://127.0.0.1:9"  # Every request but those to the Pigment fails.
SECONDS = 120


class Project:
    """A new Meltano project with target-jsonl, which is already installed."""

    def __init__(self, folder: Path, pigment: ServedSandbox) -> None:
        self.file = folder / "meltano.yml"
        (folder / "output").mkdir()
        self._write(
            {
                "send_anonymous_usage_stats": False,
                "cli": {"disable_version_check": True},
                "venv": {"backend": "uv"},
                "default_environment": "dev",
                "environments": [{"name": "dev"}],
                "plugins": {
                    "loaders": [
                        {
                            "name": "target-jsonl",
                            "namespace": "target_jsonl",
                            "executable": str(environments.command("target-jsonl")),
                            "settings": [{"name": "destination_path", "value": "output"}],
                        }
                    ]
                },
            }
        )
        self._environment = (
            environment()
            | {f"TAP_PIGMENT_{name.upper()}": value for name, value in pigment.config.items()}
            | {"MELTANO_HUB_URL": NO_ADDRESS, "NO_COLOR": "1"}
        )
        self._offline = self._environment | {
            "HOME": str(folder),
            "NO_PROXY": "127.0.0.1",
            "HTTP_PROXY": NO_ADDRESS,
            "HTTPS_PROXY": NO_ADDRESS,
        }

    @property
    def extractor(self) -> dict[str, Any]:
        """The only extractor in the project file."""
        [extractor] = yaml.safe_load(self.file.read_text(encoding="utf-8"))["plugins"]["extractors"]
        assert isinstance(extractor, dict)
        return extractor

    def install(self, package: Path) -> None:
        """Install the tap from a folder in place of the package that the definition names."""
        project = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        project["plugins"]["extractors"][0]["pip_url"] = str(package)
        self._write(project)
        self._meltano(self._environment, "install", "tap-pigment")

    def meltano(self, *arguments: str) -> str:
        """Run Meltano without a network, and return its stdout."""
        return self._meltano(self._offline, *arguments)

    def loaded(self, stream: str) -> list[dict[str, Any]]:
        """Return the records of a stream that target-jsonl wrote."""
        files = (self.file.parent / "output").glob(f"{stream}-*.jsonl")
        return [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]

    def _write(self, project: Mapping[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump(project), encoding="utf-8")

    def _meltano(self, variables: Mapping[str, str], *arguments: str) -> str:
        command = [str(COMMANDS / "meltano"), *arguments]
        return output_of(command, folder=self.file.parent, variables=variables, seconds=SECONDS)


def test_meltano_adds_installs_and_runs_the_tap_from_the_definition(demo: ServedSandbox, tmp_path: Path) -> None:
    project = Project(tmp_path, demo)

    project.meltano("add", "--no-install", "--from-ref", str(DEFINITION), "tap-pigment")
    added = project.extractor
    project.install(environments.ROOT)
    tested = project.meltano("config", "test", "tap-pigment")
    listed = project.meltano("select", "tap-pigment", "--list", "--all")
    checked = project.meltano("invoke", "tap-pigment", "--check")
    project.meltano("run", "tap-pigment", "target-jsonl")

    assert (added["variant"], added["pip_url"]) == ("tap-pigment", "tap-pigment")
    assert list(tmp_path.glob(".meltano/extractors/tap-pigment/**/bin/tap-pigment"))
    assert "Plugin configuration is valid" in tested
    assert all(f"{stream}.contentHash" in listed for stream in DEMO)
    assert "FAIL" not in checked
    for stream, block in DEMO.items():
        loaded = Counter(record["contentHash"] for record in project.loaded(stream))
        assert loaded == Counter(demo.export(*block).hashes())
