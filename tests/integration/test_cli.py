"""The command line, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pigment import API_KEY, Answer
from tests.support.taps import of_type, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Message, RunCommand

COUNTRIES = "Code;Name\r\nFR;France\r\nDE;Deutschland\r\n"


def messages(stdout: str) -> list[Message]:
    """Return the messages that a command wrote."""
    return [json.loads(line) for line in stdout.splitlines()]


def run_with_environment(environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the tap with all its settings in the environment."""
    command = [sys.executable, "-m", "tap_pigment", "--config=ENV"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def about(*options: str) -> str:
    """Return the output of `--about`, without a config."""
    return subprocess.run(
        [sys.executable, "-m", "tap_pigment", "--about", *options], capture_output=True, text=True, check=True
    ).stdout


def test_discovery_selection_and_two_syncs(pigment: Pigment, run_command: RunCommand, tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", "Month;Days\r\nJan;31\r\n")
    catalog_file, state_file = tmp_path / "catalog.json", tmp_path / "state.json"

    catalog = json.loads(run_command("--discover").stdout)
    for item in catalog["streams"][0]["metadata"]:
        if item["breadcrumb"] == ["properties", "Name"]:
            item["metadata"]["selected"] = False
    for item in catalog["streams"][1]["metadata"]:
        if item["breadcrumb"] == []:
            item["metadata"]["selected"] = False
    catalog_file.write_text(json.dumps(catalog))
    first = run_command("--catalog", str(catalog_file))
    state_file.write_text(json.dumps(of_type(messages(first.stdout), "STATE")[-1]["value"]))
    second = run_command("--catalog", str(catalog_file), "--state", str(state_file))

    assert (first.returncode, second.returncode) == (0, 0)
    assert records(messages(first.stdout), "countries") == [{"Code": "FR"}, {"Code": "DE"}]
    [bookmark] = of_type(messages(first.stdout), "STATE")[-1]["value"]["bookmarks"].items()
    [activation] = of_type(messages(first.stdout), "ACTIVATE_VERSION")
    assert bookmark == ("countries", {"v": 1, "rows": 2, "version": activation["version"]})
    assert records(messages(second.stdout), "countries") == records(messages(first.stdout), "countries")
    assert not any(message.get("stream") == "months" for message in messages(first.stdout))


@pytest.mark.parametrize("command", [["--discover"], ["--check"], []], ids=["discover", "check", "sync"])
def test_a_setting_without_effect_is_named_once_in_every_command(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], command: list[str]
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run_command(*command, config={**config, "snapshot_uri": "/snapshots"})

    assert result.returncode == 0
    assert result.stderr.count("snapshot_uri has no effect with change_detection: none") == 1


def test_test_mode_emits_one_record_of_each_stream_and_no_state(pigment: Pigment, run_command: RunCommand) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", "Month;Days\r\nJan;31\r\nFeb;28\r\n")

    result = run_command("--test")

    assert result.returncode == 0
    assert [message["stream"] for message in of_type(messages(result.stdout), "RECORD")] == ["countries", "months"]
    assert of_type(messages(result.stdout), "STATE") == []
    assert not re.search(r"\b(WARNING|ERROR)\b", result.stderr)


def test_test_mode_fails_if_a_stream_fails_in_discovery(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.always_answer(pigment.add_list("Months", "Month\r\nJan\r\n"), Answer(500, b"oops"))

    result = run_command("--test", config={**config, "max_retries": 0})

    assert result.returncode == 1
    assert "1 of 2 streams failed. The others are complete." in result.stderr


@pytest.mark.parametrize("option", ["--test=foo", "--test=", "--test=disabled"])
def test_test_mode_of_another_name_is_refused(run_command: RunCommand, option: str) -> None:
    result = run_command(option)

    assert result.returncode == 2
    assert result.stdout == ""
    assert f"'{option.removeprefix('--test=')}' is not one of 'all', 'schema'." in result.stderr


def test_test_mode_reports_a_wrong_setting_without_traceback(run_command: RunCommand) -> None:
    result = run_command("--test", config={"max_retries": "many"})

    assert result.returncode == 1
    assert "'many' is not of type 'integer'" in result.stderr
    assert "Traceback" not in result.stderr


def test_test_mode_schema_emits_schemas_only(pigment: Pigment, run_command: RunCommand) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run_command("--test=schema")

    assert result.returncode == 0
    assert [message["type"] for message in messages(result.stdout)] == ["SCHEMA"]
    assert "2 requests (0 retries)" in result.stderr.splitlines()[-1]


def test_test_mode_schema_fails_if_a_stream_fails(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Currencies", COUNTRIES)
    pigment.always_answer(pigment.add_list("Months", "Month\r\nJan\r\n"), Answer(500, b"oops"))
    overrides = {"currencies": {"key_columns": ["Nmae"]}}

    result = run_command("--test=schema", config={**config, "max_retries": 0, "stream_overrides": overrides})

    *_, report, title, months, currencies = result.stderr.splitlines()
    assert result.returncode == 1
    assert "4 requests (0 retries)" in report
    assert title.endswith("2 of 3 streams failed. The others are complete.")
    assert months.startswith("  months      Pigment failed (500).")
    assert currencies.startswith("  currencies  stream_overrides.currencies.key_columns: no column Nmae in the export.")


def test_settings_can_come_from_the_environment(pigment: Pigment) -> None:
    pigment.add_list("Countries", COUNTRIES)
    environment = {
        **os.environ,
        "TAP_PIGMENT_API_URL": pigment.url,
        "TAP_PIGMENT_API_KEY": API_KEY,
        "TAP_PIGMENT_APPLICATION_IDS": '["0a000000-0000-4000-8000-000000000001"]',
        "TAP_PIGMENT_STREAM_OVERRIDES": '{"countries": {"key_columns": ["Name"]}}',
    }

    result = run_with_environment(environment)

    assert of_type(messages(result.stdout), "SCHEMA")[0]["key_properties"] == ["Name"]


def test_about_needs_neither_config_nor_network() -> None:
    settings = json.loads(about("--format", "json"))

    assert settings["name"] == "tap-pigment"
    assert settings["capabilities"] == [
        "catalog",
        "discover",
        "state",
        "test",
        "about",
        "activate-version",
        "stream-maps",
        "schema-flattening",
        "batch",
        "structured-logging",
    ]
    assert settings["settings"]["properties"]["api_key"]["secret"] is True


def test_about_in_markdown_has_a_table_of_settings() -> None:
    text = about("--format", "markdown")

    assert "| api_key" in text
    assert "| stream_overrides" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"application_id": None}, "'application_id' is a required property"),
        ({"api_key": None}, "'api_key' is a required property"),
        ({"api_url": "http://pigment.example/api"}, "api_url: plain http to pigment.example"),
        ({"aplication": "x"}, "'aplication' was unexpected"),
        ({"max_retries": "many"}, "'many' is not of type 'integer'"),
        ({"block_types": ["Lists"]}, "'Lists' is not one of"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_emitted(
    run_command: RunCommand, config: Mapping[str, Any], change: Mapping[str, Any], message: str
) -> None:
    wrong = {name: value for name, value in {**config, **change}.items() if value is not None}

    result = run_command(config=wrong)

    assert result.returncode == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("options", [(), ("--discover",), ("--test",)])
def test_a_wrong_api_key_is_one_error_line_without_the_key(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], options: tuple[str, ...]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    wrong = "pgmt_" + "Wr0ng" * 9 + "x"

    result = run_command(*options, config={**config, "api_key": wrong})

    errors = [line for line in result.stderr.splitlines() if re.search(r"\bERROR\b", line)]
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(errors) == 1
    assert "does not accept the API key (401)" in errors[0]
    assert "Traceback" not in result.stderr
    assert wrong not in result.stderr


def test_a_failed_export_ends_with_exit_code_1_and_a_report(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    months = pigment.add_list("Months", "Month\r\nJan\r\n")
    catalog = tmp_path / "catalog.json"
    catalog.write_text(run_command("--discover").stdout)
    pigment.always_answer(months, Answer(500, b"oops"))

    result = run_command("--catalog", str(catalog), config={**config, "max_retries": 0})

    *_, title, row = result.stderr.splitlines()
    assert result.returncode == 1
    assert [message["type"] for message in messages(result.stdout)] == [
        "SCHEMA",
        "RECORD",
        "RECORD",
        "ACTIVATE_VERSION",
        "STATE",
    ]
    assert title.endswith("1 of 2 streams failed. The others are complete.")
    assert row == "  months  Pigment failed (500). Run again later. Pigment's answer: oops"
    assert "Traceback" not in result.stderr


def test_metrics_of_the_sdk_count_every_request(pigment: Pigment, run_command: RunCommand, tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = tmp_path / "catalog.json"
    catalog.write_text(run_command("--discover").stdout)
    pigment.requests.clear()
    pigment.answer_next_exports(Answer(503, headers={"Retry-After": "0"}))

    result = run_command("--catalog", str(catalog))

    points = [json.loads(line.split("METRIC: ")[1]) for line in result.stderr.splitlines() if "METRIC: " in line]
    counted = {point["tags"]["stream"]: point["value"] for point in points if point["metric"] == "http_request_count"}
    rows = {point["tags"]["stream"]: point["value"] for point in points if point["metric"] == "record_count"}
    assert counted == {"metadata": 1, "countries": 2}
    assert sum(counted.values()) == len(pigment.requests)
    assert rows == {"countries": 2}


def test_an_invalid_stream_map_is_an_error_without_traceback(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run_command(config={**config, "stream_maps": {"countries": {"Name": "nonsense("}}})

    assert result.returncode == 1
    assert "stream_maps: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("key", ["SECRET-custom-key", "pgmt_abc-SECRET.x", {"a": "SECRET"}])
def test_no_form_of_an_api_key_is_shown(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], key: object
) -> None:
    pigment.always_answer("/blocks", Answer(401, f"bad key {key}".encode()))

    result = run_command(config={**config, "api_key": key})

    assert result.returncode == 1
    assert "SECRET" not in result.stderr + result.stdout


def test_a_signal_stops_a_run_that_waits_for_the_rate_limit(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    (tmp_path / "config.json").write_text(json.dumps({**config, "requests_per_window": 1}))
    command = [sys.executable, "-m", "tap_pigment", "--config", str(tmp_path / "config.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        assert any("requests_per_window allows 1 in 5 minutes" in line for line in running.stderr)

        running.send_signal(signal.SIGTERM)
        try:
            _, log = running.communicate(timeout=60)
        finally:
            running.kill()

    assert running.returncode == 143
    assert "1 request (0 retries), 0.0 MB received, " in log


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_stopped_run_has_the_signals_exit_code_and_leaves_nothing(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path, number: int, code: int
) -> None:
    pigment.add_list("Numbers", "Code\r\n" + "".join(f"{number}\r\n" for number in range(200_000)))
    pigment.add_list("Others", "Code\r\nA\r\n")
    spool_dir = tmp_path / "spool"
    spool_dir.mkdir()
    (tmp_path / "config.json").write_text(json.dumps({**config, "spool_dir": str(spool_dir)}))
    command = [sys.executable, "-m", "tap_pigment", "--config", str(tmp_path / "config.json")]
    # Without coverage: its tracer holds a lock that is never released if the signal interrupts it there.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdout
        try:
            assert json.loads(running.stdout.readline())["type"] == "SCHEMA"

            running.send_signal(number)
            rest, log = running.communicate(timeout=60)
        finally:
            running.kill()  # A run that hangs must not hold the test.

    assert running.returncode == code
    assert f"Stopped by {signal.Signals(number).name}" in log
    assert '"stream":"others"' not in rest
    assert list(spool_dir.iterdir()) == []
