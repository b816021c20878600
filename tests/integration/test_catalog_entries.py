"""Entries of a given catalog: each selected one is synced or fails, whatever it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import CatalogError, SettingsError, StreamsFailedError
from tests.support.taps import of_type, records, written

if TYPE_CHECKING:
    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunTap

COUNTRIES = "Code;Size\r\nFR;1.5\r\nDE;2.5\r\n"


def root_metadata(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a stream."""
    found: dict[str, Any] = next(item for item in entry["metadata"] if item["breadcrumb"] == [])["metadata"]
    return found


@pytest.mark.parametrize(
    ("stream", "stream_id"), [("lands", "countries"), ("countries", "finance-countries"), (None, "lands")]
)
def test_an_entry_with_two_names_is_synced_under_the_one_of_its_stream(
    pigment: Pigment, discover: Discover, run_tap: RunTap, stream: str | None, stream_id: str
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    catalog["streams"][0] |= {"stream": stream, "tap_stream_id": stream_id}
    if stream is None:
        del catalog["streams"][0]["stream"]

    messages = run_tap(catalog=catalog)

    name = stream or stream_id
    assert [row["Code"] for row in records(messages, name)] == ["FR", "DE"]
    assert list(messages[-1]["value"]["bookmarks"]) == [name]


@pytest.mark.parametrize(
    "metadata",
    [[], [{"breadcrumb": ["properties", "Size"], "metadata": {"selected": True, "inclusion": "available"}}]],
    ids=["none", "of a column only"],
)
def test_an_entry_without_metadata_is_selected(
    pigment: Pigment, discover: Discover, run_tap: RunTap, metadata: list[dict[str, Any]]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    catalog["streams"][0]["metadata"] = metadata

    messages = run_tap(catalog=catalog)

    assert records(messages, "countries") == [{"Code": "FR", "Size": 1.5}, {"Code": "DE", "Size": 2.5}]


def test_a_catalog_of_another_tap_is_one_error(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    entries = [
        {
            "tap_stream_id": name,
            "stream": name,
            "key_properties": ["id"],
            "schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
        for name in ("users", "orders")
    ]

    with pytest.raises(CatalogError, match=r"^--catalog: none of its 2 streams is a block .* \(users, orders\)\."):
        tap(catalog={"streams": entries}).sync_all()


def test_two_entries_of_one_name_are_an_error(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    catalog["streams"].append({**catalog["streams"][0], "stream": "COUNTRIES", "tap_stream_id": "other"})

    with pytest.raises(CatalogError, match=r"^--catalog: two of its streams have the name COUNTRIES; upper and lower"):
        tap(catalog=catalog)


def test_a_catalog_without_streams_is_an_error(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Countries", COUNTRIES)

    with pytest.raises(CatalogError, match=r"^--catalog: it has no streams, so nothing can be extracted"):
        tap(catalog={"streams": []}).sync_all()


def test_a_catalog_without_a_selected_stream_is_an_error(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    root_metadata(catalog["streams"][0])["selected"] = False
    running = tap(catalog=catalog, state={"bookmarks": {"countries": {"v": 1, "rows": 2}}})

    with pytest.raises(CatalogError, match=r"^No stream is selected, so nothing is extracted. Select streams in the"):
        running.sync_all()

    assert written(running) == []


@pytest.mark.parametrize(
    "asked",
    [
        {"replication_method": "INCREMENTAL", "replication_key": "Size"},
        {"root": {"replication-method": "INCREMENTAL", "replication-key": "Size"}},
        {"root": {"forced-replication-method": "LOG_BASED"}},
        {"replication_key": "gone"},
    ],
    ids=["entry", "metadata", "forced", "a key that does not exist"],
)
def test_incremental_replication_is_ignored_with_one_warning(
    pigment: Pigment, discover: Discover, tap: MakeTap, caplog: pytest.LogCaptureFixture, asked: dict[str, Any]
) -> None:
    for name in ("Countries", "Months"):
        pigment.add_list(name, COUNTRIES)
    catalog = discover()
    for entry in catalog["streams"]:
        entry |= {name: value for name, value in asked.items() if name != "root"}
        root_metadata(entry).update(asked.get("root", {}))
    running = tap(catalog=catalog)

    running.sync_all()

    messages = written(running)
    assert len(of_type(messages, "RECORD")) == 4
    assert "bookmark_properties" not in json.dumps(of_type(messages, "SCHEMA"))
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        (
            "replication-method and replication-key have no effect (countries, months): Pigment has no change feed. To "
            "emit only changes, set change_detection."
        )
    ]


@pytest.mark.parametrize(
    ("written_type", "emitted_type", "emitted"),
    [
        ({"type": ["string", "null"]}, {"type": ["string"]}, ""),
        ({"type": ["integer", "null"]}, {"type": ["integer"]}, 7),
        ({"type": ["null", "string"], "format": "date"}, {"type": ["string"], "format": "date"}, "2026-01-31"),
    ],
)
def test_a_null_in_the_type_of_a_key_column_is_dropped(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    pigment: Pigment,
    discover: Discover,
    run_tap: RunTap,
    written_type: dict[str, Any],
    emitted_type: dict[str, Any],
    emitted: object,
) -> None:
    pigment.add_list("Countries", f"Code;Size\r\n{emitted};1.5\r\n")
    catalog = discover()
    catalog["streams"][0]["schema"]["properties"]["Code"] = written_type

    messages = run_tap(catalog=catalog)

    assert of_type(messages, "SCHEMA")[0]["schema"]["properties"]["Code"] == emitted_type
    assert [row["Code"] for row in records(messages, "countries")] == [emitted]


def test_a_known_stream_that_the_catalog_lacks_fails(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", COUNTRIES)
    catalog = discover()
    del catalog["streams"][1]
    state = {"bookmarks": {name: {"v": 1, "rows": 2} for name in ("countries", "months")}}
    running = tap(catalog=catalog, state=state, on_stream_error="continue")

    with pytest.raises(StreamsFailedError, match="months  it was extracted before, and is in Pigment and not in the"):
        running.sync_all()

    assert [row["Code"] for row in records(written(running), "countries")] == ["FR", "DE"]
    tap(catalog=catalog, state=state, exclude=["months"]).sync_all()


@pytest.mark.parametrize(
    ("maps", "problem"),
    [
        ({"countries": {"__alias__": "MONTHS"}}, "two streams would be emitted as MONTHS"),
        ({"*": {"__alias__": "all"}}, "two streams would be emitted as all"),
        ({"months": {"__source__": "countries"}}, "two streams would be emitted as months"),
        ({"*": None}, "they remove all selected streams, so nothing is extracted"),
    ],
)
def test_stream_maps_that_merge_or_remove_all_streams_are_an_error(
    pigment: Pigment, tap: MakeTap, maps: dict[str, Any], problem: str
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", COUNTRIES)
    running = tap(stream_maps=maps)

    with pytest.raises(SettingsError, match=f"^stream_maps: {problem}"):
        running.sync_all()

    assert written(running) == []


def test_a_stream_in_the_state_only_is_warned_of(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    state = {"bookmarks": {name: {"v": 1, "rows": 2} for name in ("countries", "regions", "zones")}}

    run_tap(state=state)

    assert "In the state and no longer extracted: regions, zones. Their rows stay in the target." in caplog.messages


def test_stream_maps_for_no_stream_are_warned_of(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    maps: dict[str, Any] = {
        "contries": {"Size": None},
        "count*": {"Size": None},
        "copies": {"__source__": "countries"},
        "others": {"__source__": "cuntries"},
    }

    run_tap(stream_maps=maps)

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "stream_maps.contries has no effect: no extracted stream is named contries",
        "stream_maps.others has no effect: no extracted stream is named cuntries",
    ]


def test_an_override_that_renames_after_discovery_keeps_its_other_settings(
    pigment: Pigment, discover: Discover, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    block = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    override = {"name": "lands", "types": {"Size": "text"}, "request": {"propertyTechnicalNames": ["Size"]}}

    messages = run_tap(catalog=catalog, stream_overrides={"countries": override})

    body = pigment.requested(block)[-1].body or {}
    assert records(messages, "countries") == [{"Code": "FR", "Size": "1.5"}, {"Code": "DE", "Size": "2.5"}]
    assert body["propertyTechnicalNames"] == ["Size"]
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert [text.partition(". ")[0] for text in warnings] == [
        "stream_overrides.countries.name has no effect: the catalog has the stream as countries"
    ]
