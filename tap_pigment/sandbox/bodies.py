"""Request bodies of exports, checked as strictly as Pigment's description says."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tap_pigment.sandbox.checks import BadRequestError, Check, array, as_uuid, boolean, members, one_of, text
from tap_pigment.sandbox.filters import AllOf, Filter, as_dimension_filter, as_filter


class Delimiter(StrEnum):
    """`fieldDelimiter`."""

    SEMICOLON = "Semicolon"
    COMMA = "Comma"


class DecimalSeparator(StrEnum):
    """`decimalSeparator`."""

    DOT = "Dot"
    COMMA = "Comma"


class DateFormat(StrEnum):
    """`dateFormat`."""

    ISO_8601 = "Iso8601"
    LEGACY = "Legacy"


class Encoding(StrEnum):
    """`encoding`."""

    UTF_8_WITH_BOM = "Utf8WithBom"
    UTF_8_WITHOUT_BOM = "Utf8WithoutBom"


class FieldType(StrEnum):
    """`type` of a field."""

    DIMENSION = "DimensionField"
    SCENARIO = "ScenarioField"
    VALUE = "ValueField"


@dataclass(frozen=True)
class Dialect:
    """How an export is written."""

    delimiter: Delimiter = Delimiter.SEMICOLON
    decimal_separator: DecimalSeparator = DecimalSeparator.DOT
    date_format: DateFormat = DateFormat.ISO_8601
    encoding: Encoding = Encoding.UTF_8_WITH_BOM
    friendly_headers: bool = False


@dataclass(frozen=True)
class PropertyFilter:
    """Keep items whose property, a dimension, is one of these items."""

    technical_name: str
    item_ids: frozenset[str]


@dataclass(frozen=True)
class Field:
    """One column asked for of a table."""

    type: FieldType
    source_id: str | None
    display_name: str | None


@dataclass(frozen=True)
class ListRequest:
    """The body of a list's export; None and empty mean all."""

    dialect: Dialect
    properties: tuple[str, ...] | None
    item_ids: frozenset[str]
    property_filters: tuple[PropertyFilter, ...]


@dataclass(frozen=True)
class ValuesRequest:
    """The body of a metric's or table's export; empty means all, of scenarios the default one."""

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
    # In `filters`, unlike in `exportFilter`, an empty filter includes all values.
    deprecated = [rule for rule in given.get("filters", ()) if rule.item_ids]
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


def _as_property_filter(where: str, value: object) -> PropertyFilter:
    given = members(
        where,
        value,
        {"propertyTechnicalName": text, "modalityIds": array(as_uuid)},
        required=("propertyTechnicalName", "modalityIds"),
    )
    return PropertyFilter(given["propertyTechnicalName"], frozenset(given["modalityIds"]))


def _as_field(where: str, value: object) -> Field:
    given = members(
        where,
        value,
        {"type": one_of(FieldType), "sourceId": as_uuid, "displayName": text},
        required=("type",),
    )
    if (given["type"] is FieldType.SCENARIO) == ("sourceId" in given):
        raise BadRequestError(f"{where}.sourceId: must be set, except for ScenarioField, where it is null.")
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
