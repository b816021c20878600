"""The facts, over exchanges that the sandbox cannot produce."""

import json
import uuid
from collections.abc import Mapping

import pytest

from tap_pigment.sandbox.verify.evidence import Evidence, Exchange
from tap_pigment.sandbox.verify.facts import FACTS
from tap_pigment.sandbox.verify.probes import (
    Block,
    Probe,
    blocks_probe,
    export_probe,
    foreign_block_probe,
    missing_scope_probe,
    scenario_probe,
)

BLOCK_ID = "aaaaaaaa-0000-4000-8000-00000000000a"
LIST = Block(BLOCK_ID, "Côte d'Or", "DimensionList")
METRIC = Block(BLOCK_ID, "Sales", "Metric")


def exchange(probe: Probe, body: bytes = b"", *, status: int = 200, **more: object) -> Exchange:
    """Return an exchange over HTTP/2 whose response has no headers."""
    known: dict[str, object] = {"headers": {}, "http_version": "HTTP/2", **more}
    return Exchange(probe, status, body=body, **known)  # type: ignore[arg-type]  # Told apart by their names.


def observed(name: str, *exchanges: Exchange) -> list[str]:
    """Return what was observed of a fact."""
    [fact] = [fact for fact in FACTS if fact.name == name]
    return fact.observations(Evidence(exchanges, is_encrypted=True))


def exported(header: str, *rows: str, block: Block = LIST) -> Exchange:
    """Return an export of a block."""
    return exchange(export_probe(block, 1000), "".join(f"{line}\r\n" for line in (header, *rows)).encode())


def test_nothing_is_observed_without_exchanges() -> None:
    nothing = Evidence((), is_encrypted=True)

    assert [fact.name for fact in FACTS if fact.observations(nothing)] == []


def test_names_of_facts_are_unique() -> None:
    assert len({fact.name for fact in FACTS}) == len(FACTS)


def test_a_slug_replaces_every_letter_outside_a_to_z() -> None:
    assert observed("first column of dimension lists", exported("c_te_d_or_A1B2C3", "x")) == ["named for the list"]


@pytest.mark.parametrize(
    ("header", "order"),
    [
        ("i_AAAAAA;a_b_AAAAAA;ab_AAAAAA", "technical names, by code point"),
        ("i_AAAAAA;ab_AAAAAA;a_c_AAAAAA", "technical names, by letters"),
        ("i_AAAAAA;b_AAAAAA;a_AAAAAA", "another order"),
    ],
)
def test_an_order_is_told_by_code_point_or_by_letters(header: str, order: str) -> None:
    assert observed("order of properties", exported(header)) == [order]


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ("s_AAAAAA;a_AAAAAA;b_AAAAAA;sales_AAAAAA", "first"),
        ("a_AAAAAA;s_AAAAAA;b_AAAAAA;sales_AAAAAA", "between dimensions"),
        ("a_AAAAAA;b_AAAAAA;s_AAAAAA;sales_AAAAAA", "before the value"),
        ("a_AAAAAA;b_AAAAAA;sales_AAAAAA;s_AAAAAA", "last"),
        ("a_AAAAAA;b_AAAAAA;sales_AAAAAA", "no single column"),
    ],
)
def test_the_scenario_column_is_the_one_that_was_added(header: str, place: str) -> None:
    usual = exported("a_AAAAAA;b_AAAAAA;sales_AAAAAA", block=METRIC)
    with_scenario = exchange(scenario_probe(METRIC, BLOCK_ID, 1000), f"{header}\r\n".encode())

    assert observed("place of the scenario column", usual, with_scenario) == [place]


def test_a_refused_scenario_shows_its_status() -> None:
    refused = exchange(scenario_probe(METRIC, BLOCK_ID, 1000), status=400)

    assert observed("place of the scenario column", refused) == ["status 400"]


@pytest.mark.parametrize(
    ("cells", "forms"),
    [
        (["2054-01-21", ""], ["YYYY-MM-DD"]),
        (["2054-01-21T00:00:00Z"], ["YYYY-MM-DD with a time"]),
        (["10/25/2024 00:00:00 +00:00"], ["MM/DD/YYYY with a time"]),
        (["2054-01-21", "soon"], []),
        (["", ""], []),
    ],
)
def test_dates_are_columns_in_which_every_filled_cell_is_one(cells: list[str], forms: list[str]) -> None:
    rows = [f"{cell};x" for cell in cells]

    assert observed("dates", exported("a_AAAAAA;b_AAAAAA", *rows)) == forms


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("1E-05", ["E with a sign"]),
        ("1E+16", ["E with a sign"]),
        ("1E5", ["E without a sign"]),
        ("1e-05", ["e"]),
        ("12", []),
    ],
)
def test_exponents_are_those_of_numbers(cell: str, form: list[str]) -> None:
    assert observed("exponents", exported("a_AAAAAA;b_AAAAAA", f"{cell};x")) == form
    assert observed("exponents", exported("a_AAAAAA;b_AAAAAA", f"{cell};x", "code;y")) == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b'{"title": "Not Found", "status": 404}', "problem details"),
        (b'{"error": "no"}', "other JSON"),
        (b"\n<!DOCTYPE html>", "HTML"),
        (b"Not found", "text"),
    ],
)
def test_bodies_of_errors_have_kinds(body: bytes, kind: str) -> None:
    assert observed("bodies of errors", exchange(missing_scope_probe(), body, status=403)) == [kind]


@pytest.mark.parametrize(("status", "seen"), [(403, ["status 403"]), (200, []), (429, []), (503, [])])
def test_only_a_refusal_says_something_about_a_scope(status: int, seen: list[str]) -> None:
    assert observed("key without the scope", exchange(missing_scope_probe(), status=status)) == seen


@pytest.mark.parametrize(
    ("headers", "version", "end"),
    [
        ({"transfer-encoding": "chunked"}, "HTTP/1.1", "chunks"),
        ({}, "HTTP/1.1", "end of the connection"),
        ({}, "HTTP/2", "HTTP/2 stream"),
        ({"content-length": "9"}, "HTTP/2", "Content-Length"),
    ],
)
def test_the_end_of_a_body_is_known_from_its_headers(headers: Mapping[str, str], version: str, end: str) -> None:
    export = exchange(export_probe(LIST, 1000), b"a\r\n", headers=headers, http_version=version)

    assert observed("end of an export's body", export) == [end]


@pytest.mark.parametrize(
    ("listing", "forms"),
    [
        ([{"id": BLOCK_ID, "name": "a", "type": "Metric"}], ["array"]),
        ([{"id": "../x", "name": "a", "type": "Metric"}], ["ids of another form"]),
        ([{"id": BLOCK_ID, "name": None, "type": "Metric"}], ["members missing"]),
        (["a"], ["members missing"]),
        ({}, ["not an array"]),
        ([], []),
    ],
)
def test_listings_have_forms(listing: object, forms: list[str]) -> None:
    answer = exchange(blocks_probe("x"), json.dumps(listing).encode())

    assert observed("listing of blocks", answer) == forms
    assert len(Evidence([answer], is_encrypted=True).blocks) == (forms == ["array"])


def test_an_observation_without_a_word_is_something_else() -> None:
    strange = exchange(foreign_block_probe(uuid.uuid4()), status=404, http_version="Secret/3")

    assert observed("HTTP version", strange) == ["something else"]
