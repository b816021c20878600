"""Request bodies of exports, validated as strictly as Pigment's OpenAPI description."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tap_pigment.sandbox.api.checks import BadRequestError, Check, array, as_uuid, boolean, members, one_of, text
from tap_pigment.sandbox.api.filters import AllOf, Filter, as_dimension_filter, as_filter


class Delimiter(StrEnum):
    """The values of `fieldDelimiter`."""

    SEMICOLON = "Semicolon"
    COMMA = "Comma"


class DecimalSeparator(StrEnum):
    """The values of `decimalSeparator`."""

    DOT = "Dot"
    COMMA = "Comma"


class DateFormat(StrEnum):
    """The values of `dateFormat`."""

    ISO_8601 = "Iso8601"
    LEGACY = "Legacy"


class Encoding(StrEnum):
    """The values of `encoding`."""

    UTF_8_WITH_BOM = "Utf8WithBom"
    UTF_8_WITHOUT_BOM = "Utf8WithoutBom"


class FieldType(StrEnum):
    """The `type` of a field."""

    DIMENSION = "DimensionField"
    SCENARIO = "ScenarioField"
    VALUE = "ValueField"


@dataclass(frozen=True)
class Dialect:
    """The CSV dialect of an export."""

    delimiter: Delimiter = Delimiter.SEMICOLON
    decimal_separator: DecimalSeparator = DecimalSeparator.DOT
    date_format: DateFormat = DateFormat.ISO_8601
    encoding: Encoding = Encoding.UTF_8_WITH_BOM
    friendly_headers: bool = False


@dataclass(frozen=True)
class PropertyFilter:
    """Keep items whose property, a dimension, is one of `item_ids`."""

    technical_name: str
    item_ids: frozenset[str]


@dataclass(frozen=True)
class Field:
    """A column of the export, as the request lists it."""

    type: FieldType
    source_id: str | None
    display_name: str | None


@dataclass(frozen=True)
class ListRequest:
    """The body of a list's export; None or empty means all, but empty `properties` means none."""

    dialect: Dialect
    properties: tuple[str, ...] | None
    item_ids: frozenset[str]
    property_filters: tuple[PropertyFilter, ...]


@dataclass(frozen=True)
class ValuesRequest:
    """The body of a metric's or table's export; empty means all, but empty `scenario_ids` the default scenario."""

    dialect: Dialect
    scenario_ids: tuple[str, ...]
    filter: Filter
    metric_ids: tuple[str, ...]
    fields: tuple[Field, ...]


def list_request(body: object) -> ListRequest:
    """Return the body of `/export/list`, or raise BadRequestError."""
    given = members("body", body, _LIST)
    return ListRequest(
        dialect=_dialect(given),
        properties=given.get("propertyTechnicalNames"),
        item_ids=frozenset(given.get("listFilter", ())),
        property_filters=given.get("propertyFilters", ()),
    )


def metric_request(body: object) -> ValuesRequest:
    """Return the body of `/export/metric`, or raise BadRequestError."""
    return _values_request(members("body", body, _METRIC))


def table_request(body: object) -> ValuesRequest:
    """Return the body of `/export/table`, or raise BadRequestError."""
    return _values_request(members("body", body, _TABLE))


def _values_request(given: Mapping[str, Any]) -> ValuesRequest:
    # In `filters`, unlike in `exportFilter`, a filter without items keeps all rows.
    deprecated = [filter_ for filter_ in given.get("filters", ()) if filter_.item_ids]
    return ValuesRequest(
        dialect=_dialect(given),
        scenario_ids=given.get("scenarios", ()),
        filter=AllOf([*deprecated, given.get("exportFilter", AllOf(()))]),
        metric_ids=given.get("metrics", ()),
        fields=given.get("fields", ()),
    )


def _dialect(given: Mapping[str, Any]) -> Dialect:
    return Dialect(
        delimiter=given.get("fieldDelimiter", Delimiter.SEMICOLON),
        decimal_separator=given.get("decimalSeparator", DecimalSeparator.DOT),
        date_format=given.get("dateFormat", DateFormat.ISO_8601),
        encoding=given.get("encoding", Encoding.UTF_8_WITH_BOM),
        friendly_headers=given.get("friendlyHeaders", False),
    )


def _as_property_filter(path: str, value: object) -> PropertyFilter:
    given = members(
        path,
        value,
        {"propertyTechnicalName": text, "modalityIds": array(as_uuid)},
        required=("propertyTechnicalName", "modalityIds"),
    )
    return PropertyFilter(given["propertyTechnicalName"], frozenset(given["modalityIds"]))


def _as_field(path: str, value: object) -> Field:
    given = members(
        path,
        value,
        {"type": one_of(FieldType), "sourceId": as_uuid, "displayName": text},
        required=("type",),
    )
    if (given["type"] is FieldType.SCENARIO) == ("sourceId" in given):
        raise BadRequestError(
            f"{path}.sourceId: must be set, except for ScenarioField, where it must be omitted or null."
        )
    return Field(given["type"], given.get("sourceId"), given.get("displayName"))


_DIALECT: Mapping[str, Check[Any]] = {
    "friendlyHeaders": boolean,
    "dateFormat": one_of(DateFormat),
    "fieldDelimiter": one_of(Delimiter),
    "decimalSeparator": one_of(DecimalSeparator),
    "encoding": one_of(Encoding),
}
_LIST: Mapping[str, Check[Any]] = {
    **_DIALECT,
    "propertyTechnicalNames": array(text),
    "listFilter": array(as_uuid),
    "propertyFilters": array(_as_property_filter),
}
_METRIC: Mapping[str, Check[Any]] = {
    **_DIALECT,
    "scenarios": array(as_uuid),
    "filters": array(as_dimension_filter),
    "exportFilter": as_filter,
}
_TABLE: Mapping[str, Check[Any]] = {**_METRIC, "metrics": array(as_uuid), "fields": array(_as_field)}
