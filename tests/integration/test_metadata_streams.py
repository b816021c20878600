"""The streams of what Pigment lists: applications, blocks and views."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.connection_test import check_connection
from tap_pigment.errors import KeysNotUniqueError, ShrunkExportError, StreamsFailedError
from tests.support.pigment import APPLICATION_ID, Answer, Pigment
from tests.support.taps import deselect, of_type, records, written

if TYPE_CHECKING:
    from tests.support.pigment import SentRequest
    from tests.support.taps import Discover, MakeTap, Message, RunTap

OTHER_ID = "0a000000-0000-4000-8000-000000000002"
NAMES = ["pigment_applications", "pigment_blocks", "pigment_views"]
COUNTRIES = "Code;Name\nFR;France\n"


class TwoApplications(Pigment):
    """A Pigment whose second application shares the blocks, and whose views belong to the first block."""

    def _listing(self, request: SentRequest) -> Answer:
        kind = request.path.rpartition("/")[2]
        if kind == "blocks" and request.query.get("applicationId") == [OTHER_ID]:
            return super()._listing(with_query(request, {"applicationId": [APPLICATION_ID]}))
        if kind == "views" and request.query.get("blockId", [next(iter(self.blocks))]) != [next(iter(self.blocks))]:
            return Answer(body=b"[]", headers={"Content-Type": "application/json"})
        return super()._listing(request)


def with_query(request: SentRequest, query: dict[str, list[str]]) -> SentRequest:
    """Return a request with another query."""
    return type(request)(request.method, request.path, query, request.headers, request.body)


@pytest.fixture
def pigment_class() -> type[Pigment]:
    return TwoApplications


@pytest.fixture
def countries(pigment: Pigment) -> str:
    pigment.applications.append({"id": OTHER_ID, "name": "Sales"})
    block_id = pigment.add_list("Countries", COUNTRIES)
    pigment.add("Revenue", "Metric", "Month;Revenue\nJan 26;1\n")
    pigment.add_list("Old", COUNTRIES)
    return block_id


def test_applications_blocks_and_views_are_streams(run_tap: RunTap, pigment: Pigment, countries: str) -> None:
    view_id = pigment.add_view("By region", COUNTRIES)
    metric_id, old_id = list(pigment.blocks)[1:]

    messages = run_tap(metadata_streams=True, exclude=["Old"])

    assert records(messages, "pigment_applications") == [
        {"id": APPLICATION_ID, "name": "Finance"},
        {"id": OTHER_ID, "name": "Sales"},
    ]
    assert records(messages, "pigment_blocks") == [
        block_row(countries, "Countries", "DimensionList", "countries", None),
        block_row(metric_id, "Revenue", "Metric", None, "block_types lacks Metric"),
        block_row(old_id, "Old", "DimensionList", None, "include or exclude skips it"),
    ]
    assert records(messages, "pigment_views") == [
        {
            "application_id": APPLICATION_ID,
            "id": view_id,
            "name": "By region",
            "type": "Public",
            "block_id": countries,
        }
    ]


def block_row(block_id: str, name: str, block_type: str, stream: str | None, reason: str | None) -> dict[str, Any]:
    """Return a record of `pigment_blocks`."""
    return {
        "application_id": APPLICATION_ID,
        "id": block_id,
        "name": name,
        "type": block_type,
        "stream_name": stream,
        "is_extracted": reason is None,
        "not_extracted_reason": reason,
    }


@pytest.mark.usefixtures("countries")
def test_each_is_described_whole_activated_and_in_the_state(run_tap: RunTap) -> None:
    first = run_tap(metadata_streams=True)
    state = of_type(first, "STATE")[-1]["value"]

    second = run_tap(metadata_streams=True, state=state)

    schemas = {message["stream"]: message for message in of_type(first, "SCHEMA")}
    keys = [schemas[name]["key_properties"] for name in NAMES]
    assert keys == [["id"], ["application_id", "id"], ["application_id", "id"]]
    assert all("description" in column for name in NAMES for column in schemas[name]["schema"]["properties"].values())
    assert [types_of(messages, "pigment_blocks") for messages in (first, second)] == [
        ["SCHEMA", *["RECORD"] * 3, "ACTIVATE_VERSION"]
    ] * 2
    assert state["bookmarks"]["pigment_blocks"]["rows"] == 3
    assert versions(second) > versions(first)


def types_of(messages: list[Message], stream: str) -> list[str]:
    """Return the types of a stream's messages."""
    return [message["type"] for message in messages if message.get("stream") == stream]


def versions(messages: list[Message]) -> list[int]:
    """Return the versions of the blocks."""
    return [message["version"] for message in of_type(messages, "ACTIVATE_VERSION") if message["stream"] == NAMES[1]]


def test_a_block_shared_by_applications_has_a_row_for_each(run_tap: RunTap, countries: str) -> None:
    messages = run_tap(metadata_streams=True, application_ids=[APPLICATION_ID, OTHER_ID], include=["Countries"])

    rows = [row for row in records(messages, "pigment_blocks") if row["id"] == countries]
    assert [(row["application_id"], row["stream_name"]) for row in rows] == [
        (APPLICATION_ID, "finance_countries"),
        (OTHER_ID, "finance_countries"),
    ]


@pytest.mark.usefixtures("countries")
def test_views_take_a_request_for_each_block_and_none_if_not_selected(
    discover: Discover, run_tap: RunTap, pigment: Pigment
) -> None:
    catalog = discover(metadata_streams=True)
    assert pigment.requested("/v1/views") == []

    run_tap(metadata_streams=True, catalog=catalog)
    requested = [request.query["blockId"] for request in pigment.requested("/v1/views")]
    deselect(catalog, "pigment_views")
    run_tap(metadata_streams=True, catalog=catalog)

    assert requested == [[block_id] for block_id in pigment.blocks]
    assert len(pigment.requested("/v1/views")) == len(pigment.blocks)


@pytest.mark.usefixtures("countries")
def test_selection_of_columns_and_stream_maps_apply(discover: Discover, run_tap: RunTap) -> None:
    catalog = discover(metadata_streams=True)
    deselect(catalog, "pigment_blocks", "id", "type", "stream_name", "is_extracted", "not_extracted_reason")
    deselect(catalog, "old")
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            item["metadata"].pop("inclusion", None)  # As in a catalog that somebody wrote by hand.

    messages = run_tap(
        metadata_streams=True,
        catalog=catalog,
        stream_maps={"pigment_applications": {"__alias__": "apps", "label": "name.upper()"}},
    )

    assert [row["name"] for row in records(messages, "pigment_blocks")] == ["Countries", "Revenue", "Old"]
    assert {*records(messages, "pigment_blocks")[0]} == {"application_id", "id", "name"}
    assert [row["label"] for row in records(messages, "apps")] == ["FINANCE", "SALES"]


def test_the_reason_of_a_block_is_that_of_its_stream(discover: Discover, run_tap: RunTap, pigment: Pigment) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Old", COUNTRIES)
    catalog = discover(metadata_streams=True)
    deselect(catalog, "old")
    pigment.add_list("New", COUNTRIES)

    messages = run_tap(metadata_streams=True, catalog=catalog)

    assert [(row["stream_name"], row["not_extracted_reason"]) for row in records(messages, "pigment_blocks")] == [
        ("countries", None),
        ("old", "its stream is not selected"),
        ("new", "the catalog lacks it"),
    ]


@pytest.mark.usefixtures("countries")
def test_a_block_with_the_name_of_a_metadata_stream_gets_a_suffix(discover: Discover, pigment: Pigment) -> None:
    pigment.add_list("Pigment Blocks", COUNTRIES)

    without, with_metadata = discover(), discover(metadata_streams=True)

    assert names_in(without) == ["countries", "old", "pigment_blocks"]
    assert names_in(with_metadata) == ["countries", "old", *NAMES[:2], "pigment_blocks_00000004", NAMES[2]]


def names_in(catalog: dict[str, Any]) -> list[str]:
    """Return the names of a catalog's streams."""
    return [entry["tap_stream_id"] for entry in catalog["streams"]]


@pytest.mark.usefixtures("countries")
def test_without_patterns_of_include_only_metadata_is_extracted(run_tap: RunTap, pigment: Pigment) -> None:
    messages = run_tap(metadata_streams=True, include=[])

    assert {message["stream"] for message in messages if "stream" in message} == set(NAMES)
    assert pigment.requested("/export/") == []


@pytest.mark.usefixtures("countries")
def test_check_without_patterns_of_include_tries_no_export(tap: MakeTap) -> None:
    running = tap(metadata_streams=True)
    settings = replace(running.settings, include=())

    lines = [str(finding) for finding in check_connection(running.run_context.client, settings)]

    assert "--   Export scope: not tried, because no extracted block is known." in lines
    assert not any(line.startswith("FAIL") for line in lines)


@pytest.mark.usefixtures("countries")
def test_exports_go_on_behind_metadata(run_tap: RunTap, pigment: Pigment) -> None:
    pigment.add_list("Zones", COUNTRIES)

    messages = run_tap(metadata_streams=True, parallel_exports=1)

    assert records(messages, "zones") == [{"Code": "FR", "Name": "France"}]


@pytest.mark.usefixtures("countries")
def test_batch_files_hold_no_metadata(run_tap: RunTap, tmp_path: object) -> None:
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": f"file://{tmp_path}"}}

    messages = run_tap(metadata_streams=True, batch_config=batch)

    assert types_of(messages, "pigment_applications") == ["SCHEMA", "RECORD", "RECORD"]
    assert "BATCH" in types_of(messages, "countries")


@pytest.mark.usefixtures("countries")
def test_a_listing_that_lost_most_rows_fails(run_tap: RunTap, pigment: Pigment) -> None:
    state = of_type(run_tap(metadata_streams=True, include=[]), "STATE")[-1]["value"]
    for block_id in list(pigment.blocks)[1:]:
        del pigment.blocks[block_id]

    with pytest.raises(ShrunkExportError, match=r"^pigment_blocks: the export lost 2 of the 3 rows"):
        run_tap(metadata_streams=True, include=[], state=state)


def test_a_view_that_two_blocks_list_fails(run_tap: RunTap, pigment: Pigment, countries: str) -> None:
    view = b'[{"id": "fe", "name": "V", "type": "Public"}]'
    pigment.always_answer("/v1/views", Answer(body=view, headers={"Content-Type": "application/json"}))
    assert countries in pigment.blocks

    with pytest.raises(KeysNotUniqueError, match=r"^pigment_views: Pigment lists fe 3 times\. Nothing was emitted"):
        run_tap(metadata_streams=True, include=[])


@pytest.mark.usefixtures("countries")
def test_fewer_rows_without_activate_version_are_a_warning(
    run_tap: RunTap, pigment: Pigment, caplog: pytest.LogCaptureFixture
) -> None:
    settings: dict[str, Any] = {"metadata_streams": True, "include": [], "emit_activate_version_messages": False}
    state = of_type(run_tap(**settings), "STATE")[-1]["value"]
    pigment.blocks.popitem()

    messages = run_tap(**settings, state=state)

    assert of_type(messages, "ACTIVATE_VERSION") == []
    assert "pigment_blocks: 1 row fewer than in the last run, and no ACTIVATE_VERSION is emitted." in caplog.text


@pytest.mark.usefixtures("countries")
def test_an_application_that_cannot_be_listed_fails_the_blocks_and_views(tap: MakeTap, pigment: Pigment) -> None:
    pigment.applications.append({"id": OTHER_ID[:-1] + "3", "name": "Secret"})
    running = tap(metadata_streams=True, application_id=None, application_ids=["*"], on_stream_error="continue")

    with pytest.raises(StreamsFailedError, match=r"pigment_blocks +its rows would be incomplete") as error:
        running.sync_all()

    messages = written(running)
    assert "pigment_views" in str(error.value)
    assert [len(types_of(messages, name)) for name in NAMES] == [5, 0, 0]


@pytest.mark.usefixtures("countries")
def test_a_catalog_without_metadata_is_a_warning(
    discover: Discover, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = discover()

    run_tap(catalog=catalog, metadata_streams=True)

    assert f"In Pigment and not in the catalog: {', '.join(NAMES)}." in caplog.text


@pytest.mark.usefixtures("countries")
def test_a_catalog_with_metadata_needs_the_setting(discover: Discover, tap: MakeTap) -> None:
    catalog = discover(metadata_streams=True)

    running = tap(catalog=catalog, on_stream_error="continue")

    failure = running.streams["pigment_blocks"].failure  # type: ignore[attr-defined]
    assert str(failure).startswith("pigment_blocks: it is in the catalog, and metadata_streams is off.")


@pytest.mark.usefixtures("countries")
def test_the_connection_test_emits_one_row_of_each(tap: MakeTap, pigment: Pigment) -> None:
    running = tap(metadata_streams=True)
    pigment.add_view("By region", COUNTRIES)

    assert running.run_connection_test()

    assert len(pigment.requested("/v1/views")) == 1
