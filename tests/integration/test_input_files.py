"""The files of `--config`, `--catalog` and `--state`, as other programs write them."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.taps import of_type, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import RunCommand

COUNTRIES = "Code;Name\r\nFR;France\r\nDE;Deutschland\r\n"
MARKS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
STATE = {"bookmarks": {"countries": {"v": 1, "rows": 2}}}


def error_line(stderr: str) -> str:
    """Return the one error of a log."""
    [line] = [line for line in stderr.splitlines() if " | ERROR " in line]
    assert "Traceback" not in stderr
    return line.split(" | ", maxsplit=3)[3]


def test_files_with_a_byte_order_mark_are_read(
    pigment: Pigment, config: Mapping[str, Any], run_command: RunCommand, tmp_path: Path
) -> None:
    pigment.add_list("Côte", COUNTRIES)
    catalog = json.loads(run_command("--discover").stdout)
    given = {"config": {**config, "change_detection": "stream"}, "catalog": catalog, "state": STATE}
    for (option, content), (encoding, mark) in zip(given.items(), MARKS.items(), strict=True):
        (tmp_path / option).write_bytes(mark + json.dumps(content, ensure_ascii=False).encode(encoding))

    result = subprocess.run(
        [sys.executable, "-m", "tap_pigment", *(f"--{option}={tmp_path / option}" for option in given)],
        capture_output=True,
        text=True,
        check=False,
    )

    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0
    assert records(found, "cote") == [{"Code": "FR", "Name": "France"}, {"Code": "DE", "Name": "Deutschland"}]
    assert of_type(found, "STATE")[-1]["value"]["bookmarks"].keys() == {"countries", "cote"}


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--state", "", "it is empty. Leave the option out for a run without it."),
        ("--state", '{"bookmarks": {"countries": {"rows": NaN}}}', "it is not JSON: NaN is not a number"),
        ("--state", json.dumps({"singer_state": STATE}), "the state stands in singer_state"),
        ("--state", f"{json.dumps(STATE)}\n{json.dumps(STATE)}\n", "it has several lines of JSON"),
        ("--catalog", "{not json", "it is not JSON: Expecting property name"),
        ("--catalog", "", "it is empty. Make a catalog with --discover."),
        ("--catalog", '{"streams": [{"tap_stream_id": "x"}]}', "stream x: it has no schema with properties"),
    ],
)
def test_an_invalid_state_or_catalog_is_one_error(
    run_command: RunCommand, tmp_path: Path, option: str, content: str, message: str
) -> None:
    path = tmp_path / "given.json"
    path.write_text(content)

    result = run_command(option, str(path))

    assert result.returncode == 1
    assert result.stdout == ""
    assert error_line(result.stderr).startswith(f"{option} {path}: {message}")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, (), "cannot read the file: No such file or directory. Correct the path or its permissions."),
        ('{"max_retries": NaN}', (), "it is not JSON: NaN is not a number. Correct the file."),
        ("", ("--discover",), "it is empty. Correct the file."),
        ('[{"api_key": "x"}]', ("--test",), "it is not an object. "),
    ],
)
def test_an_invalid_config_is_one_error(
    tmp_path: Path, content: str | None, options: tuple[str, ...], message: str
) -> None:
    path = tmp_path / "my.json"
    if content is not None:
        path.write_text(content)

    result = subprocess.run(
        [sys.executable, "-m", "tap_pigment", "--config", str(path), *options],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert result.stdout == ""
    assert error_line(result.stderr).startswith(f"--config {path}: {message}")


def test_an_empty_state_is_a_first_run(pigment: Pigment, run_command: RunCommand, tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)
    path = tmp_path / "state.json"
    path.write_text("{}")

    result = run_command("--state", str(path))

    assert result.returncode == 0
    assert result.stdout.count('"RECORD"') == 2
