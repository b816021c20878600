"""The line about its requests that ends every run."""

from __future__ import annotations

import gzip
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import PigmentError
from tests.support.pigment import CSV, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunCommand

LONG = "Code;Text\r\nA;" + "x" * 1_499_983 + "\r\n"  # 1,499,998 bytes.


def reports(messages: list[str]) -> list[str]:
    """Return the lines about requests."""
    return [message for message in messages if "MB received" in message]


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_run_reports_requests_retries_bytes_and_waits(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Texts", LONG)
    running = tap()
    pigment.answer_next_exports(Answer(503, headers={"Retry-After": "7"}))

    running.sync_all()

    # A sample is counted as far as it was read, here to its end.
    assert reports(caplog.messages) == ["4 requests (1 retry), 3.0 MB received, 7.0 s waiting"]
    assert len(pigment.requests) == 4


def test_bytes_are_counted_as_they_were_sent(
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

    assert [line.split(", ")[1] for line in reports(caplog.messages)] == ["2.5 MB received", "1.5 MB received"]


def test_a_failed_run_reports_its_requests(
    pigment: Pigment, discover: Discover, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Texts", LONG)
    catalog = discover()
    pigment.always_answer("/export/", Answer(500, headers={"Retry-After": "2"}))

    with pytest.raises(PigmentError):
        tap(catalog=catalog).sync_all()

    assert reports(caplog.messages) == ["5 requests (3 retries), 0.0 MB received, 6.0 s waiting"]


def test_a_run_that_fails_in_discovery_reports_its_requests(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.always_answer("/blocks", Answer(401))

    with pytest.raises(PigmentError):
        tap()

    assert reports(caplog.messages) == ["1 request (0 retries), 0.0 MB received, 0.0 s waiting"]


def test_a_run_that_fails_before_its_first_request_reports_none(
    pigment: Pigment, discover: Discover, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    catalog = discover()
    catalog["streams"].append({**catalog["streams"][0], "tap_stream_id": "same_name"})

    with pytest.raises(PigmentError, match="two of its streams have the name countries"):
        tap(catalog=catalog)

    assert reports(caplog.messages) == []


@pytest.mark.parametrize("option", ["--discover", "--catalog"])
def test_the_command_reports_its_requests_once(
    pigment: Pigment, discover: Discover, run_command: RunCommand, tmp_path: Path, option: str
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(discover()))

    result = run_command(option, *([str(path)] if option == "--catalog" else []))

    (report,) = reports(result.stderr.splitlines())
    assert report.endswith("2 requests (0 retries), 0.0 MB received, 0.0 s waiting")


def test_a_run_with_invalid_settings_reports_no_requests(run_command: RunCommand, config: Mapping[str, Any]) -> None:
    result = run_command(config={**config, "max_retries": -1})

    assert result.returncode == 1
    assert reports(result.stderr.splitlines()) == []
