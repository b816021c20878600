"""Catalog entries: keys and types that the user asks for."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.singerlib import Catalog

from tap_pigment.catalog.entries import resolve_catalog
from tap_pigment.errors import CatalogError, SettingsError
from tap_pigment.settings import Settings

TEXT = {"type": ["string", "null"]}
KEY_TEXT = {"type": ["string"]}


def resolved(
    properties: dict[str, Any],
    key: list[str],
    *,
    wanted: list[str] | None = None,
    **config: Any,  # noqa: ANN401 - JSON.
) -> dict[str, Any]:
    """Return the resolved entry of a stream `plan` as JSON."""
    metadata: list[dict[str, Any]] = [{"breadcrumb": [], "metadata": {"inclusion": "available"}}]
    if wanted is not None:
        metadata[0]["metadata"]["table-key-properties"] = wanted
    entry = {
        "tap_stream_id": "plan",
        "table_name": "id-1",
        "key_properties": key,
        "schema": {"type": "object", "properties": properties},
        "metadata": metadata,
    }
    settings = Settings.from_config({"api_key": "k", "application_id": "app-1", **config})
    resolved_catalog = resolve_catalog(Catalog.from_dict({"streams": [entry]}), settings)
    if failure := resolved_catalog.failures.get("plan"):
        raise failure
    found: dict[str, Any] = resolved_catalog.catalog.to_dict()["streams"][0]
    return found


def test_key_of_the_metadata_wins_over_the_discovered_one() -> None:
    found = resolved({"A": KEY_TEXT, "B": TEXT, "contentHash": KEY_TEXT}, ["A"], wanted=["B"])

    assert found["key_properties"] == ["B"]
    assert found["schema"]["properties"]["B"] == {"type": ["string"]}


def test_key_of_the_override_wins_over_the_one_of_the_metadata() -> None:
    found = resolved({"A": KEY_TEXT, "B": TEXT}, ["A"], wanted=["A"], stream_overrides={"plan": {"key_columns": []}})

    assert found["key_properties"] == ["contentHash", "occurrence"]
    assert list(found["schema"]["properties"]) == ["A", "B", "contentHash", "occurrence"]


def test_nullable_number_that_becomes_a_key_is_text() -> None:
    found = resolved({"A": KEY_TEXT, "B": {"type": ["number", "null"]}}, ["A"], wanted=["B"])

    assert found["schema"]["properties"]["B"] == {"type": ["string"]}


def test_type_of_the_override_replaces_the_catalogs() -> None:
    found = resolved({"A": KEY_TEXT, "B": TEXT}, ["A"], stream_overrides={"id-1": {"types": {"B": "date"}}})

    assert found["schema"]["properties"]["B"] == {"type": ["string", "null"], "format": "date"}


def test_number_as_key_is_an_error() -> None:
    with pytest.raises(CatalogError, match="plan: column A of the catalog is a key column and cannot be a number"):
        resolved({"A": {"type": ["number"]}}, ["A"])


def test_number_as_key_by_the_override_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"^stream_overrides\.plan\.types: A is a key column"):
        resolved({"A": KEY_TEXT}, ["A"], stream_overrides={"plan": {"types": {"A": "number"}}})


def test_key_that_the_catalog_lacks_is_an_error() -> None:
    with pytest.raises(SettingsError, match="table-key-properties of plan in the catalog: no column Z in the export"):
        resolved({"A": KEY_TEXT}, ["A"], wanted=["Z"])


def test_rows_can_be_marked_as_deleted_where_rows_are_compared() -> None:
    found = resolved({"A": KEY_TEXT}, ["A"], change_detection="row", snapshot_uri="snapshots")

    properties = found["schema"]["properties"]
    assert properties["_sdc_deleted_at"]["type"] == ["string", "null"]
    assert properties["contentHash"]["type"] == ["string", "null"]
