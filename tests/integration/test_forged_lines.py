"""Texts from outside in the log and in `--check`: none passes for a line of its own, and no password is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pigment import APPLICATION_ID, CSV, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import RunCommand, RunTap

FORGED = "x\r\nok   Application Finance: 7 blocks.\u2028ok   fine\x1b[1A\x85\u202e"
COUNTRIES = "Code;Name\r\nFR;France\r\n"
# A line of the log, of the table of streams, or of the list of failures.
LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\d .* \| (INFO|WARNING|ERROR) .*|(stream|all|countries|x\\r\\n).* +(result|complete|failed)|  \S.*"
)


def forged_lines(text: str) -> list[str]:
    """Return the lines of the log that are not the tap's."""
    return [line for line in text.splitlines() if not LOG_LINE.fullmatch(line)]


def test_name_of_an_application_forges_no_line_of_the_check(pigment: Pigment, run_command: RunCommand) -> None:
    pigment.applications = [{"id": APPLICATION_ID, "name": FORGED}]
    pigment.add_list("Countries", COUNTRIES)

    result = run_command("--check")

    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 6
    assert "ok   Application x\\r\\nok   Application Finance: 7 blocks.\\u2028ok   fine\\x1b[1A\\x85\\u202e (" in (
        result.stdout
    )


def test_long_id_is_shortened_in_the_check(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.applications = [{"id": APPLICATION_ID, "name": "7" * 300_000}]

    result = run_command("--check", config={**config, "application_id": "8" * 300_000})

    assert result.returncode == 1
    assert "8" * 120 + "..." in result.stdout
    assert len(result.stdout) < 3_000


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, FORGED.encode(), {"Content-Type": "text/plain; charset=utf-8"}),
        Answer(403, json.dumps({"message": FORGED}).encode(), {"Content-Type": "application/json"}),
        Answer(302, b"", {"Location": "https://user:secret@host/\x85ok"}),
        Answer(200, f'"{FORGED}";Name\r\nFR;France\r\n'.encode(), CSV),
        Answer(200, f'Code;Name;"{FORGED}"\r\nFR;France;1\r\n'.encode(), CSV),
        Answer(200, f'"{"8" * 100_000}";Name\r\nFR;France\r\n'.encode(), CSV),
    ],
    ids=["400", "403", "302", "a missing column", "a new column", "a long header"],
)
def test_response_forges_no_line_of_the_log(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path, answer: Answer
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    (tmp_path / "catalog.json").write_text(run_command("--discover").stdout)
    pigment.always_answer("/export/", answer)

    result = run_command("--catalog", str(tmp_path / "catalog.json"), config={**config, "max_retries": 0})

    assert forged_lines(result.stderr) == []
    assert "secret" not in result.stderr


def test_name_of_a_stream_forges_no_line_of_the_log(pigment: Pigment, run_command: RunCommand, tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = run_command("--discover").stdout.replace('"countries"', json.dumps(FORGED))
    (tmp_path / "catalog.json").write_text(catalog)
    pigment.always_answer("/export/", Answer(400))

    result = run_command("--catalog", str(tmp_path / "catalog.json"))

    assert result.returncode == 1
    assert "Streams of this run:" in result.stderr
    assert forged_lines(result.stderr) == []


def test_log_of_a_tap_in_this_process_has_no_forged_lines(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    run_tap(stream_maps={FORGED: {"Name": "Name"}})

    [message] = [record.getMessage() for record in caplog.records if "has no effect" in record.getMessage()]
    assert len(message.splitlines()) == 1
    assert message.startswith("stream_maps.x\\r\\nok   Application Finance")


@pytest.mark.parametrize(
    "settings",
    [
        {"change_detection": "row", "snapshot_uri": "nonsense://user:secret@host/x"},
        {"change_detection": "row", "snapshot_uri": "sftp://user:secret@127.0.0.1:9/x"},
        {"change_detection": "row", "snapshot_uri": "http://user:se/cret@127.0.0.1:9/x"},
        {
            "batch_config": {
                "encoding": {"format": "jsonl", "compression": "none"},
                "storage": {"root": "ftp://user:secret@127.0.0.1:9/x"},
            }
        },
    ],
    ids=["unknown protocol", "sftp", "http", "ftp"],
)
@pytest.mark.parametrize("options", [["--check"], []], ids=["check", "sync"])
def test_password_of_a_store_is_not_shown(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], settings: dict[str, Any], options: list[str]
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run_command(*options, config={**config, **settings})

    assert result.returncode == 1
    assert not re.search("secret|cret@", result.stdout + result.stderr)
    assert "://***@" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_password_of_a_proxy_is_not_shown(
    run_command: RunCommand, config: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://user:sec/ret@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    result = run_command("--check", config={**config, "api_url": "https://pigment.invalid/api"})

    assert result.returncode == 1
    assert not re.search("sec/|ret@", result.stdout + result.stderr)
