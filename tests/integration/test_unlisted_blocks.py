"""Blocks that overrides give by id and type: exported with a key that has only the Export scope."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from singer_sdk.singerlib import Catalog

from tap_pigment.connection_test import Mark, check_connection
from tap_pigment.errors import NotFoundError, SettingsError, StreamsFailedError
from tap_pigment.pigment import PigmentClient
from tap_pigment.settings import Settings
from tests.support.doc_pages import blocks
from tests.support.pigment import APPLICATION_ID, Answer
from tests.support.taps import of_type, records, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunCommand, RunTap

LOGGER = logging.getLogger("test-unlisted-blocks")
COUNTRIES = "Code_AAAAAA;Name_BBBBBB\r\nFR;France\r\n"
PLAN = "Month_AAAAAA;Revenue_BBBBBB\r\nJan;10\r\n"
ITEM = "f0000000-0000-4000-8000-000000000001"


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    """The config without an application."""
    return {name: value for name, value in config.items() if name != "application_id"}


@pytest.fixture(autouse=True)
def export_scope_only(pigment: Pigment) -> None:
    """Let the key have only the Export scope."""
    for path in ("/v1/applications", "/v1/blocks", "/v1/views"):
        pigment.always_answer(path, Answer(403))


def given(**types: str) -> dict[str, dict[str, str]]:
    """Return overrides with a `block_type` by id."""
    return {block_id: {"block_type": block_type} for block_id, block_type in types.items()}


def keys(catalog: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the key of each stream of a catalog."""
    return {item["tap_stream_id"]: item["key_properties"] for item in catalog["streams"]}


def test_every_kind_of_block_is_exported_without_a_request_for_metadata(pigment: Pigment, run_tap: RunTap) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    view = pigment.add_view("Board", PLAN)
    overrides = {countries: {"block_type": "DimensionList", "name": "countries"}, view: {"block_type": "View"}}

    messages = run_tap(stream_overrides=overrides)

    assert records(messages, "countries") == [{"Code_AAAAAA": "FR", "Name_BBBBBB": "France"}]
    assert records(messages, "view_fe000000") == [{"Month_AAAAAA": "Jan", "Revenue_BBBBBB": "10"}]
    assert {request.path.rpartition("/v1/")[2] for request in pigment.requests} == {
        f"export/list/{countries}",
        f"export/view/{view}",
    }


def test_the_example_of_the_documentation_runs(pigment: Pigment, run_tap: RunTap) -> None:
    [example] = [block.text for block in blocks() if block.page == "docs/streams.md" and "block_type:" in block.text]
    overrides = yaml.safe_load(example)["config"]["stream_overrides"]
    pigment.exports |= dict.fromkeys(overrides, b"month_GDBAK8;revenue_1X0CA3\r\nJan;10\r\n")

    messages = run_tap(stream_overrides=overrides)

    assert records(messages, "p_l") == [{"month_GDBAK8": "Jan", "revenue_1X0CA3": 10}]
    assert records(messages, "view_9f8e7d6c") == [{"month_GDBAK8": "Jan", "revenue_1X0CA3": "10"}]


def test_keys_need_no_metadata_but_that_of_a_table_does(pigment: Pigment, discover: Discover) -> None:
    pigment.add("Revenue", "Metric", PLAN)
    types = ("DimensionList", "TransactionList", "Metric", "Table")
    ids = [pigment.add("Revenue", block_type, PLAN) for block_type in types]

    catalog = discover(stream_overrides=given(**dict(zip(ids, types, strict=True))))

    assert keys(catalog) == {
        "list_00000002": ["Month_AAAAAA"],
        "list_00000003": ["contentHash", "occurrence"],
        "metric_00000004": ["Month_AAAAAA"],
        "table_00000005": ["contentHash", "occurrence"],
    }


def test_the_override_of_a_table_sets_its_key_and_its_types(pigment: Pigment, discover: Discover) -> None:
    table = pigment.add("Plan", "Table", PLAN)
    override = {"block_type": "Table", "key_columns": ["Month_AAAAAA"], "types": {"Revenue_BBBBBB": "number"}}

    [entry] = discover(stream_overrides={table: override})["streams"]

    assert entry["key_properties"] == ["Month_AAAAAA"]
    assert entry["schema"]["title"] == "table_00000001"
    assert entry["schema"]["properties"]["Revenue_BBBBBB"] == {"type": ["number", "null"]}


def test_a_catalog_keeps_the_block_and_needs_no_metadata_either(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    overrides = given(**{pigment.add_list("Countries", COUNTRIES): "DimensionList"})
    catalog = discover(stream_overrides=overrides)
    catalog["streams"][0]["tap_stream_id"] = catalog["streams"][0]["stream"] = "lands"

    messages = run_tap(catalog=catalog, stream_overrides=overrides)

    assert records(messages, "lands") == [{"Code_AAAAAA": "FR", "Name_BBBBBB": "France"}]
    assert pigment.requested("/v1/blocks") == []


def test_an_id_in_capitals_is_the_same_block(pigment: Pigment, discover: Discover) -> None:
    view = pigment.add_view("Board", PLAN)

    assert keys(discover(stream_overrides={view.upper(): {"block_type": "View", "name": "board"}})) == {
        "board": ["contentHash", "occurrence"]
    }


@pytest.mark.parametrize(
    "filters", [{"include": ["view_*"]}, {"exclude": ["GL"]}, {"include": ["fe000000-*"]}, {"exclude": ["00000001-*"]}]
)
def test_patterns_match_the_name_and_the_id(pigment: Pigment, discover: Discover, filters: dict[str, Any]) -> None:
    ledger = pigment.add("Ledger", "TransactionList", COUNTRIES)
    view = pigment.add_view("Board", PLAN)
    overrides = {ledger: {"block_type": "TransactionList", "name": "gl"}, view: {"block_type": "View"}}

    assert list(keys(discover(stream_overrides=overrides, **filters))) == ["view_fe000000"]


def test_an_id_that_pigment_does_not_know_fails_with_the_remedy(pigment: Pigment, discover: Discover) -> None:
    pigment.add_view("Board", PLAN)

    with pytest.raises(NotFoundError, match=r"^view_f0000000: the block no longer .* or correct the block's id and"):
        discover(stream_overrides=given(**{ITEM: "View"}))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"plan": {"block_type": "View"}},
            "stream_overrides.plan: it has a block_type, so its key must be the id of a block, and plan is not a UUID.",
        ),
        (
            {ITEM: {"block_type": "Metric", "request": {"listFilter": [ITEM]}}},
            f"stream_overrides.{ITEM}.request.listFilter: only a block of another kind takes it",
        ),
    ],
)
def test_a_mistake_is_named_before_anything_is_requested(
    pigment: Pigment,
    run_command: RunCommand,
    config: Mapping[str, Any],
    overrides: dict[str, Any],
    message: str,
) -> None:
    ended = run_command("--check", config={**config, "stream_overrides": overrides})

    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr
    assert "'application_id' is a required property" not in ended.stderr
    assert pigment.requests == []


def test_the_check_tries_each_of_them(pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    view = pigment.add_view("Board", PLAN)
    overrides = given(**{countries: "DimensionList", view: "View", ITEM: "Metric"})

    ended = run_command("--check", config={**config, "stream_overrides": overrides})

    assert ended.returncode == 1
    assert ended.stdout.splitlines()[:5] == [
        "--   Applications and blocks: not listed, because application_id and application_ids are not set.",
        "ok   Blocks extracted: 3 of 3.",
        "ok   The API key has the Export scope: list_00000001 can be exported, with 2 columns.",
        "ok   The API key has the Export scope: view_fe000000 can be exported, with 2 columns.",
        (
            "FAIL metric_f0000000: the block no longer exists in Pigment (404). Discover again to refresh the catalog "
            "(Meltano: add --refresh-catalog), or correct the block's id and block_type if stream_overrides has them."
        ),
    ]
    assert ended.stdout.splitlines()[-1].endswith("This check sent 3.")


def test_a_stream_of_an_older_catalog_needs_an_application(
    pigment: Pigment, discover: Discover, run_tap: RunTap, config: Mapping[str, Any]
) -> None:
    pigment.answer_normally()
    countries = pigment.add_list("Countries", COUNTRIES)
    months = pigment.add_list("Months", COUNTRIES)
    catalog = discover(application_id=APPLICATION_ID)
    overrides = given(**{countries: "DimensionList"})

    with pytest.raises(SettingsError, match=rf"^months: without an application, .*overrides\.{months}\.block_type, or"):
        run_tap(catalog=catalog, stream_overrides=overrides)
    settings = Settings.from_config({**config, "stream_overrides": overrides})
    findings = check_connection(PigmentClient(settings, LOGGER), settings, Catalog.from_dict(catalog))
    [failure] = [str(finding) for finding in findings if finding.mark is Mark.FAIL]
    assert failure.startswith("FAIL months: without an application, only blocks with a block_type are extracted.")


# Beside an application


def test_a_view_is_given_by_its_id_and_views_are_not_listed(pigment: Pigment, discover: Discover) -> None:
    pigment.answer_normally()
    pigment.add_list("Countries", COUNTRIES)
    view = pigment.add_view("Board", PLAN)

    catalog = discover(application_id=APPLICATION_ID, stream_overrides=given(**{view: "View"}))

    assert list(keys(catalog)) == ["countries", "view_fe000000"]
    assert pigment.requested("/v1/views") == []


def test_a_listed_block_is_as_pigment_lists_it(pigment: Pigment, discover: Discover) -> None:
    pigment.answer_normally()
    plan = pigment.add("Plan", "Table", PLAN)
    pigment.add("Revenue", "Metric", PLAN)

    catalog = discover(application_id=APPLICATION_ID, stream_overrides=given(**{plan: "Table"}))

    assert keys(catalog) == {"plan": ["Month_AAAAAA"]}


def test_a_listed_block_of_another_type_fails_by_itself(pigment: Pigment, tap: MakeTap) -> None:
    pigment.answer_normally()
    sales = pigment.add("Sales", "Metric", PLAN)
    pigment.add_list("Countries", COUNTRIES)
    running = tap(application_id=APPLICATION_ID, stream_overrides=given(**{sales: "Table"}), on_stream_error="continue")

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    assert str(caught.value).splitlines() == [
        "1 of 2 streams failed. The others are complete.",
        (
            f"  sales  stream_overrides.{sales}.block_type: Pigment lists the block as Metric, and the setting says "
            "Table. Set it to Metric, or remove it."
        ),
    ]
    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["countries"]


def test_block_types_do_not_skip_a_block_that_is_given(pigment: Pigment, discover: Discover) -> None:
    pigment.answer_normally()
    sales = pigment.add("Sales", "Metric", PLAN)
    pigment.add("Costs", "Metric", PLAN)

    catalog = discover(application_id=APPLICATION_ID, stream_overrides=given(**{sales: "Metric"}))

    assert list(keys(catalog)) == ["sales"]
