"""`application_ids: ["*"]`: every application that the key sees, and those that fail."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.connection_test import check_connection
from tap_pigment.errors import ApiKeyError, NotFoundError, SettingsError, StreamsFailedError
from tap_pigment.pigment import PigmentClient
from tap_pigment.settings import Settings
from tests.support.pigment import APPLICATION_ID, Answer
from tests.support.taps import of_type, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunCommand

LOGGER = logging.getLogger("test-every-application")
NOTHING_VISIBLE = (
    "application_ids: the API key sees no application with a block. Check the access rights of its owner in Pigment."
)
COUNTRIES = "Code;Name\r\nFR;France\r\n"


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    """The config of every application."""
    return {**{name: value for name, value in config.items() if name != "application_id"}, "application_ids": ["*"]}


@pytest.fixture
def staff(pigment: Pigment) -> str:
    """The id of an application beside the first one, with a block of its own and a shared one."""
    countries = pigment.add_list("Countries", COUNTRIES)
    return pigment.add_application("HR", blocks=[pigment.add_list("Staff", COUNTRIES)], shared=[countries])


def names(catalog: Mapping[str, Any]) -> list[str]:
    """Return the names of the streams of a catalog."""
    return [item["tap_stream_id"] for item in catalog["streams"]]


@pytest.mark.usefixtures("staff")
def test_the_check_names_a_shared_block_as_a_run_does(config: Mapping[str, Any]) -> None:
    settings = Settings.from_config(config)

    checked = [str(finding) for finding in check_connection(PigmentClient(settings, LOGGER), settings)]

    assert "ok   Blocks extracted: 2 of 2." in checked
    assert any("finance_countries can be exported" in line for line in checked)


@pytest.mark.usefixtures("staff")
def test_a_shared_block_is_one_stream_of_the_first_application_that_lists_it(
    pigment: Pigment, discover: Discover
) -> None:
    assert names(discover()) == ["finance_countries", "hr_staff"]

    pigment.applications.reverse()

    assert names(discover()) == ["hr_countries", "hr_staff"]


def test_the_name_of_a_single_application_comes_first_too(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", COUNTRIES)

    assert names(discover()) == ["finance_countries"]


def test_an_application_without_blocks_is_no_failure(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_application("Empty")

    assert names(discover(block_types=["DimensionList", "View"])) == ["finance_countries"]
    assert [request.query["applicationId"] for request in pigment.requested("/v1/views")] == [[APPLICATION_ID]]


@pytest.mark.parametrize(("status", "problem"), [(403, "lacks the Modeling Metadata scope"), (404, "not found (404)")])
@pytest.mark.parametrize("has_catalog", [True, False])
def test_an_application_that_fails_fails_by_itself(  # noqa: PLR0913, PLR0917 - fixtures and parameters.
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
    staff: str,
    status: int,
    problem: str,
    *,
    has_catalog: bool,
) -> None:
    catalog = discover() if has_catalog else None
    pigment.application_answers[staff] = Answer(status)
    running = tap(catalog=catalog, on_stream_error="continue")

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    first, *lines = str(caught.value).splitlines()
    streams = "1 of 2 streams and " if has_catalog else ""
    assert first == f"{streams}1 application failed. The others are complete."
    assert f"application HR ({staff})  Listing the blocks of application {staff}: " in lines[-1]
    assert all(problem in line for line in lines)
    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["finance_countries"]


def test_views_that_cannot_be_listed_fail_their_application(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.always_answer("/v1/views", Answer(404))

    with pytest.raises(NotFoundError, match=f"^Listing the views of application {APPLICATION_ID}: not found"):
        tap(block_types=["DimensionList", "View"]).sync_all()


def test_a_failed_application_warns_at_discovery(pigment: Pigment, run_command: RunCommand, staff: str) -> None:
    pigment.application_answers[staff] = Answer(404)

    discovered = run_command("--discover")
    synced = run_command()

    assert discovered.returncode == 0
    assert "None of the application's streams is extracted." in discovered.stderr
    assert synced.returncode == 1
    assert "1 application failed. The others are complete." in synced.stderr
    [report] = re.findall("REPORT: (.*)", synced.stderr)
    assert json.loads(report)["failed_applications"] == [f"HR ({staff})"]
    assert "Traceback" not in synced.stderr


def test_a_failed_application_stops_the_run_where_failures_stop_it(pigment: Pigment, tap: MakeTap, staff: str) -> None:
    pigment.application_answers[staff] = Answer(404)
    running = tap(on_stream_error="stop")

    with pytest.raises(NotFoundError):
        running.sync_all()

    assert written(running) == []


def test_streams_of_a_failed_application_are_not_reported_as_lost(
    pigment: Pigment, tap: MakeTap, staff: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = tap()
    before.sync_all()
    pigment.application_answers[staff] = Answer(404)

    with pytest.raises(StreamsFailedError):
        tap(state=before.state, on_stream_error="continue").sync_all()

    assert "no longer extracted" not in caplog.text


@pytest.mark.parametrize("applications", [True, False])
def test_nothing_visible_is_an_error(
    pigment: Pigment, discover: Discover, config: Mapping[str, Any], *, applications: bool
) -> None:
    pigment.applications = pigment.applications if applications else []
    settings = Settings.from_config(config)

    checked = [str(finding) for finding in check_connection(PigmentClient(settings, LOGGER), settings)]

    assert f"FAIL {NOTHING_VISIBLE}" in checked
    with pytest.raises(SettingsError, match=f"^{NOTHING_VISIBLE}$"):
        discover()


def test_if_every_application_fails_the_first_error_is_the_runs(pigment: Pigment, discover: Discover) -> None:
    pigment.application_answers[APPLICATION_ID] = Answer(404)

    with pytest.raises(NotFoundError, match=f"^Listing the blocks of application {APPLICATION_ID}"):
        discover()


def test_a_key_that_is_revoked_ends_the_run(pigment: Pigment, discover: Discover, staff: str) -> None:
    pigment.application_answers[staff] = Answer(401)

    with pytest.raises(ApiKeyError):
        discover()


def test_the_check_has_a_line_for_each_application(pigment: Pigment, run_command: RunCommand, staff: str) -> None:
    empty = pigment.add_application("Empty")
    pigment.application_answers[staff] = Answer(404)

    ended = run_command("--check")

    assert ended.returncode == 1
    assert ended.stdout.splitlines()[:6] == [
        "ok   Pigment accepts the API key, which has the Modeling Metadata scope and sees 3 applications.",
        f"ok   Application Finance ({APPLICATION_ID}): 1 block.",
        (
            f"FAIL Listing the blocks of application {staff}: not found (404). Check application_id, and that api_url "
            "is the API's address."
        ),
        f"ok   Application Empty ({empty}): no block is visible, so it has no stream.",
        "ok   Blocks extracted: 1 of 1.",
        "ok   The API key has the Export scope: finance_countries can be exported, with 2 columns.",
    ]


def test_the_star_stands_alone(pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]) -> None:
    ended = run_command("--check", config={**config, "application_id": APPLICATION_ID})

    assert ended.returncode == 1
    assert 'application_ids: "*" already means every application' in ended.stderr
    assert pigment.requests == []
