"""Request bodies: optional members and errors."""

from typing import Any

import httpx2
import pytest

from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.clients import csv_rows, problem_detail

LIST = f"/export/list/{small_workspace.COUNTRIES.id}"
METRIC = f"/export/metric/{small_workspace.SALES.id}"
TABLE = f"/export/table/{small_workspace.PLAN.id}"
ID = small_workspace.COUNTRIES.id
VALUE = {"metricId": small_workspace.SALES.id, "condition": {"type": "IsNotBlank"}}


@pytest.mark.parametrize("path", [LIST, METRIC, TABLE])
@pytest.mark.parametrize("body", [None, b"", b" \r\n", b"{}"])
def test_a_body_may_be_absent_or_empty(client: httpx2.Client, path: str, body: bytes | None) -> None:
    response = client.post(path, content=body)

    assert len(csv_rows(response)) > 1


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (LIST, ["propertyTechnicalNames", "listFilter", "propertyFilters"]),
        (METRIC, ["scenarios", "filters", "exportFilter"]),
        (TABLE, ["scenarios", "filters", "exportFilter", "metrics", "fields"]),
    ],
)
def test_null_members_mean_the_default(client: httpx2.Client, path: str, names: list[str]) -> None:
    common = ["friendlyHeaders", "dateFormat", "fieldDelimiter", "decimalSeparator", "encoding"]

    response = client.post(path, json=dict.fromkeys([*common, *names]))

    assert response.content == client.post(path, json={}).content


@pytest.mark.parametrize("path", [LIST, METRIC, TABLE])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "body: not JSON: "),
        (b"friendlyHeaders=true", "body: not JSON: "),
        (b"\xff\xfe\xff", "body: not JSON: "),
        (b"[]", "body: [] is not an object."),
        (b"null", "body: None is not an object."),
        (b'"{}"', "body: '{}' is not an object."),
        (b'{"limit": 10, "offset": 0}', "body: unknown 'limit', 'offset'; allowed: dateFormat, decimalSep"),
        (b'{"friendlyHeaders": "true"}', "body.friendlyHeaders: 'true' is not a boolean."),
        (b'{"friendlyHeaders": 1}', "body.friendlyHeaders: 1 is not a boolean."),
        (b'{"fieldDelimiter": ";"}', "body.fieldDelimiter: ';' is not one of Semicolon, Comma."),
        (b'{"fieldDelimiter": "comma"}', "body.fieldDelimiter: 'comma' is not one of Semicolon, Comma."),
        (b'{"decimalSeparator": 1}', "body.decimalSeparator: 1 is not one of Dot, Comma."),
        (b'{"dateFormat": "ISO"}', "body.dateFormat: 'ISO' is not one of Iso8601, Legacy."),
        (b'{"encoding": []}', "body.encoding: [] is not one of Utf8WithBom, Utf8WithoutBom."),
    ],
)
def test_a_body_that_no_export_accepts_is_400(client: httpx2.Client, path: str, body: bytes, message: str) -> None:
    response = client.post(path, content=body)

    assert response.status_code == 400
    assert problem_detail(response).startswith(message)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (LIST, {"metrics": []}, "body: unknown 'metrics'; allowed:"),
        (LIST, {"exportFilter": {}}, "body: unknown 'exportFilter'; allowed:"),
        (METRIC, {"metrics": []}, "body: unknown 'metrics'; allowed:"),
        (METRIC, {"propertyTechnicalNames": []}, "body: unknown 'propertyTechnicalNames'; allowed:"),
        (TABLE, {"listFilter": []}, "body: unknown 'listFilter'; allowed:"),
        (LIST, {"propertyTechnicalNames": "a"}, "body.propertyTechnicalNames: 'a' is not an array."),
        (LIST, {"propertyTechnicalNames": [1]}, "body.propertyTechnicalNames[0]: 1 is not a string."),
        (LIST, {"listFilter": [ID, "FR"]}, "body.listFilter[1]: 'FR' is not a UUID."),
        (LIST, {"listFilter": [1]}, "body.listFilter[0]: 1 is not a string."),
        (LIST, {"propertyFilters": [{}]}, "body.propertyFilters[0]: propertyTechnicalName, modalityIds must"),
        (TABLE, {"metrics": ["x"]}, "body.metrics[0]: 'x' is not a UUID."),
        (TABLE, {"scenarios": [None]}, "body.scenarios[0]: None is not a string."),
        (TABLE, {"filters": [{"dimensionId": ID}]}, "body.filters[0]: modalityIds must be set."),
        (TABLE, {"fields": [{"type": "Value"}]}, "body.fields[0].type: 'Value' is not one of DimensionField"),
        (TABLE, {"fields": [{"type": "ValueField"}]}, "body.fields[0].sourceId: must be set, except for"),
        (TABLE, {"fields": [{"type": "ScenarioField", "sourceId": ID}]}, "body.fields[0].sourceId: must be"),
    ],
)
def test_a_member_that_the_export_does_not_accept_is_400(
    client: httpx2.Client, path: str, body: dict[str, Any], message: str
) -> None:
    response = client.post(path, json=body)

    assert response.status_code == 400
    assert problem_detail(response).startswith(message)


@pytest.mark.parametrize("path", [METRIC, TABLE])
@pytest.mark.parametrize(
    ("export_filter", "message"),
    [
        ({}, "body.exportFilter: type must be set."),
        ({"type": "Not"}, "body.exportFilter.type: 'Not' is not one of And, Or, Dimension, Value."),
        ({"type": "And"}, "body.exportFilter: type And needs 'and' and nothing else."),
        ({"type": "And", "or": []}, "body.exportFilter: type And needs 'and' and nothing else."),
        (
            {"type": "Value", "value": VALUE, "and": []},
            "body.exportFilter: type Value needs 'value' and nothing else.",
        ),
        ({"type": "And", "and": []}, "body.exportFilter.and: is empty, and Pigment does not define what that means"),
        (
            {"type": "Dimension", "dimension": {"dimensionId": ID, "modalityIds": []}},
            "body.exportFilter.dimension: is empty, and Pigment does not define what that means",
        ),
        ({"type": "Or", "or": [{"type": 1}]}, "body.exportFilter.or[0].type: 1 is not one of"),
        (
            {"type": "Value", "value": {"metricId": ID}},
            "body.exportFilter.value: condition must be set.",
        ),
        (
            {"type": "Value", "value": {"metricId": ID, "condition": {"type": "Equal"}}},
            "body.exportFilter.value.condition.value: must be set, except for IsNotBlank",
        ),
        (
            {"type": "Value", "value": {"metricId": ID, "condition": {"type": "IsNotBlank", "value": 1}}},
            "body.exportFilter.value.condition.value: must be set, except for IsNotBlank",
        ),
        (
            {"type": "Value", "value": {"metricId": ID, "condition": {"type": "Equal", "value": [1]}}},
            "body.exportFilter.value.condition.value: [1] is not a string, number or boolean.",
        ),
    ],
)
def test_a_malformed_filter_is_400(
    client: httpx2.Client, path: str, export_filter: dict[str, Any], message: str
) -> None:
    response = client.post(path, json={"exportFilter": export_filter})

    assert response.status_code == 400
    assert problem_detail(response).startswith(message)
