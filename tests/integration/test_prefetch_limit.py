"""`max_prefetch_mb`: exports that are downloaded ahead take a limited part of the disk, and nothing is lost by it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.support.small_disk import on_small_disk
from tests.support.tap_runs import HoldingPigment
from tests.support.taps import Recorder, eventually, of_type, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import RunTap

LISTS = 6
ROWS = 700
EXPORT_BYTES = len("Code;Text\r\n") + ROWS * len("000000;\r\n" + "x" * 991)
MEGABYTE = 1_000_000


def export(number: int, rows: int = ROWS) -> str:
    """Return an export of so many kilobytes."""
    return "Code;Text\r\n" + "".join(f"{number * 10_000 + row:06};{'x' * 991}\r\n" for row in range(rows))


def add_lists(pigment: Pigment) -> list[str]:
    """Add lists of 0.7 MB each and return their ids."""
    return [pigment.add_list(f"List {number}", export(number)) for number in range(LISTS)]


def ahead_bytes(spool_dir: Path) -> int:
    """Return the bytes of all exports on disk; files may vanish meanwhile."""
    sizes = []
    for path in spool_dir.glob("*/export-*.csv"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)


@pytest.mark.parametrize("max_mb", [0, 1, 100])
def test_the_rows_are_the_same_whatever_the_limit(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture, max_mb: int
) -> None:
    caplog.set_level("INFO")
    add_lists(pigment)

    messages = run_tap(max_prefetch_mb=max_mb)

    codes = [message["record"]["Code"] for message in of_type(messages, "RECORD")]
    assert codes == [f"{number * 10_000 + row:06}" for number in range(LISTS) for row in range(ROWS)]
    [line] = [message for message in caplog.messages if message.startswith("Exports took at most")]
    most = min(max_mb * MEGABYTE, 4 * EXPORT_BYTES) + EXPORT_BYTES + (max_mb > 0) * 4 * (1 << 17)
    assert (
        EXPORT_BYTES <= float(line.split()[4]) * (1_000 if line.split()[5] == "kB" else MEGABYTE) * 1.01 <= most * 1.02
    )


def test_exports_ahead_stay_below_the_limit_and_come_when_their_turn_comes(
    config: Mapping[str, Any], spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    holding = HoldingPigment()
    first = add_lists(holding)[0]
    with serving(holding) as server:
        settings = {**config, "api_url": server.url, "spool_dir": str(spool_dir), "max_prefetch_mb": 1}
        running = TapPigment(config=settings, message_writer=Recorder())
        discovered = len(holding.requests)
        held = holding.hold_next(first)
        thread = threading.Thread(target=running.sync_all)
        thread.start()
        try:
            assert eventually(lambda: "export postponed" in caplog.text)
            assert eventually(lambda: ahead_bytes(spool_dir) == EXPORT_BYTES)
            threading.Event().wait(0.3)  # Long enough for downloads that should not begin.
            ahead, requests = ahead_bytes(spool_dir), len(holding.requests) - discovered
        finally:
            held.released.set()
            thread.join()

    assert ahead <= MEGABYTE
    assert requests == 4
    assert len(of_type(written(running), "RECORD")) == LISTS * ROWS
    assert list(spool_dir.iterdir()) == []
    postponed = re.findall(r"(\w+): export postponed", caplog.text)
    assert len(holding.requests) - discovered == LISTS + len(postponed)


def test_a_disk_that_holds_two_of_four_exports_is_enough(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path
) -> None:
    for number in range(4):
        pigment.add_list(f"List {number}", export(number, 3_000))
    (tmp_path / "spool").mkdir()
    settings = {**config, "spool_dir": "spool", "requests_per_window": 100}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    script = f"{sys.executable} -m tap_pigment --config config.json; ls -A spool"
    command = on_small_disk(script, "spool", megabytes=8)

    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    messages = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(of_type(messages, "RECORD")) == 4 * 3_000
    assert len(of_type(messages, "ACTIVATE_VERSION")) == 4
