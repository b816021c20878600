"""The raw request bodies of exports: what each kind of block takes, and how each mistake is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_pigment.pigment import check_request_body
from tap_pigment.pigment.request_schemas import REQUEST_SCHEMAS
from tap_pigment.sandbox.api.bodies import list_request, metric_request, table_request
from tap_pigment.sandbox.api.checks import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ID = "0a000000-0000-4000-8000-00000000000F"
PATH = "stream_overrides.pnl.slices[2]"
COMPARED = {"metricId": ID, "condition": {"type": "GreaterThan", "value": 10}}
NOT_BLANK = {"metricId": ID, "condition": {"type": "IsNotBlank"}}
ITEMS = {"dimensionId": ID, "modalityIds": [ID, ID]}
FILTER = {
    "type": "And",
    "and": [
        {"type": "Dimension", "dimension": ITEMS},
        {"type": "Or", "or": [{"type": "Value", "value": COMPARED}, {"type": "Value", "value": NOT_BLANK}]},
    ],
}
FORMAT = {
    "friendlyHeaders": False,
    "dateFormat": "Iso8601",
    "fieldDelimiter": "Semicolon",
    "decimalSeparator": "Dot",
    "encoding": "Utf8WithoutBom",
}
LIST = {
    "propertyTechnicalNames": ["code_AAAAAA"],
    "listFilter": [ID],
    "propertyFilters": [{"propertyTechnicalName": "code_AAAAAA", "modalityIds": [ID]}],
    **FORMAT,
}
METRIC = {"scenarios": [ID], "filters": [ITEMS], "exportFilter": FILTER, **FORMAT}
TABLE = {
    **METRIC,
    "metrics": [ID],
    "fields": [
        {"sourceId": ID, "type": "DimensionField", "displayName": "Month"},
        {"sourceId": ID, "type": "ValueField", "displayName": None},
        {"sourceId": None, "type": "ScenarioField"},
    ],
}
WHOLE: dict[str, dict[str, Any]] = {
    "list": LIST,
    "metric": METRIC,
    "table": TABLE,
    "view": {"fieldDelimiter": "Semicolon"},
}


def put(body: Mapping[str, Any], place: list[str | int], value: object) -> dict[str, Any]:
    """Return a copy of a body with another value at a place; an Ellipsis removes what stands there."""
    changed: Any = {"body": json.loads(json.dumps(body))}
    inner = changed
    for step in ["body", *place[:-1]]:
        inner = inner[step]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return changed["body"]  # type: ignore[no-any-return] # JSON.


# What is accepted


@pytest.mark.parametrize("kind", WHOLE)
def test_every_key_of_the_schema_is_accepted(kind: str) -> None:
    assert WHOLE[kind].keys() == REQUEST_SCHEMAS[kind]["properties"].keys()
    assert check_request_body(WHOLE[kind], kind, PATH) == []
    assert check_request_body(WHOLE[kind], None, PATH) == []


@pytest.mark.parametrize("kind", WHOLE)
def test_null_and_nothing_mean_the_default(kind: str) -> None:
    assert check_request_body(dict.fromkeys(WHOLE[kind]), kind, PATH) == []
    assert check_request_body({}, kind, PATH) == []


@pytest.mark.parametrize(
    "part",
    [
        *({"type": name, "value": 1} for name in ("LessThan", "LessThanOrEqual", "Equal", "NotEqual")),
        {"type": "GreaterThanOrEqual", "value": 1.5},
        {"type": "Equal", "value": "Paris"},
        {"type": "Equal", "value": True},
    ],
)
def test_conditions_compare_with_text_numbers_and_booleans(part: dict[str, object]) -> None:
    body = {"exportFilter": {"type": "Value", "value": {"metricId": ID, "condition": part}, "and": None}}

    assert check_request_body(body, "metric", PATH) == []


def test_a_deprecated_filter_may_be_empty() -> None:
    assert check_request_body({"filters": [{"dimensionId": ID, "modalityIds": []}]}, "table", PATH) == []


# What is refused

ITEM_IDS: list[str | int] = ["exportFilter", "and", 0, "dimension", "modalityIds"]
CONDITION: list[str | int] = ["exportFilter", "and", 1, "or", 0, "value", "condition"]
KEYS_OF_METRICS = (
    "allowed: dateFormat, decimalSeparator, encoding, exportFilter, fieldDelimiter, filters, friendlyHeaders, scenarios"
)
CONDITIONS = "LessThan, LessThanOrEqual, Equal, NotEqual, GreaterThan, GreaterThanOrEqual, IsNotBlank"


@pytest.mark.parametrize(
    ("kind", "place", "value", "message"),
    [
        pytest.param(
            "metric",
            ["exportFiler"],
            None,
            f".exportFiler: unknown key ({KEYS_OF_METRICS}). Did you mean exportFilter?",
            id="misspelt key",
        ),
        pytest.param(
            "metric",
            ["limit"],
            10,
            f".limit: unknown key ({KEYS_OF_METRICS}). Correct or remove it.",
            id="unknown key",
        ),
        pytest.param(
            "metric",
            ["listFilter"],
            [],
            f".listFilter: only a block of another kind takes it ({KEYS_OF_METRICS}). Remove it.",
            id="key of another kind",
        ),
        pytest.param(
            "table",
            ["exportFilter", "and", 0, "dimension", "modalityId"],
            [],
            (
                ".exportFilter.and[0].dimension.modalityId: unknown key (allowed: dimensionId, modalityIds). Did you "
                "mean modalityIds?"
            ),
            id="misspelt key of a filter",
        ),
        pytest.param(
            "metric",
            [*CONDITION, "type"],
            "Equals",
            (
                ".exportFilter.and[1].or[0].value.condition.type: unknown value "
                f'"Equals" (allowed: {CONDITIONS}). Did you mean Equal?'
            ),
            id="condition of another type",
        ),
        pytest.param(
            "metric",
            ["exportFilter", "type"],
            None,
            ".exportFilter.type: unknown value null (allowed: And, Or, Dimension, Value). Correct or remove it.",
            id="filter of type null",
        ),
        pytest.param("table", ["fields", 0, "sourceId"], ..., ".fields[0].sourceId: it is missing. Set it.", id="id"),
        pytest.param(
            "table",
            ["fields", 2, "sourceId"],
            ...,
            ".fields[2].sourceId: it is missing. Set it.",
            id="ScenarioField without sourceId",
        ),
        pytest.param(
            "table",
            ["fields", 2, "sourceId"],
            ID,
            ".fields[2].sourceId: it must be null with the type beside it. Set it to null, or correct type.",
            id="ScenarioField with sourceId",
        ),
        pytest.param(
            "table",
            ["fields", 1, "sourceId"],
            None,
            ".fields[1].sourceId: null is not a string. Correct it.",
            id="ValueField without a metric",
        ),
        pytest.param(
            "table",
            ["fields", 1, "type"],
            "Value",
            (
                '.fields[1].type: unknown value "Value" (allowed: DimensionField, ScenarioField, ValueField). Did you '
                "mean ValueField?"
            ),
            id="field of another type",
        ),
        pytest.param(
            "table",
            [*ITEM_IDS, 1],
            ID[:-1],
            (
                f'.exportFilter.and[0].dimension.modalityIds[1]: "{ID[:-1]}" is not a UUID. Copy it from a request '
                "that Pigment generates."
            ),
            id="malformed UUID",
        ),
        pytest.param(
            "list",
            ["listFilter", 0],
            f"{ID}\n",
            f'.listFilter[0]: "{ID}\\n" is not a UUID. Copy it from a request that Pigment generates.',
            id="UUID with a line end",
        ),
        pytest.param(
            "list", ["listFilter"], ID, f'.listFilter: "{ID}" is not an array. Correct it.', id="one id for several"
        ),
        pytest.param(
            "list",
            ["propertyFilters", 0, "propertyTechnicalName"],
            5,
            ".propertyFilters[0].propertyTechnicalName: 5 is not a string. Correct it.",
            id="number for text",
        ),
        pytest.param(
            "metric",
            [*CONDITION, "value"],
            [1],
            (
                ".exportFilter.and[1].or[0].value.condition.value: [1] is not a string or a number or a boolean. "
                "Correct it."
            ),
            id="list to compare with",
        ),
        pytest.param(
            "metric",
            [*CONDITION, "value"],
            ...,
            ".exportFilter.and[1].or[0].value.condition.value: it is missing. Set it.",
            id="nothing to compare with",
        ),
        pytest.param(
            "metric",
            [*CONDITION, "type"],
            "IsNotBlank",
            (
                ".exportFilter.and[1].or[0].value.condition.value: it must be left out with the type beside it. Remove "
                "it, or correct type."
            ),
            id="IsNotBlank with a value",
        ),
        pytest.param(
            "metric",
            ["exportFilter", "or"],
            [{"type": "Dimension", "dimension": ITEMS}],
            ".exportFilter.or: it must be null with the type beside it. Set it to null, or correct type.",
            id="filter of two types",
        ),
        pytest.param(
            "metric", ["exportFilter", "and"], ..., ".exportFilter.and: it is missing. Set it.", id="filter of no type"
        ),
        *(
            pytest.param(
                "metric",
                place,
                [],
                f"{shown}: it is empty, and Pigment does not define what that means. Remove the filter.",
                id=f"empty {shown}",
            )
            for place, shown in (
                (ITEM_IDS, ".exportFilter.and[0].dimension.modalityIds"),
                (["exportFilter", "and"], ".exportFilter.and"),
                (["exportFilter", "and", 1, "or"], ".exportFilter.and[1].or"),
            )
        ),
        *(
            pytest.param(
                "table",
                [name],
                value,
                f".{name}: the tap reads exports in one format only ({name}: {FORMAT[name]}). Remove it.",
                id=f"{name} {value}",
            )
            for name, value in (
                ("fieldDelimiter", "Comma"),
                ("decimalSeparator", "Comma"),
                ("dateFormat", "Legacy"),
                ("encoding", "Utf8WithBom"),
                ("fieldDelimiter", ";"),
            )
        ),
        pytest.param(
            "list",
            ["friendlyHeaders"],
            True,
            ".friendlyHeaders: the tap sets it. Remove it, and set headers: friendly in the override.",
            id="friendlyHeaders",
        ),
        pytest.param(
            "view",
            ["exportFilter"],
            FILTER,
            ": a view is exported as it is saved, and takes no exportFilter. Change the view in Pigment instead.",
            id="body of a view",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(kind: str, place: list[str | int], value: object, message: str) -> None:
    assert check_request_body(put(WHOLE[kind], place, value), kind, PATH) == [f"{PATH}{message}"]


@pytest.mark.parametrize("body", [None, [], "{}", 1])
def test_a_body_is_an_object(body: object) -> None:
    (message,) = check_request_body(body, "list", PATH)

    assert message.endswith(" is not an object. Correct it.")


def test_an_unknown_kind_takes_the_keys_of_all_kinds_and_no_other() -> None:
    (message,) = check_request_body({**LIST, **TABLE, "limit": 10}, None, PATH)

    assert message.startswith(f"{PATH}.limit: unknown key (allowed: ")


def test_five_mistakes_are_named_and_the_others_counted() -> None:
    body = {"exportFilter": {"type": "not"}, "scenarios": list("abcdef")}

    *named, last = check_request_body(body, "metric", PATH)

    assert [message.split(": ")[0] for message in named] == [f"{PATH}.scenarios[{number}]" for number in range(5)]
    assert last == f"{PATH}: 2 more mistakes."


def test_filters_nested_without_end_are_refused() -> None:
    nested: dict[str, Any] = FILTER
    for _ in range(400):
        nested = {"type": "And", "and": [nested]}

    assert check_request_body({"exportFilter": nested}, "metric", PATH) == [
        f"{PATH}: its filters are nested too deeply. Join filters of one type."
    ]


def test_a_message_shows_no_api_key_and_stays_in_one_line_of_a_short_value() -> None:
    body = {"scenarios": ["pgmt_S3cret" + "a" * 40, "\n" * 100], "pgmt_S3cret\n": 1}

    messages = check_request_body(body, "metric", PATH)

    assert len(messages) == 3
    assert not any("S3cret" in message or "\n" in message or len(message) > 300 for message in messages)


# Bodies at random, and the sandbox's own check of them

SANDBOX = {"list": list_request, "metric": metric_request, "table": table_request}
IDS = st.uuids().map(str)
ID_LISTS = st.lists(IDS, min_size=1, max_size=2)
NAMES = st.sampled_from(["code_AAAAAA", "month_BBBBBB"])
ITEM_FILTERS = st.fixed_dictionaries({"dimensionId": IDS, "modalityIds": ID_LISTS})
CONDITION_BODIES = st.one_of(
    st.just({"type": "IsNotBlank"}),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(CONDITIONS.split(", ")[:-1]),
            "value": st.one_of(st.text(max_size=3), st.integers(), st.floats(allow_nan=False), st.booleans()),
        }
    ),
)
VALUE_FILTERS = st.fixed_dictionaries({"metricId": IDS, "condition": CONDITION_BODIES})


def filter_of(label: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return filters of a type; members of the other types may be null."""
    name = label.lower()
    others = {other: st.none() for other in ("and", "or", "dimension", "value") if other != name}
    return st.fixed_dictionaries({"type": st.just(label), name: value}, optional=others)


FILTER_BODIES = st.recursive(
    st.one_of(filter_of("Dimension", ITEM_FILTERS), filter_of("Value", VALUE_FILTERS)),
    lambda inner: st.one_of(*(filter_of(label, st.lists(inner, min_size=1, max_size=2)) for label in ("And", "Or"))),
    max_leaves=4,
)
FIELDS = st.one_of(
    *(
        st.fixed_dictionaries(
            {"type": st.just(label), "sourceId": source}, optional={"displayName": st.none() | st.text(max_size=3)}
        )
        for label, source in (("DimensionField", IDS), ("ValueField", IDS), ("ScenarioField", st.none()))
    )
)
FORMAT_MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    name: st.sampled_from([None, value]) for name, value in FORMAT.items()
}
METRIC_MEMBERS = {
    **FORMAT_MEMBERS,
    "scenarios": st.none() | st.lists(IDS, max_size=2),
    "filters": st.none() | st.lists(ITEM_FILTERS, max_size=2),
    "exportFilter": st.none() | FILTER_BODIES,
}
MEMBERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "list": {
        **FORMAT_MEMBERS,
        "propertyTechnicalNames": st.none() | st.lists(NAMES, max_size=2),
        "listFilter": st.none() | st.lists(IDS, max_size=2),
        "propertyFilters": st.none()
        | st.lists(st.fixed_dictionaries({"propertyTechnicalName": NAMES, "modalityIds": ID_LISTS}), max_size=2),
    },
    "metric": METRIC_MEMBERS,
    "table": {**METRIC_MEMBERS, "metrics": st.lists(IDS, max_size=2), "fields": st.lists(FIELDS, max_size=3)},
}
BODIES = st.sampled_from(sorted(MEMBERS)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.fixed_dictionaries({}, optional=MEMBERS[kind]))
)
# A law says nothing of time, which a busy machine decides.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WRONG_VALUES = st.sampled_from(
    [None, 0, 1.5, "", "and", "Or", "IsNotBlank ", "ValueField", ID[:-1], ID, [], [ID], [None], {}, {"type": "And"}]
)


def places(body: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of each value in a body."""
    if path:
        yield path
    members = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for step, inner in members:
        yield from places(inner, (*path, step))


def is_accepted_by_sandbox(body: object, kind: str) -> bool:
    """Return whether the sandbox accepts a body."""
    try:
        SANDBOX[kind](body)
    except BadRequestError:
        return False
    return True


@UNHURRIED
@given(BODIES)
def test_bodies_by_the_description_are_accepted(case: tuple[str, dict[str, Any]]) -> None:
    kind, body = case

    assert is_accepted_by_sandbox(body, kind)
    assert check_request_body(body, kind, PATH) == []
    assert check_request_body(body, None, PATH) == []


@UNHURRIED
@given(BODIES, st.data())
def test_a_changed_body_is_accepted_where_the_sandbox_accepts_it(
    case: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    kind, body = case
    found = [[*place] for place in places(body)] or [["limit"]]
    place = data.draw(st.sampled_from(found))
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "add":  # A member beside the one at the place, or an index that replaces it.
        place = [*place[:-1], data.draw(st.sampled_from(["limit", "and", "type", "metrics"]))]
        found = []
    # The description requires sourceId even where it is null; the sandbox does not.
    removes = change == "remove" and place in found and place[-1] not in {"sourceId", "limit"}
    try:
        changed = put(body, place, ... if removes else data.draw(WRONG_VALUES))
    except TypeError:  # A name is no index of a list.
        changed = body

    assert (check_request_body(changed, kind, PATH) == []) == is_accepted_by_sandbox(changed, kind)
