"""Scenarios: the column that they add to an export belongs to the key, wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.api import pigment_app
from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.integration.sandbox.small_workspace import (
    BASE,
    COUNTRIES,
    DOWNSIDE,
    GROWTH,
    KEY,
    PLANNING_ID,
    SALES,
    WORKSPACE,
    YEARS,
)
from tests.support.taps import Recorder, of_type, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.taps import Message

BOTH = {"scenarios": [BASE.id, DOWNSIDE.id]}
# With the scenario between the metrics.
FIELDS = [
    {"type": "DimensionField", "sourceId": COUNTRIES.id},
    {"type": "DimensionField", "sourceId": YEARS.id},
    {"type": "ValueField", "sourceId": SALES.id},
    {"type": "ScenarioField", "sourceId": None, "displayName": "Budget or forecast"},
    {"type": "ValueField", "sourceId": GROWTH.id},
]
IN_SLICES = [{"scenarios": [BASE.id]}, {"scenarios": [DOWNSIDE.id]}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(pigment_app(WORKSPACE)) as server:
        yield server.url


def run(url: str, stream: str, override: dict[str, Any]) -> list[Message]:
    """Return the messages of a run of one stream."""
    tap = TapPigment(
        config={
            "api_url": url,
            "api_key": KEY,
            "application_id": PLANNING_ID,
            "block_types": ["Table", "Metric"],
            "include": [stream],
            "stream_overrides": {stream: override},
            "on_stream_error": "stop",
        },
        message_writer=Recorder(),
        setup_mapper=True,
    )
    tap.sync_all()
    return written(tap)


@pytest.mark.parametrize(
    ("stream", "override", "scenario", "rows_of_a_scenario"),
    [
        ("plan", {"request": BOTH}, "scenario_", 5),
        ("plan", {"request": {**BOTH, "fields": FIELDS}}, "Budget or forecast", 5),
        ("plan", {"request": {"fields": FIELDS}, "slices": IN_SLICES}, "Budget or forecast", 5),
        ("sales", {"request": BOTH}, "scenario_", 3),
        ("sales", {"slices": IN_SLICES, "headers": "friendly"}, "scenario", 3),
    ],
)
def test_each_scenario_has_its_own_rows_and_its_name_is_in_the_key(
    url: str, stream: str, override: dict[str, Any], scenario: str, rows_of_a_scenario: int
) -> None:
    messages = run(url, stream, override)

    [schema] = of_type(messages, "SCHEMA")
    [name] = [key for key in schema["key_properties"] if key.startswith(scenario)]
    rows = [message["record"] for message in of_type(messages, "RECORD")]
    assert len(schema["key_properties"]) == 3
    assert {row[name] for row in rows} == {"Base", "Downside"}
    assert len(rows) == 2 * rows_of_a_scenario
    assert {row[key] is None for row in rows for key in schema["key_properties"]} == {False}
