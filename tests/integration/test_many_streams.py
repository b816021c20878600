"""Hundreds of streams in one run: STATE messages that do not multiply, and that lose no stream that has ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import NotFoundError, StreamsFailedError
from tap_pigment.sandbox.server import serving
from tests.support.pigment import Answer
from tests.support.tap_runs import HoldingPigment
from tests.support.taps import TIMEOUT_SECONDS, eventually, of_type, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap

STREAMS = 210


def add_lists(pigment: Pigment) -> list[str]:
    """Add lists and return their block ids."""
    return [pigment.add_list(f"List {number:03}", f"Code;Name\r\nC{number};a\r\n") for number in range(STREAMS)]


def ended_streams(messages: list[dict[str, Any]]) -> set[str]:
    """Return the streams whose ACTIVATE_VERSION was written."""
    return {message["stream"] for message in messages if message["type"] == "ACTIVATE_VERSION"}


@pytest.mark.parametrize(("on_stream_error", "error"), [("continue", StreamsFailedError), ("stop", NotFoundError)])
def test_states_become_fewer_and_the_last_one_has_every_stream_that_ended(
    pigment: Pigment, tap: MakeTap, on_stream_error: str, error: type[Exception]
) -> None:
    ids = add_lists(pigment)
    running = tap(on_stream_error=on_stream_error)
    pigment.always_answer(ids[-2], Answer(404))

    with pytest.raises(error):
        running.sync_all()

    messages = written(running)
    states = of_type(messages, "STATE")
    assert len(states) == 201
    assert len(states[199]["value"]["bookmarks"]) == 200
    assert messages[-1] == states[-1]
    assert states[-1]["value"]["bookmarks"].keys() == ended_streams(messages)
    assert len(ended_streams(messages)) == STREAMS - (1 if on_stream_error == "continue" else 2)


def test_a_stopped_run_has_a_state_of_every_stream_that_ended(config: Mapping[str, Any], tmp_path: Path) -> None:
    holding = HoldingPigment()
    ids = add_lists(holding)
    catalog_file, config_file, output = (tmp_path / name for name in ("catalog.json", "config.json", "out.jsonl"))
    with serving(holding) as server:
        config_file.write_text(json.dumps({**config, "api_url": server.url}))
        command = [sys.executable, "-m", "tap_pigment", "--config", str(config_file)]
        with catalog_file.open("wb") as file:
            subprocess.run([*command, "--discover"], stdout=file, check=True, timeout=60)
        held = holding.hold_next(ids[-1])
        with output.open("wb") as file:
            process = subprocess.Popen([*command, "--catalog", str(catalog_file)], stdout=file)
        try:
            assert held.requested.wait(60)
            assert eventually(lambda: output.read_bytes().count(b'"ACTIVATE_VERSION"') == STREAMS - 1, 60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_SECONDS) == 128 + signal.SIGTERM
        finally:
            process.kill()
            held.released.set()

    messages = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    [*_, last] = of_type(messages, "STATE")
    assert len(ended_streams(messages)) == STREAMS - 1
    # The signal may arrive between the last ACTIVATE_VERSION and the end of its stream.
    *surely_ended, _ = of_type(messages, "ACTIVATE_VERSION")
    assert {message["stream"] for message in surely_ended} <= last["value"]["bookmarks"].keys()
    assert last["value"]["bookmarks"].keys() <= ended_streams(messages)
