"""What a run says it has asked of Pigment."""

from __future__ import annotations

import gzip
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import PigmentError
from tap_pigment.tally import Tally
from tests.conftest import Clock
from tests.pigment import CSV, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import Discover, MakeTap, RunCommand
    from tests.pigment import Pigment

LONG = "Code;Text\r\nA;" + "x" * 1_499_983 + "\r\n"  # 1,499,998 bytes.


def said(lines: list[str]) -> list[str]:
    """Return what is said of requests, from where it begins."""
    return [line[line.index("Pigment was asked") :] for line in lines if "Pigment was asked" in line]


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_client_that_has_asked_nothing_says_so() -> None:
    assert str(Tally(Clock())) == "Pigment was asked 0 times (0 of them again), 0.0 MB received, 0.0 s waited."


def test_one_request_is_said_in_the_singular() -> None:
    tally = Tally(Clock())

    tally.count_request()

    assert str(tally) == "Pigment was asked once (0 of them again), 0.0 MB received, 0.0 s waited."


def test_waits_at_the_same_time_count_once() -> None:
    clock = Clock()
    tally = Tally(clock)

    with tally.counted_wait():
        clock.now = 5
        with tally.counted_wait():
            clock.now = 9
        clock.now = 12
    clock.now = 100
    with tally.counted_wait():
        clock.now = 101

    assert str(tally).endswith("13.0 s waited.")


def test_a_run_says_what_it_has_asked(pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture) -> None:
    pigment.add_list("Texts", LONG)
    running = tap()
    pigment.answer_next_exports(Answer(503, headers={"Retry-After": "7"}))

    running.sync_all()

    # A sample is counted as far as it was read, here to its end.
    assert said(caplog.messages) == [
        "Pigment was asked 4 times (1 of them again), 3.0 MB received, 7.0 s waited.",
    ]
    assert len(pigment.requests) == 4


def test_bytes_are_counted_as_they_came_whether_announced_in_chunks_or_compressed(
    pigment: Pigment, discover: Discover, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Texts", LONG)
    catalog = discover()
    compressed = gzip.compress(LONG.encode(), compresslevel=0)
    pigment.answer_next_exports(
        Answer(body=LONG.encode()[:1_000_000], headers=CSV, announce=len(LONG)),
        Answer(body=compressed, headers={**CSV, "Content-Encoding": "gzip"}),
        Answer(body=LONG.encode(), headers=CSV, announce=len(LONG)),
    )

    for _ in range(2):
        tap(catalog=catalog).sync_all()

    assert [line.split(", ")[1] for line in said(caplog.messages)] == ["2.5 MB received", "1.5 MB received"]


def test_a_failed_run_says_it_too(
    pigment: Pigment, discover: Discover, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Texts", LONG)
    catalog = discover()
    pigment.always_answer("/export/", Answer(500, headers={"Retry-After": "2"}))

    with pytest.raises(PigmentError):
        tap(catalog=catalog).sync_all()

    assert said(caplog.messages) == ["Pigment was asked 5 times (3 of them again), 0.0 MB received, 6.0 s waited."]


def test_a_run_that_fails_before_it_has_streams_says_it_too(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.always_answer("/blocks", Answer(401))

    with pytest.raises(PigmentError):
        tap()

    assert said(caplog.messages) == ["Pigment was asked once (0 of them again), 0.0 MB received, 0.0 s waited."]


def test_a_run_that_fails_before_it_has_asked_anything_says_nothing(
    pigment: Pigment, discover: Discover, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    catalog = discover()

    with pytest.raises(PigmentError):
        tap(catalog=catalog, stream_overrides={"countries": {"key_columns": ["Iso"]}})

    assert said(caplog.messages) == []


@pytest.mark.parametrize("option", ["--discover", "--catalog"])
def test_the_command_says_it_once(
    pigment: Pigment, discover: Discover, run_command: RunCommand, tmp_path: Path, option: str
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(discover()))

    result = run_command(option, *([str(path)] if option == "--catalog" else []))

    assert said(result.stderr.splitlines()) == [
        "Pigment was asked 2 times (0 of them again), 0.0 MB received, 0.0 s waited."
    ]


def test_a_run_without_valid_settings_has_asked_nothing(run_command: RunCommand, config: Mapping[str, Any]) -> None:
    result = run_command(config={**config, "max_retries": -1})

    assert result.returncode == 1
    assert said(result.stderr.splitlines()) == []
