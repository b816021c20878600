"""What the command line reads from the environment, and what it needs there."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment

COUNTRIES = "Code;Name\r\nFR;France\r\nDE;Deutschland\r\n"


def run(
    config: Mapping[str, Any],
    *options: str,
    variables: Mapping[str, str] | None = None,
    preexec: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the tap with its settings and other variables in the environment."""
    # Without coverage, which could not write its file where files are forbidden.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    settings = {f"TAP_PIGMENT_{name.upper()}": str(value) for name, value in config.items()}
    return subprocess.run(
        [sys.executable, "-m", "tap_pigment", "--config=ENV", *options],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "NO_COLOR": "1", **settings, **(variables or {})},
        preexec_fn=preexec,
    )


def lines(log: str, level: str) -> list[str]:
    """Return the messages of one level in a log."""
    fields = [line.split(" | ", maxsplit=3) for line in log.splitlines()]
    return [found[3] for found in fields if len(found) == 4 and found[1].strip() == level]


def test_empty_variables_leave_the_defaults(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    names = ("METADATA_API_KEY", "APPLICATION_IDS", "INFER_TYPES", "MAX_RETRIES", "STREAM_OVERRIDES")
    empty = {f"TAP_PIGMENT_{name}": "" for name in names}

    result = run(config, variables=empty)

    assert result.returncode == 0
    assert result.stdout.count('"RECORD"') == 2


@pytest.mark.parametrize("options", [(), ("--discover",), ("--test",), ("--check",)])
def test_every_wrong_variable_is_an_error_line(config: Mapping[str, Any], options: tuple[str, ...]) -> None:
    wrong = {
        "TAP_PIGMENT_INFER_TYPES": "banana",
        "TAP_PIGMENT_MAX_RETRIES": "three",
        "TAP_PIGMENT_INCLUDE": "[countries",
    }

    result = run(config, *options, variables=wrong)

    found = [line.removeprefix("Config validation error: ") for line in lines(result.stderr, "ERROR")]
    assert result.returncode == 1
    assert result.stdout == ""
    assert [line.partition(": ")[0] for line in found if line != "Config validation failed"] == [
        "TAP_PIGMENT_INCLUDE",
        "TAP_PIGMENT_INFER_TYPES",
        "TAP_PIGMENT_MAX_RETRIES",
    ]
    assert "Traceback" not in result.stderr


def run_in(folder: Path, config: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run discovery in a folder, whose `.env` is read."""
    # A frozen program has no source files, so python-dotenv begins with the working directory.
    code = "import sys; sys.frozen = True; from tap_pigment.__main__ import main; main()"
    variables = {f"TAP_PIGMENT_{name.upper()}": str(value) for name, value in config.items()}
    return subprocess.run(
        [sys.executable, "-c", code, "--config=ENV", "--discover"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **variables},
    )


def test_variables_of_a_dotenv_file_are_read(pigment: Pigment, config: Mapping[str, Any], tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", "Month\r\nJan\r\n")
    (tmp_path / ".env").write_text("TAP_PIGMENT_INCLUDE=months\nTAP_PIGMENT_INCLUDES=x\nLOGLEVEL=TRACE\n")

    result = run_in(tmp_path, config)

    assert [entry["tap_stream_id"] for entry in json.loads(result.stdout)["streams"]] == ["months"]
    assert [line.partition(": ")[0] for line in lines(result.stderr, "WARNING")] == [
        "LOGLEVEL",
        "Environment variables without a setting have no effect",
    ]


def test_a_dotenv_file_that_cannot_be_read_is_one_error(config: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TAP_PIGMENT_INCLUDE=months", encoding="utf-16")

    result = run_in(tmp_path, config)

    assert result.returncode == 1
    assert lines(result.stderr, "ERROR") == [".env: cannot read the file: UnicodeDecodeError. Write it in UTF-8."]
    assert "Traceback" not in result.stderr


def test_an_unknown_variable_is_one_warning(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run(config, "--discover", variables={"TAP_PIGMENT_INCLUDES": "x", "TAP_PIGMENT__SELECT": '["*.*"]'})

    assert result.returncode == 0
    [warning] = lines(result.stderr, "WARNING")
    assert warning == (
        "Environment variables without a setting have no effect: TAP_PIGMENT_INCLUDES (did you mean "
        "TAP_PIGMENT_INCLUDE?). Correct or remove them."
    )


@pytest.mark.parametrize("name", ["LOGLEVEL", "TAP_PIGMENT_LOGLEVEL"])
def test_an_unknown_log_level_is_one_warning(pigment: Pigment, config: Mapping[str, Any], name: str) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run(config, "--discover", variables={name: "TRACE"})

    assert result.returncode == 0
    assert lines(result.stderr, "WARNING") == [
        f"{name}: unknown level, so INFO is used. Set it to DEBUG, INFO, WARNING, ERROR or CRITICAL."
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        ("version: [", "while parsing a flow node expected the node content, but found '<stream end>'"),
        ("", "it is not a logging configuration"),
        ("- 1", "it is not a logging configuration"),
        ("a: 1", "dictionary doesn't specify a version"),
        (
            "version: 1\nhandlers: {file: {class: logging.FileHandler, filename: /no/where}}",
            "Unable to configure handler 'file': No such file or directory",
        ),
    ],
)
def test_a_logging_configuration_that_cannot_be_used_is_one_line(
    config: Mapping[str, Any], tmp_path: Path, content: str | None, problem: str
) -> None:
    path = tmp_path / "log.yaml"
    if content is not None:
        path.write_text(content)

    result = run(config, "--discover", variables={"SINGER_SDK_LOG_CONFIG": str(path)})

    assert result.returncode == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith(f"tap-pigment: SINGER_SDK_LOG_CONFIG: cannot use {path}: {problem}")
    assert line.endswith(". Correct the file, or remove the variable.")


def test_an_empty_variable_for_the_logging_configuration_is_not_set(
    pigment: Pigment, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run(config, "--discover", variables={"SINGER_SDK_LOG_CONFIG": ""})

    assert result.returncode == 0


@pytest.mark.parametrize("options", [(), ("--discover",), ("--test",), ("--check",)])
def test_a_file_of_tls_keys_in_a_missing_folder_is_one_error(
    config: Mapping[str, Any], tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = tmp_path / "nowhere" / "keys"

    result = run(config, *options, variables={"SSLKEYLOGFILE": str(path)})

    assert result.returncode == 1
    assert result.stdout == ""
    [error] = lines(result.stderr, "ERROR")
    assert error == (
        f"SSLKEYLOGFILE: cannot write {path}: No such file or directory. Set the variable to a file that can be "
        "written, or remove it."
    )
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("options", [(), ("--test",)])
def test_no_directory_for_temporary_files_is_one_error(
    pigment: Pigment, config: Mapping[str, Any], options: tuple[str, ...]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", "Month\r\nJan\r\n")

    result = run(config, *options, preexec=_forbid_files)

    [error] = lines(result.stderr, "ERROR")
    assert result.returncode == 1
    assert result.stdout == ""
    assert error.startswith("spool_dir: cannot make a directory in the system directory for temporary files: ")
    assert error.endswith("Set spool_dir, or the variable TMPDIR, to a directory that exists and can be written.")
    assert "Traceback" not in result.stderr


def test_discovery_needs_no_directory_for_temporary_files(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run(config, "--discover", preexec=_forbid_files)

    assert result.returncode == 0
    assert [entry["tap_stream_id"] for entry in json.loads(result.stdout)["streams"]] == ["countries"]


def _forbid_files() -> None:
    """Forbid to write to files; pipes remain."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
