"""Raw request bodies with mistakes: nothing is sent with them, in a run, in discovery and by `--check`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import StreamsFailedError
from tests.support.taps import of_type, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunCommand

ITEM = "f0000000-0000-4000-8000-000000000001"
# Right for a metric: what is wrong is known once the blocks are listed.
FOR_METRICS: dict[str, Any] = {"countries": {"request": {"scenarios": [ITEM]}}}
FOR_NONE: dict[str, Any] = {"countries": {"request": {"listFilter": [ITEM, "FR"], "listfilter": []}}}
OF_ANOTHER_KIND = (
    "stream_overrides.countries.request.scenarios: only a block of another kind takes it (allowed: dateFormat, "
    "decimalSeparator, encoding, fieldDelimiter, friendlyHeaders, listFilter, propertyFilters, "
    "propertyTechnicalNames). Remove it."
)


@pytest.fixture(autouse=True)
def blocks(pigment: Pigment) -> list[str]:
    """The ids of two lists."""
    return [pigment.add_list(name, "Code\r\nA\r\n") for name in ("Countries", "Months")]


def exported(pigment: Pigment) -> set[str]:
    """Return the ids of the blocks whose exports were requested."""
    return {request.path.rpartition("/")[2] for request in pigment.requested("/export/")}


@pytest.mark.parametrize("option", ["--check", "--discover"])
def test_a_mistake_for_every_kind_of_block_is_named_before_the_first_request(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], option: str
) -> None:
    ended = run_command(option, config={**config, "stream_overrides": FOR_NONE})

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert 'stream_overrides.countries.request.listFilter[1]: "FR" is not a UUID.' in ended.stderr
    assert "stream_overrides.countries.request.listfilter: unknown key (allowed: " in ended.stderr
    assert "Did you mean listFilter?" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert pigment.requests == []


def test_the_check_names_a_mistake_for_the_kind_and_tries_another_export(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], blocks: list[str]
) -> None:
    ended = run_command("--check", config={**config, "stream_overrides": FOR_METRICS})

    assert ended.returncode == 1
    assert f"FAIL {OF_ANOTHER_KIND}" in ended.stdout.splitlines()
    assert "ok   The API key has the Export scope: months can be exported, with 1 column." in ended.stdout.splitlines()
    assert exported(pigment) == {blocks[1]}


def test_the_check_tries_no_export_if_every_request_is_wrong(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    ended = run_command("--check", config={**config, "stream_overrides": FOR_METRICS, "exclude": ["months"]})

    assert [line for line in ended.stdout.splitlines() if "Export scope" in line or "FAIL" in line] == [
        f"FAIL {OF_ANOTHER_KIND}",
        "--   Export scope: not tried, because no extracted block has a valid request.",
    ]
    assert exported(pigment) == set()


@pytest.mark.parametrize("has_catalog", [False, True], ids=["discovery", "catalog"])
def test_a_mistake_for_the_kind_fails_its_stream_and_no_other(
    pigment: Pigment, discover: Discover, tap: MakeTap, blocks: list[str], *, has_catalog: bool
) -> None:
    catalog = discover() if has_catalog else None
    pigment.requests.clear()
    running = tap(catalog=catalog, stream_overrides=FOR_METRICS, on_stream_error="continue")

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    assert str(caught.value).splitlines() == [
        "1 of 2 streams failed. The others are complete.",
        f"  countries  {OF_ANOTHER_KIND}",
    ]
    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["months"]
    assert exported(pigment) == {blocks[1]}


def test_discovery_leaves_out_the_stream(
    pigment: Pigment, discover: Discover, caplog: pytest.LogCaptureFixture, blocks: list[str]
) -> None:
    caplog.set_level(logging.WARNING)

    catalog = discover(stream_overrides=FOR_METRICS)

    assert [entry["tap_stream_id"] for entry in catalog["streams"]] == ["months"]
    assert f"{OF_ANOTHER_KIND} The stream is not in the catalog." in caplog.messages
    assert exported(pigment) == {blocks[1]}
