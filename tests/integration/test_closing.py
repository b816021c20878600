"""Files and connections after a run: everything is closed and removed without the garbage collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.server import serving
from tests.support.pigment import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment

# The tap stays referenced, and the garbage collector is off: what is closed at the end, the run itself has closed.
PROGRAM = """
import gc, json, os, stat, sys

gc.disable()
from tap_pigment.errors import PigmentError
from tap_pigment.output import BlockWriter
from tap_pigment.tap import TapPigment

config = json.loads(sys.argv[1])

def sockets_and_spooled_files():
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(config["spool_dir"]) for name in names]
    names = {os.stat(path).st_ino: os.path.basename(path) for path in paths}
    found = []
    for descriptor in os.listdir("/dev/fd"):
        try:
            status = os.fstat(int(descriptor))
        except OSError:  # The one of the listing itself.
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.append("socket")
        elif stat.S_ISREG(status.st_mode) and not status.st_nlink:
            found.append("deleted file")
        elif status.st_ino in names:
            found.append(names[status.st_ino])
    return sorted(found)

class Observer(BlockWriter):
    open_at_first_message = None

    def format_message(self, message):
        if self.open_at_first_message is None:
            self.open_at_first_message = sockets_and_spooled_files()
        return super().format_message(message)

observer = Observer()
before = sockets_and_spooled_files()
error = ""
tap = TapPigment(config=config, message_writer=observer, setup_mapper=True)
try:
    tap.sync_all()
except PigmentError as failure:
    error = type(failure).__name__
found = {
    "before": before,
    "during": observer.open_at_first_message,
    "after": sockets_and_spooled_files(),
    "spooled": os.listdir(config["spool_dir"]),
    "error": error,
}
print(json.dumps(found), file=sys.stderr)
"""


@pytest.fixture(params=[False, True], ids=["HTTP/1.1", "HTTP/2"])
def url(pigment: Pigment, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Pigment with 5 lists, over HTTP/1.1 or HTTP/2."""
    for number in range(5):
        pigment.add_list(f"List {number}", "Code;Size\r\nA;1.5\r\nB;2.5\r\n")
    pigment.add("GL", "TransactionList", "Account;Amount\r\n4000;1.5\r\n4000;1.5\r\n")
    if not request.param:
        yield pigment.url
        return
    with serving(pigment, tls=True) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield server.url


def observed(config: Mapping[str, Any], spool_dir: Path, **settings: object) -> dict[str, Any]:
    """Run the tap in a process of its own, and return what was open before, during and after the run."""
    spool_dir.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps({**config, **settings, "spool_dir": str(spool_dir)})],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    found: dict[str, Any] = json.loads(ended.stderr.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="full send"),
        pytest.param({"change_detection": "row", "snapshot_uri": "snapshots"}, id="row"),
        pytest.param({"batch_config": {"encoding": {"format": "parquet"}, "storage": {"root": "batches"}}}, id="BATCH"),
        pytest.param({"parallel_exports": 1}, id="one export at a time"),
    ],
)
def test_a_successful_run_closes_and_removes_everything(
    config: Mapping[str, Any], url: str, tmp_path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # For the stores of snapshots and files.

    found = observed(config, tmp_path / "spool", **settings, api_url=url)

    assert found["error"] == ""
    assert found["before"] == []
    assert {"run.lock", "socket"} <= set(found["during"])
    assert found["after"] == []
    assert found["spooled"] == []


def test_a_failed_run_closes_and_removes_everything(
    pigment: Pigment, config: Mapping[str, Any], url: str, tmp_path: Path
) -> None:
    pigment.always_answer("/export/list/00000003", Answer(500))

    found = observed(config, tmp_path / "spool", api_url=url, max_retries=0)

    assert found["error"] == "StreamsFailedError"
    assert {"run.lock", "socket"} <= set(found["during"])
    assert found["after"] == []
    assert found["spooled"] == []
