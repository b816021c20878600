"""What the request bodies of exports may hold, as JSON schemas, and the check of a body that a user gives.

Source: Pigment's OpenAPI description. The schemas add the rules that are only in its text: a filter has exactly the
member that its type names, and is not empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own.

from tap_pigment.errors import counted
from tap_pigment.pigment.api import EXPORT_FORMAT
from tap_pigment.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_Schema = Mapping[str, Any]

_MAX_NAMED = 5
_MAX_QUOTED = 60
_TYPE_NAMES = {
    "array": "an array",
    "boolean": "a boolean",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


def _enum(*values: str) -> _Schema:
    return {"enum": list(values)}


def _array(items: _Schema) -> _Schema:
    return {"type": "array", "items": items}


def _object(properties: _Schema, required: Sequence[str] = (), rules: Sequence[_Schema] = ()) -> _Schema:
    """Return the schema of an object without other members than these.

    Args:
        properties: The schema of each member.
        required: The members that must be set.
        rules: What `_rule` returns.
    """
    # Mistakes are named in this order.
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
        "allOf": list(rules),
    }


def _nullable(schema: _Schema) -> _Schema:
    return {"enum": [*schema["enum"], None]} if "enum" in schema else {**schema, "type": [schema["type"], "null"]}


def _rule(types: Sequence[str], properties: _Schema, required: Sequence[str] = ()) -> _Schema:
    """Return the rule for objects whose member `type` is one of `types`.

    Args:
        types: The values of `type`.
        properties: What holds for other members then.
        required: The members that must be set then.
    """
    is_one = {"properties": {"type": {"enum": list(types)}}, "required": ["type"]}
    return {"if": is_one, "then": {"properties": properties, "required": list(required)}}


_TEXT: _Schema = {"type": "string"}
_BOOLEAN: _Schema = {"type": "boolean"}
_UUID: _Schema = {"type": "string", "pattern": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z"}
_UUIDS = _array(_UUID)
_NULL: _Schema = {"type": "null"}
_ABSENT: _Schema = {"not": {}}

_PROPERTY_FILTER = _object(
    {"propertyTechnicalName": _TEXT, "modalityIds": _UUIDS}, required=["propertyTechnicalName", "modalityIds"]
)
_DIMENSION_FILTER = _object({"dimensionId": _UUID, "modalityIds": _UUIDS}, required=["dimensionId", "modalityIds"])
_COMPARISONS = ("LessThan", "LessThanOrEqual", "Equal", "NotEqual", "GreaterThan", "GreaterThanOrEqual")
_CONDITION = _object(
    {"type": _enum(*_COMPARISONS, "IsNotBlank"), "value": {"type": ["string", "number", "boolean"]}},
    required=["type"],
    rules=[_rule(_COMPARISONS, {}, required=["value"]), _rule(["IsNotBlank"], {"value": _ABSENT})],
)
_VALUE_FILTER = _object({"metricId": _UUID, "condition": _CONDITION}, required=["metricId", "condition"])
_FILTERS: _Schema = {"type": "array", "items": {"$ref": "#/$defs/filter"}}
_FILTER = _object(
    {
        "type": _enum("And", "Or", "Dimension", "Value"),
        "and": _nullable(_FILTERS),
        "or": _nullable(_FILTERS),
        "dimension": _nullable(_DIMENSION_FILTER),
        "value": _nullable(_VALUE_FILTER),
    },
    required=["type"],
    rules=[
        _rule([label], {**dict.fromkeys(("and", "or", "dimension", "value"), _NULL), name: rule}, required=[name])
        for label, name, rule in (
            ("And", "and", {"type": "array", "minItems": 1}),
            ("Or", "or", {"type": "array", "minItems": 1}),
            ("Dimension", "dimension", {"type": "object", "properties": {"modalityIds": {"minItems": 1}}}),
            ("Value", "value", {"type": "object"}),
        )
    ],
)
_FIELD = _object(
    {
        "sourceId": _nullable(_UUID),
        "type": _enum("DimensionField", "ScenarioField", "ValueField"),
        "displayName": _nullable(_TEXT),
    },
    required=["sourceId", "type"],
    rules=[
        _rule(["DimensionField", "ValueField"], {"sourceId": {"type": "string"}}),
        _rule(["ScenarioField"], {"sourceId": _NULL}),
    ],
)

_FORMAT: _Schema = {
    "friendlyHeaders": _nullable(_BOOLEAN),
    "dateFormat": _nullable(_enum("Legacy", "Iso8601")),
    "fieldDelimiter": _nullable(_enum("Semicolon", "Comma")),
    "decimalSeparator": _nullable(_enum("Comma", "Dot")),
    "encoding": _nullable(_enum("Utf8WithBom", "Utf8WithoutBom")),
}
_LIST: _Schema = {
    "propertyTechnicalNames": _nullable(_array(_TEXT)),
    "listFilter": _nullable(_UUIDS),
    "propertyFilters": _nullable(_array(_PROPERTY_FILTER)),
    **_FORMAT,
}
_METRIC: _Schema = {
    "scenarios": _nullable(_UUIDS),
    "filters": _nullable(_array(_DIMENSION_FILTER)),
    "exportFilter": {"$ref": "#/$defs/filterOrNull"},
    **_FORMAT,
}
_TABLE: _Schema = {
    **_METRIC,
    "metrics": _nullable(_UUIDS),
    "fields": _nullable(_array(_FIELD)),
}
_VIEW: _Schema = {"fieldDelimiter": _FORMAT["fieldDelimiter"]}
_DEFINITIONS = {"filter": _FILTER, "filterOrNull": _nullable(_FILTER)}

# The schema of a body by the kind of its block, see `BlockType.kind`; by None what any kind takes.
REQUEST_SCHEMAS: Mapping[str | None, _Schema] = {
    kind: {**_object(properties), "$defs": _DEFINITIONS}
    for kind, properties in {
        "list": _LIST,
        "metric": _METRIC,
        "table": _TABLE,
        "view": _VIEW,
        None: {**_LIST, **_TABLE},
    }.items()
}


def check_request_body(body: object, kind: str | None, path: str) -> list[str]:
    """Return a message for each mistake in a raw request body; after five of them, one that counts the others.

    Args:
        body: The body, as JSON.
        kind: The kind of the block, see `BlockType.kind`; None if it is not known yet.
        path: The place of the body in the settings, such as `stream_overrides.pnl.request`.
    """
    path = printable(path)
    # One message for each place: a value of the wrong type also breaks the rules of the object around it.
    found: dict[str, str] = {}
    try:
        for place, problem in _mistakes(body, kind):
            found.setdefault(place, problem)
    except RecursionError:
        return [f"{path}: its filters are nested too deeply. Join filters of one type."]
    messages = [f"{path}{printable(f'{place}: {problem}')}" for place, problem in found.items()]
    more = len(messages) - _MAX_NAMED
    return messages if more <= 0 else [*messages[:_MAX_NAMED], f"{path}: {counted(more, 'more mistake')}."]


def _mistakes(body: object, kind: str | None) -> Iterator[tuple[str, str]]:
    """Yield the place in a body of each mistake, and the problem; a place may come more than once."""
    if isinstance(body, Mapping):
        if kind == "view" and (others := [name for name in body if name not in _VIEW]):
            names = ", ".join(others)
            yield "", f"a view is exported as it is saved, and takes no {names}. Change the view in Pigment instead."
            return
        for name, value in EXPORT_FORMAT.items():
            if body.get(name) not in (None, value):
                yield f".{name}", f"the tap reads exports in one format only ({name}: {value}). Remove it."
        if body.get("friendlyHeaders") not in (None, False):
            yield ".friendlyHeaders", "the tap sets it. Remove it, and set headers: friendly in the override."
    for error in jsonschema.Draft202012Validator(REQUEST_SCHEMAS[kind]).iter_errors(body):
        yield from _readable(error)


def _readable(error: jsonschema.ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the place and the problem of each mistake in an error of jsonschema."""
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    instance, rule = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(place, instance, sorted(error.schema["properties"]))
        case "required":  # One error for each missing member, which only a text names.
            yield from ((f"{place}.{name}", "it is missing. Set it.") for name in rule if name not in instance)
        case "enum":
            yield place, f"unknown value {_shown(instance)} {_allowed(instance, [name for name in rule if name])}"
        case "pattern":
            yield place, f"{_shown(instance)} is not a UUID. Copy it from a request that Pigment generates."
        case "minItems":
            yield place, "it is empty, and Pigment does not define what that means. Remove the filter."
        case "type" if rule == "null":
            yield place, "it must be null with the type beside it. Set it to null, or correct type."
        case "type":
            names = [_TYPE_NAMES[name] for name in ([rule] if isinstance(rule, str) else rule) if name != "null"]
            yield place, f"{_shown(instance)} is not {' or '.join(names)}. Correct it."
        case _:  # Of `_ABSENT`.
            yield place, "it must be left out with the type beside it. Remove it, or correct type."


def _unknown_keys(place: str, instance: Mapping[str, Any], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the place and the problem of each member that is not known."""
    for name in instance:
        if name in known:
            continue
        if not place and name in REQUEST_SCHEMAS[None]["properties"]:
            yield f".{name}", f"only a block of another kind takes it (allowed: {', '.join(known)}). Remove it."
        else:
            yield f"{place}.{name}", f"unknown key {_allowed(name, known)}"


def _allowed(value: object, known: Sequence[str]) -> str:
    """Return the end of a message: the allowed keys or values, and the one that was probably meant."""
    similar = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    advice = f"Did you mean {similar[0]}?" if similar else "Correct or remove it."
    return f"(allowed: {', '.join(known)}). {advice}"


def _shown(value: object) -> str:
    """Return the beginning of a value, as JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}..."
