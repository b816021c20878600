"""`--check`: its findings about API key, scopes, applications and quota, and the requests that it sends."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib import Catalog

from tap_pigment.connection_test import check_connection
from tap_pigment.pigment import PigmentClient
from tap_pigment.sandbox.api.app import pigment_app
from tap_pigment.sandbox.server import Server, serving
from tap_pigment.settings import Settings
from tests.integration.sandbox import small_workspace
from tests.support.pigment import API_KEY, APPLICATION_ID, Answer
from tests.support.taps import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, RunCommand

LOGGER = logging.getLogger("test-check")
COUNTRIES = "Code;Name\r\nFR;France\r\n"
KEY_IS_FINE = "ok   Pigment accepts the API key, which has the Modeling Metadata scope and sees 1 application."
SPOOL_IS_FINE = f"ok   spool_dir: {tempfile.gettempdir()} can be used."
NO_EXPORT_TRIED = "--   Export scope: not tried, because no extracted block is known."
NOTHING_TRIED = ["--   Applications and blocks: not tried, because they cannot be listed.", NO_EXPORT_TRIED]


def client_of(config: Mapping[str, Any], **settings: object) -> PigmentClient:
    """Return the client of a check, on a clock that only waits move."""
    clock = Clock()
    checked = Settings.from_config({**config, **settings, "max_retries": 0})
    return PigmentClient(checked, LOGGER, clock=clock, sleep=clock.sleep)


def lines(config: Mapping[str, Any], **settings: object) -> list[str]:
    """Return the lines of a check without the one about the spool directory, and the last one, about the quota."""
    client = client_of(config, **settings)
    *found, quota = [str(finding) for finding in check_connection(client, Settings.from_config({**config, **settings}))]
    assert quota.startswith("ok   requests_per_window allows 500 in 5 minutes, ")
    found.remove(SPOOL_IS_FINE)
    return found


def failed(found: list[str]) -> list[str]:
    """Return the lines of failures."""
    return [line for line in found if line.startswith("FAIL")]


# Against a Pigment of one application


def test_a_successful_check_lists_its_findings_with_3_requests(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add("Sales", "Metric", "Month;Sales\r\n")

    client = client_of(config)
    found = [str(finding) for finding in check_connection(client, Settings.from_config(config))]

    assert found == [
        KEY_IS_FINE,
        f"ok   Application Finance ({APPLICATION_ID}): 2 blocks.",
        "ok   Blocks extracted: 1 of 2.",
        "ok   The API key has the Export scope: countries can be exported, with 2 columns.",
        SPOOL_IS_FINE,
        ("ok   requests_per_window allows 500 in 5 minutes, Pigment 500 for each IP address. This check sent 3."),
    ]
    assert [request.path.rpartition("/v1")[2] for request in pigment.requests] == [
        "/applications",
        "/blocks",
        "/export/list/00000001-0000-4000-8000-000000000001",
    ]


def test_only_the_header_of_an_export_is_read(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Texts", "Code;Text\r\nA;" + "x" * 3_000_000 + "\r\n")
    client = client_of(config)

    list(check_connection(client, Settings.from_config(config)))

    assert float(str(client.stats).split(" MB")[0].split()[-1]) <= 0.3


def test_the_first_extracted_block_is_tried(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Secrets", COUNTRIES)
    countries = pigment.add_list("Countries", COUNTRIES)

    found = lines(config, exclude=["secrets"])

    assert "ok   Blocks extracted: 1 of 2." in found
    assert [request.path.rpartition("/")[2] for request in pigment.requested("/export/")] == [countries]


def test_a_wrong_api_key_fails_and_the_rest_is_not_tried(pigment: Pigment, config: Mapping[str, Any]) -> None:
    found = lines(config, api_key="pgmt_Wrong")

    assert found == [
        (
            "FAIL Listing the applications: Pigment does not accept the API key (401). Set metadata_api_key, or "
            "api_key where that is not set, to a key that is valid and not revoked."
        ),
        *NOTHING_TRIED,
    ]
    assert len(pigment.requests) == 1


def test_an_unknown_application_fails_with_the_visible_ones(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)

    found = lines(config, application_id="0b")

    assert found == [
        KEY_IS_FINE,
        (
            "FAIL Listing the blocks of application 0b: not found (404). Check application_id, and that api_url is "
            f"the API's address. The API key sees: Finance ({APPLICATION_ID})."
        ),
        NO_EXPORT_TRIED,
    ]


def test_an_application_without_blocks_that_is_not_listed_fails(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.applications = [{"id": f"id-{number}", "name": f"App {number}"} for number in range(12)]
    pigment.always_answer("/blocks", Answer(body=b"[]"))

    [line] = failed(lines(config, application_id="0b"))

    assert line.startswith(
        "FAIL Application 0b: no block is visible. Check application_id, and the access rights of the API key's owner "
        "in Pigment. The API key sees: App 0 (id-0), App 1 ("
    )
    assert line.endswith(", App 9 (id-9), and 2 more.")


def test_an_api_key_that_sees_no_application_is_reported(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.applications = []
    pigment.always_answer("/blocks", Answer(404))

    [line] = failed(lines(config))

    assert line.endswith(" The API key sees no application.")


def test_an_application_that_is_not_listed_but_has_blocks_is_ok(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.applications = []
    pigment.add_list("Countries", COUNTRIES)

    found = lines(config)

    assert failed(found) == []
    assert f"ok   Application {APPLICATION_ID}: 1 block." in found


def test_each_application_has_a_line_and_costs_one_request(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)

    found = lines(config, application_ids=["0b", "0c"])

    assert [line[:4] for line in found] == ["ok  ", "ok  ", "FAIL", "FAIL", "ok  ", "ok  "]
    assert found[5] == "ok   The API key has the Export scope: finance_countries can be exported, with 2 columns."
    assert len(pigment.requests) == 2 + 3


def test_a_listed_application_without_blocks_is_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    found = lines(config)

    assert found == [
        KEY_IS_FINE,
        (
            f"FAIL Application Finance ({APPLICATION_ID}): no block is visible. Check application_id, and the access "
            "rights of the API key's owner in Pigment."
        ),
        NO_EXPORT_TRIED,
    ]
    assert len(pigment.requests) == 2


def test_settings_that_include_no_block_are_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)

    found = lines(config, include=["Contries"])

    assert found[2:] == [
        (
            'FAIL No block is extracted: 1 block listed, 1 of block_types. include: "Contries" matches no block of '
            "block_types. Check include, exclude and block_types."
        ),
        NO_EXPORT_TRIED,
    ]


def test_if_only_views_are_extracted_a_view_is_tried(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_view("Overview", COUNTRIES)

    found = lines(config, block_types=["View"])

    assert found[2:] == [
        "ok   Blocks extracted: 1 of 2.",
        "ok   The API key has the Export scope: overview can be exported, with 2 columns.",
    ]
    assert len(pigment.requests) == 4


def test_a_pattern_that_matches_a_view_is_fine(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_view("Overview", COUNTRIES)

    found = lines(config, block_types=["DimensionList", "View"], include=["countries", "overview"])

    assert failed(found) == []
    assert "ok   Blocks extracted: 2 of 2." in found
    assert len(pigment.requests) == 4


def test_settings_that_include_no_view_are_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_view("Overview", COUNTRIES)

    found = lines(config, block_types=["View"], exclude=["*view"])

    assert failed(found) == [
        "FAIL No block is extracted: 2 blocks listed, 1 of block_types. Check include, exclude and block_types."
    ]


def test_views_are_never_listed_block_by_block(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.always_answer("/views", Answer(400))

    found = lines(config, block_types=["View"])

    assert [line[:4] for line in found[2:]] == ["--  ", "--  "]
    assert found[-1] == NO_EXPORT_TRIED
    assert len(pigment.requests) == 3


def test_an_override_that_matches_no_stream_is_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    overrides = {"contries": {"name": "lands"}, "countries": {"key_columns": ["Code"]}}

    found = lines(config, stream_overrides=overrides)

    [line] = failed(found)
    assert line == (
        "FAIL stream_overrides.contries has no effect: no extracted stream has this name or block id. Correct or "
        "remove it."
    )


def test_an_override_of_an_excluded_block_is_no_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", COUNTRIES)

    found = lines(config, exclude=["months"], stream_overrides={"months": {"key_columns": ["Code"]}})

    assert failed(found) == []


def test_a_check_of_metadata_alone_needs_no_block_of_block_types(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add("Sales", "Metric", "Month;Sales\r\nJan;1\r\n")

    found = lines(config, include=[], metadata_streams=True)

    assert failed(found) == []


def test_an_override_is_not_judged_while_an_application_cannot_be_listed(
    pigment: Pigment, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    staff = pigment.add_application("HR")
    pigment.application_answers[staff] = Answer(404)

    found = lines(config, application_id=None, application_ids=["*"], stream_overrides={"hr_people": {"name": "x"}})

    assert len(failed(found)) == 1
    assert any(line.startswith("--   stream_overrides.hr_people has no effect") for line in found)


def test_an_override_of_a_name_in_the_catalog_is_none(
    pigment: Pigment, config: Mapping[str, Any], discover: Discover
) -> None:
    block = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.blocks[block]["name"] = "Lands"
    overrides = {"stream_overrides": {"countries": {"key_columns": ["Code"]}}}
    client, settings = client_of(config, **overrides), Settings.from_config({**config, **overrides})

    found = [str(finding) for finding in check_connection(client, settings, Catalog.from_dict(catalog))]

    assert failed(found) == []


def test_a_listing_of_views_that_is_redirected_is_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.always_answer("/views", Answer(302, headers={"Location": "/login"}))

    [line] = failed(lines(config, block_types=["DimensionList", "View"]))

    assert line.startswith(f"FAIL Listing the views of application {APPLICATION_ID}: Pigment redirects (302)")


def test_two_streams_with_one_name_are_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Lands", COUNTRIES)

    [line] = failed(lines(config, stream_overrides={"lands": {"name": "countries"}}))

    assert line.startswith("FAIL stream_overrides: two streams have the name countries")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(403), "FAIL countries: the API key lacks the Export scope, or its owner may not see this"),
        (Answer(404), "FAIL countries: the block no longer exists in Pigment (404)."),
        (Answer(429), "FAIL countries: Pigment's quota is used up (429)"),
        (
            Answer(body=b"<html>", headers={"Content-Type": "text/html"}),
            "FAIL countries: the response is a web page, such as a login page",
        ),
    ],
)
def test_a_failed_export_is_reported_and_not_retried(
    pigment: Pigment, config: Mapping[str, Any], answer: Answer, message: str
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.always_answer("/export/", answer)

    [line] = failed(lines(config))

    assert message in line
    assert len(pigment.requests) == 3


def test_more_requests_than_pigment_allows_are_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)
    greedy = {**config, "requests_per_window": 501}

    *_, quota = check_connection(client_of(greedy), Settings.from_config(greedy))

    assert str(quota) == (
        "FAIL requests_per_window allows 501 in 5 minutes, Pigment 500 for each IP address. Lower it."
    )


def test_an_unreachable_host_is_reported_after_1_try(config: Mapping[str, Any]) -> None:
    with serving(pigment_app(small_workspace.WORKSPACE)) as server:
        url = server.url

    found = lines(config, api_url=url)

    assert found[0].startswith(f"FAIL Listing the applications: cannot reach {url}: ")
    assert "(1 try). Check api_url, the network and the proxy." in found[0]
    assert found[1:] == NOTHING_TRIED


# Against the sandbox, where scopes can be split over two API keys


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(pigment_app(small_workspace.WORKSPACE)) as server:
        yield server


@pytest.mark.parametrize(
    ("keys", "failures"),
    [
        pytest.param({"api_key": small_workspace.KEY}, [], id="one key with both scopes"),
        pytest.param(
            {"api_key": small_workspace.EXPORT_KEY, "metadata_api_key": small_workspace.METADATA_KEY},
            [],
            id="a key for each scope",
        ),
        pytest.param(
            {"api_key": small_workspace.EXPORT_KEY},
            ["FAIL Listing the applications: the API key lacks the Modeling Metadata scope (403). Have it granted"],
            id="no Modeling Metadata",
        ),
        pytest.param(
            {"api_key": small_workspace.METADATA_KEY},
            ["FAIL currencies: the API key lacks the Export scope, or its owner may not see this block"],
            id="no Export",
        ),
        pytest.param(
            {"api_key": "pgmt_unknown", "metadata_api_key": small_workspace.METADATA_KEY},
            ["FAIL currencies: Pigment does not accept the API key (401). Set api_key to a key that"],
            id="an unknown key for exports",
        ),
    ],
)
def test_each_scope_is_checked_with_its_api_key(server: Server, keys: Mapping[str, str], failures: list[str]) -> None:
    found = lines({"api_url": server.url, "application_id": small_workspace.PLANNING_ID, **keys})

    assert len(failed(found)) == len(failures)
    for line, failure in zip(failed(found), failures, strict=True):
        assert line.startswith(failure)


def test_a_used_up_quota_is_reported_after_1_try() -> None:
    with serving(pigment_app(small_workspace.WORKSPACE, quota=0)) as server:
        config = {"application_id": small_workspace.PLANNING_ID, "api_key": small_workspace.KEY}
        found = lines({"api_url": server.url, **config})

    assert found[0].startswith("FAIL Listing the applications: Pigment's quota is used up (429): ")
    assert "Wait 5 minutes" in found[0]
    assert found[1:] == NOTHING_TRIED


# The command


def test_a_successful_command_has_exit_code_0(pigment: Pigment, run_command: RunCommand) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run_command("--check")

    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == KEY_IS_FINE
    assert [line[:5] for line in result.stdout.splitlines()] == ["ok   "] * 6
    assert len(pigment.requests) == 3


def test_a_failed_command_has_exit_code_1(pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]) -> None:
    result = run_command("--check", config={**config, "api_key": "pgmt_Wr0ngKey", "max_retries": 3})

    assert result.returncode == 1
    assert [line[:5] for line in result.stdout.splitlines()] == ["FAIL ", "--   ", "--   ", "ok   ", "ok   "]
    assert "Traceback" not in result.stderr
    assert "Wr0ngKey" not in result.stdout + result.stderr
    assert len(pigment.requests) == 1


def test_the_command_ignores_max_retries(pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]) -> None:
    pigment.always_answer("/applications", Answer(429, headers={"Retry-After": "300"}))

    result = run_command("--check", config={**config, "max_retries": 3})

    assert result.returncode == 1
    assert result.stdout.startswith("FAIL Listing the applications: Pigment's quota is used up (429)")
    assert len(pigment.requests) == 1


def test_the_command_reads_settings_from_the_environment(pigment: Pigment) -> None:
    pigment.add_list("Countries", COUNTRIES)
    environment = {
        **os.environ,
        "TAP_PIGMENT_API_URL": pigment.url,
        "TAP_PIGMENT_API_KEY": API_KEY,
        "TAP_PIGMENT_APPLICATION_IDS": json.dumps([APPLICATION_ID]),
    }

    result = subprocess.run(
        [sys.executable, "-m", "tap_pigment", "--config=ENV", "--check"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    assert result.returncode == 0
    assert result.stdout.startswith(KEY_IS_FINE)


def test_the_command_leaves_no_file(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run_command("--check", config={**config, "spool_dir": str(tmp_path)})

    assert result.returncode == 0
    assert [line[:5] for line in result.stdout.splitlines()] == ["ok   "] * 6
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_missing_spool_directory_is_a_failure(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    result = run_command("--check", config={**config, "spool_dir": str(tmp_path / "nowhere")})

    assert result.returncode == 1
    assert failed(result.stdout.splitlines()) == [
        (
            f"FAIL spool_dir: cannot make a directory in {tmp_path / 'nowhere'}: No such file or directory. Set "
            "spool_dir to a directory that exists and can be written."
        )
    ]
    assert "Traceback" not in result.stderr


def test_no_usable_directory_for_temporary_files_is_a_failure(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    (tmp_path / "config.json").write_text(json.dumps(config))
    # A process that can write no file cannot be measured either.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}

    result = subprocess.run(
        [sys.executable, "-m", "tap_pigment", "--config", str(tmp_path / "config.json"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )

    assert result.returncode == 1
    [failure] = failed(result.stdout.splitlines())
    assert failure.startswith("FAIL spool_dir: cannot make a directory in the system directory for temporary files: ")
    assert "Traceback" not in result.stderr


def test_a_wrong_setting_is_named_before_the_first_request(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    result = run_command("--check", config={**config, "application_id": None})

    assert result.returncode == 1
    assert result.stdout == ""
    assert "'application_id' is a required property" in result.stderr
    assert pigment.requests == []


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"change_detection": "row", "snapshot_uri": "{folder}/file/below"},
            "FAIL snapshot_uri: cannot use {folder}/file/below: [Errno 20] Not a directory: '{folder}/file/below'.",
        ),
        (
            {"change_detection": "row", "snapshot_uri": "s4://bucket"},
            "FAIL snapshot_uri: cannot use s4://bucket: Protocol not known: s4.",
        ),
        (
            {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "{folder}/file"}}},
            "FAIL batch_config.storage.root: cannot use {folder}/file: ",
        ),
        (
            {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "{folder}/new"}}},
            "ok   batch_config.storage.root: {folder}/new can be used.",
        ),
    ],
)
def test_stores_are_checked(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path, settings: dict[str, Any], line: str
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    (tmp_path / "file").write_text("")
    placed = json.loads(json.dumps(settings).replace("{folder}", str(tmp_path)))

    found = lines(config, **placed)

    assert [each for each in found if each.startswith(line.replace("{folder}", str(tmp_path)))]
    assert len(failed(found)) == line.startswith("FAIL")


def test_an_override_that_does_not_fit_is_a_failure(pigment: Pigment, config: Mapping[str, Any]) -> None:
    pigment.add_list("Countries", COUNTRIES)

    found = lines(config, stream_overrides={"countries": {"types": {"Nme": "date"}}})

    assert failed(found) == [
        "FAIL stream_overrides.countries.types: no column Nme in the export. Its columns: Code, Name."
    ]


@pytest.mark.parametrize(
    ("option", "content", "problem"),
    [
        ("--catalog", {"streams": []}, "FAIL --catalog: it has no streams, so nothing can be extracted."),
        ("--catalog", {"selected": False}, "FAIL No stream is selected, so nothing is extracted."),
        ("--catalog", {"table_name": "gone"}, "FAIL countries: the block is in the catalog and not in Pigment."),
        ("--catalog", {"selected": True}, "ok   --catalog: 1 of 1 stream selected."),
        ("--state", {"x": 1}, "it is not an object with bookmarks."),
    ],
)
def test_the_files_of_the_command_are_checked(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    pigment: Pigment,
    discover: Discover,
    run_command: RunCommand,
    tmp_path: Path,
    option: str,
    content: dict[str, Any],
    problem: str,
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    if "selected" in content:
        root = next(item for item in catalog["streams"][0]["metadata"] if item["breadcrumb"] == [])
        root["metadata"]["selected"] = content["selected"]
    elif "table_name" in content:
        catalog["streams"][0] |= content
    else:
        catalog = content
    path = tmp_path / "file.json"
    path.write_text(json.dumps(catalog))

    ended = run_command("--check", option, str(path))

    assert problem in ended.stdout + ended.stderr
    assert ended.returncode == (not problem.startswith("ok"))
