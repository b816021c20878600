"""Deselected properties of lists are not requested, and records are the same as if they were."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_pigment.sandbox.api.app import pigment_app
from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.integration.sandbox.small_workspace import KEY, PLANNING_ID, WORKSPACE
from tests.support.pigment import Answer, Pigment
from tests.support.taps import Recorder, deselect, records, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.support.pigment import SentRequest
    from tests.support.taps import Discover, RunTap

COUNTRIES = "country_AAAAAA;code_BBBBBB;name_CCCCCC\nFrance;FR;République\nItaly;IT;\n"
ROWS = [{"country_AAAAAA": "France", "name_CCCCCC": "République"}, {"country_AAAAAA": "Italy", "name_CCCCCC": None}]
NARROWED = ["name_CCCCCC"]


class NarrowingPigment(Pigment):
    """A Pigment that exports only the properties that are requested.

    Attributes:
        refusal: The response to a request that names properties; None for a narrowed export.
        lost: A column that every narrowed export lacks.
    """

    refusal: Answer | None = None
    lost = ""

    def answer(self, request: SentRequest) -> Answer:
        answer = super().answer(request)
        properties = request.body and request.body.get("propertyTechnicalNames")
        if properties is None or answer.status != 200:
            return answer
        if self.refusal:
            return self.refusal
        lines = [line.split(";") for line in answer.body.decode().splitlines()]
        kept = [
            place for place, name in enumerate(lines[0]) if name != self.lost and (place == 0 or name in properties)
        ]
        text = "".join(";".join(cells[place] for place in kept) + "\n" for cells in lines)
        return Answer(body=text.encode(), headers=answer.headers)


@pytest.fixture
def pigment_class() -> type[NarrowingPigment]:
    return NarrowingPigment


@pytest.fixture
def countries(pigment: NarrowingPigment) -> NarrowingPigment:
    pigment.add_list("Countries", COUNTRIES)
    return pigment


def requested_properties(pigment: Pigment) -> list[list[str] | None]:
    """Return the properties that each request for an export names."""
    return [request.body.get("propertyTechnicalNames") for request in pigment.requested("/export/")]


def test_deselected_properties_are_not_requested(
    discover: Discover, run_tap: RunTap, countries: NarrowingPigment
) -> None:
    catalog = discover()
    deselect(catalog, "countries", "code_BBBBBB")

    messages = run_tap(catalog=catalog)

    assert requested_properties(countries) == [None, NARROWED]
    assert records(messages, "countries") == ROWS


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_request_is_sent_once_more_for_all_columns(
    discover: Discover,
    run_tap: RunTap,
    countries: NarrowingPigment,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    caplog.set_level("INFO")
    catalog = discover()
    deselect(catalog, "countries", "code_BBBBBB")
    narrowed = run_tap(catalog=catalog)
    countries.refusal = Answer(status)

    messages = run_tap(catalog=catalog)

    assert requested_properties(countries) == [None, NARROWED, NARROWED, None]
    assert [record_of(message) for message in messages] == [record_of(message) for message in narrowed]
    assert caplog.text.count("countries: Pigment refuses the request for only the selected columns") == 1


def record_of(message: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON.
    """Return the record of a message, with its hash; None for another message."""
    return message.get("record")


def test_an_export_without_a_selected_column_is_requested_whole(
    discover: Discover, run_tap: RunTap, countries: NarrowingPigment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    catalog = discover()
    deselect(catalog, "countries", "code_BBBBBB")
    countries.lost = "name_CCCCCC"

    messages = run_tap(catalog=catalog)

    assert requested_properties(countries) == [None, NARROWED, None]
    assert records(messages, "countries") == ROWS
    assert "countries: the export of only the selected columns lacks name_CCCCCC; requesting all" in caplog.text


@pytest.mark.parametrize(
    ("block_type", "options"),
    [
        ("DimensionList", {"headers": "friendly"}),
        ("DimensionList", {"stream_overrides": {"countries": {"request": {"propertyTechnicalNames": NARROWED}}}}),
        ("Table", {}),
        ("Metric", {}),
    ],
)
def test_other_requests_are_left_as_they_are(
    discover: Discover, run_tap: RunTap, pigment: NarrowingPigment, block_type: str, options: dict[str, Any]
) -> None:
    pigment.add("Countries", block_type, COUNTRIES.replace("République", "1"))
    options = {"block_types": [block_type], **options}
    catalog = discover(**options)
    [entry] = catalog["streams"]
    *_, last = (name for name in entry["schema"]["properties"] if name != "contentHash")
    deselect(catalog, "countries", last)

    run_tap(catalog=catalog, **options)

    first, second = requested_properties(pigment)
    assert first == second


# The same records with and without


@pytest.fixture(scope="module")
def sandbox_config() -> Iterator[dict[str, Any]]:
    """The config for two lists of a sandbox."""
    with serving(pigment_app(WORKSPACE)) as server:
        yield {
            "api_url": server.url,
            "api_key": KEY,
            "application_id": PLANNING_ID,
            "include": ["Countries", "Journal"],
            "stream_overrides": {"journal": {"key_columns": []}},
            "requests_per_window": 10_000,
        }


@pytest.fixture(scope="module")
def catalog(sandbox_config: Mapping[str, Any]) -> dict[str, Any]:
    tap = TapPigment(config=sandbox_config, message_writer=Recorder())
    catalog: dict[str, Any] = json.loads(tap.catalog_json_text)
    return catalog


@pytest.fixture(scope="module")
def whole(sandbox_config: Mapping[str, Any], catalog: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a run with all columns, as text: the cells of the export."""
    texts = {
        "countries": dict.fromkeys(["tax_DDDDDD", "since_CCCCCC", "in_eu_BBBBBB"], "text"),
        "journal": {"amount_AAAAAA": "text"},
    }
    overrides = {name: {"types": types, "key_columns": []} for name, types in texts.items()}
    return written(synced({**sandbox_config, "stream_overrides": overrides}, catalog))


def synced(config: Mapping[str, Any], catalog: Mapping[str, Any]) -> TapPigment:
    """Return a tap that has synced all selected streams."""
    tap = TapPigment(config=config, catalog=json.loads(json.dumps(catalog)), message_writer=Recorder())
    tap.sync_all()
    return tap


COLUMNS: Mapping[str, Sequence[str]] = {
    "countries": ["countries_LLLLLL", "code_AAAAAA", "in_eu_BBBBBB", "since_CCCCCC", "tax_DDDDDD", "currency_EEEEEE"],
    "journal": ["amount_AAAAAA", "text_BBBBBB"],
}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deselected=st.fixed_dictionaries({name: st.sets(st.sampled_from(names)) for name, names in COLUMNS.items()}))
def test_records_and_hashes_do_not_depend_on_what_is_requested(
    sandbox_config: dict[str, Any],
    catalog: dict[str, Any],
    whole: list[dict[str, Any]],
    deselected: dict[str, set[str]],
) -> None:
    chosen = json.loads(json.dumps(catalog))
    for stream, columns in deselected.items():
        if columns:
            deselect(chosen, stream, *columns)

    tap = synced(sandbox_config, chosen)

    messages = written(tap)
    assert tap.run_context.client.stats.requests == 3  # No request was refused.
    for stream, exported in COLUMNS.items():
        # The key of a dimension list is always selected.
        kept = [name for name in exported if name not in deselected[stream] or name == "countries_LLLLLL"]
        found = [message["record"] for message in messages if message.get("stream") == stream and "record" in message]
        cells = [message["record"] for message in whole if message.get("stream") == stream and "record" in message]
        assert [record["contentHash"] for record in found] == [content_hash(row, kept) for row in cells]
        assert [{*record} - {"contentHash", "occurrence"} for record in found] == [{*kept}] * len(cells)


def content_hash(row: Mapping[str, str | None], columns: Sequence[str]) -> str:
    """Return the hash of some cells of a row, as docs/streams.md defines it."""
    parts = [netstring(name) + (netstring(row[name] or "") if row[name] else "-") for name in sorted(columns)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def netstring(text: str) -> str:
    """Return the length of a text in bytes, and the text."""
    return f"{len(text.encode())}:{text},"
