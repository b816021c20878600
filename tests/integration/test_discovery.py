"""Discovery: streams, keys and types, the requests that it takes, and what it skips."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import ApiKeyError, PigmentError, ScopeMissingError, SettingsError, StreamsFailedError
from tests.support.pigment import APPLICATION_ID, CSV, Answer
from tests.support.taps import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunCommand, RunTap

TABLE = "Country_AAAAAA;Month_BBBBBB;Revenue_CCCCCC;Units_DDDDDD\r\nFR;Jan;10;1\r\nFR;Feb;20;\r\n"
TEXT = {"type": ["string", "null"]}
KEY = {"type": ["string"]}
FRANCE = "f0000000-0000-4000-8000-000000000001"


def entry(catalog: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """Return a stream's entry in a catalog."""
    found: dict[str, Any] = next(item for item in catalog["streams"] if item["tap_stream_id"] == stream)
    return found


def types(catalog: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """Return the JSON schema of each exported column, without titles."""
    properties = entry(catalog, stream)["schema"]["properties"]
    return {
        name: {key: value for key, value in schema.items() if key != "title"}
        for name, schema in properties.items()
        if name not in {"contentHash", "occurrence"}
    }


def test_the_first_column_of_a_dimension_list_is_its_key(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")

    catalog = discover()

    assert entry(catalog, "countries")["key_properties"] == ["Code"]
    assert types(catalog, "countries") == {"Code": KEY, "Name": TEXT}


def test_a_first_column_that_repeats_in_the_sample_is_no_key(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\nFR;Frankreich\r\n")

    catalog = discover()

    assert entry(catalog, "countries")["key_properties"] == ["contentHash", "occurrence"]
    assert entry(catalog, "countries")["schema"]["properties"]["occurrence"]["type"] == ["integer"]


def test_a_transaction_list_has_no_key_column(pigment: Pigment, discover: Discover) -> None:
    pigment.add("GL", "TransactionList", "Account;Amount\r\n4000;1.5\r\n")

    catalog = discover()

    assert entry(catalog, "gl")["key_properties"] == ["contentHash", "occurrence"]


def test_all_columns_of_a_metric_but_its_value_are_the_key(pigment: Pigment, discover: Discover) -> None:
    pigment.add("Sales", "Metric", "Country_AAAAAA;Year_BBBBBB;Sales_CCCCCC\r\nFR;2026;100\r\n")

    catalog = discover(block_types=["Metric"])

    assert entry(catalog, "sales")["key_properties"] == ["Country_AAAAAA", "Year_BBBBBB"]
    assert types(catalog, "sales")["Year_BBBBBB"] == KEY
    assert types(catalog, "sales")["Sales_CCCCCC"] == {"type": ["number", "null"]}


def test_the_columns_of_a_table_before_its_first_metric_are_the_key(pigment: Pigment, discover: Discover) -> None:
    pigment.add("Revenue", "Metric", "")
    pigment.add("Units", "Metric", "")
    pigment.add("P&L", "Table", TABLE)

    catalog = discover()

    assert entry(catalog, "p_l")["key_properties"] == ["Country_AAAAAA", "Month_BBBBBB"]
    assert types(catalog, "p_l") == {
        "Country_AAAAAA": KEY,
        "Month_BBBBBB": KEY,
        "Revenue_CCCCCC": {"type": ["number", "null"]},
        "Units_DDDDDD": {"type": ["number", "null"]},
    }


def test_a_metric_with_the_name_of_a_dimension_list_stays_in_the_key(pigment: Pigment, discover: Discover) -> None:
    pigment.add("Month", "Metric", "")
    pigment.add_list("Month", "Month_BBBBBB\r\nJan\r\n")
    pigment.add("Revenue", "Metric", "")
    pigment.add("P&L", "Table", TABLE)

    catalog = discover()

    assert entry(catalog, "p_l")["key_properties"] == ["Country_AAAAAA", "Month_BBBBBB"]


def test_a_table_without_a_known_metric_has_no_key_column(pigment: Pigment, discover: Discover) -> None:
    pigment.add("P&L", "Table", TABLE)

    catalog = discover()

    assert entry(catalog, "p_l")["key_properties"] == ["contentHash", "occurrence"]


def test_columns_marked_in_metadata_are_the_key_in_its_order(pigment: Pigment, discover: Discover) -> None:
    columns = [
        {"name": "Name", "type": "Text", "isKey": True},
        {"name": "Code", "type": "Text", "isKey": True},
        {"name": "Size", "type": "Integer", "isKey": False},
        {"name": "Since", "type": "Date", "isKey": False},
    ]
    pigment.add_list("Countries", "Code;Name;Size;Since\r\nFR;France;67;2026-01-31\r\n", columns=columns)

    catalog = discover()

    assert entry(catalog, "countries")["key_properties"] == ["Name", "Code"]
    assert types(catalog, "countries") == {
        "Code": KEY,
        "Name": KEY,
        "Size": {"type": ["integer", "null"]},
        "Since": {"type": ["string", "null"], "format": "date"},
    }


def test_an_override_sets_the_name_the_key_and_the_types(pigment: Pigment, discover: Discover) -> None:
    list_id = pigment.add_list("Countries", "Code;Name;Size\r\nFR;France;67\r\n")
    override = {"key_columns": ["Name"], "types": {"Size": "integer"}, "name": "lands"}

    catalog = discover(stream_overrides={list_id: override})

    assert entry(catalog, "lands")["key_properties"] == ["Name"]
    assert types(catalog, "lands") == {"Code": TEXT, "Name": KEY, "Size": {"type": ["integer", "null"]}}


def test_an_override_of_no_key_columns_makes_a_keyless_stream(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")

    catalog = discover(stream_overrides={"countries": {"key_columns": []}})

    assert entry(catalog, "countries")["key_properties"] == ["contentHash", "occurrence"]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ({"key_columns": ["Kode"]}, "countries.key_columns: no column Kode in the export. Its columns: Code, Name."),
        ({"types": {"Kode": "date"}}, "countries.types: no column Kode in the export. Its columns: Code, Name."),
        ({"types": {"Code": "number"}}, "countries.types: Code is a key column and cannot be a number."),
    ],
)
@pytest.mark.parametrize("has_catalog", [True, False])
def test_an_override_that_does_not_fit_fails_its_own_stream_only(  # noqa: PLR0913 - fixtures and parameters.
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
    override: dict[str, Any],
    problem: str,
    *,
    has_catalog: bool,
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    pigment.add_list("Months", "Code\r\nJan\r\n")
    overrides = {"countries": override}
    catalog = discover(stream_overrides=overrides)
    running = tap(catalog=catalog if has_catalog else None, stream_overrides=overrides, on_stream_error="continue")

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    first, second = str(caught.value).splitlines()
    assert first == "1 of 2 streams failed. The others are complete."
    assert f"stream_overrides.{problem}" in second
    assert {message["stream"] for message in written(running) if message["type"] != "STATE"} == {"months"}
    assert types(catalog, "countries") == {"Code": KEY, "Name": TEXT}


def test_discovery_warns_of_an_override_that_does_not_fit(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")

    ended = run_command("--discover", config={**config, "stream_overrides": {"countries": {"key_columns": ["Kode"]}}})

    assert ended.returncode == 0
    assert "no column Kode in the export. Its columns: Code, Name. Until then, each sync fails" in ended.stderr


def test_an_override_for_no_stream_is_warned_of(
    pigment: Pigment, discover: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")

    discover(stream_overrides={"contries": {"key_columns": []}})

    assert "stream_overrides.contries has no effect: no extracted stream has this name or block id" in caplog.text


def test_without_inference_every_column_is_text(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code;EU;Rate\r\nFR;TRUE;0.5\r\n")

    catalog = discover(infer_types=False)

    assert types(catalog, "countries") == {"Code": KEY, "EU": TEXT, "Rate": TEXT}


def test_friendly_headers_are_requested_and_become_snake_case(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Country;Évolution (%);Évolution (%)\r\nFR;1;2\r\n")

    catalog = discover(headers="friendly")

    properties = entry(catalog, "countries")["schema"]["properties"]
    assert list(properties) == ["country", "evolution", "evolution_2", "contentHash"]
    assert properties["evolution_2"]["title"] == "Évolution (%)"
    assert pigment.requested("/export/")[0].body["friendlyHeaders"] is True


def test_a_request_of_an_override_is_sent_in_the_format_of_the_tap(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    request = {"propertyTechnicalNames": ["Name"], "fieldDelimiter": "Semicolon", "encoding": None}

    discover(stream_overrides={"countries": {"request": request}})

    assert pigment.requested("/export/")[0].body == {
        "propertyTechnicalNames": ["Name"],
        "fieldDelimiter": "Semicolon",
        "decimalSeparator": "Dot",
        "dateFormat": "Iso8601",
        "encoding": "Utf8WithoutBom",
        "friendlyHeaders": False,
    }


def test_a_byte_order_mark_is_not_part_of_the_first_column(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", b"\xef\xbb\xbfCode;Name\r\nFR;France\r\n")

    assert list(types(discover(), "countries")) == ["Code", "Name"]


def test_types_are_inferred_from_the_first_1000_rows_only(pigment: Pigment, discover: Discover) -> None:
    rows = "".join(f"C{number};{number}.5\r\n" for number in range(1_000))
    pigment.add_list("Rates", "Code;Rate\r\n" + rows + "last;none\r\n")

    assert types(discover(), "rates")["Rate"] == {"type": ["number", "null"]}


def test_blocks_of_other_types_are_not_sampled(pigment: Pigment, discover: Discover) -> None:
    pigment.add("Sales", "Metric", "Sales\r\n1\r\n")
    pigment.add("Chart", "Dashboard", "x\r\n")
    pigment.add_list("Countries", "Code\r\nFR\r\n")

    catalog = discover()

    assert [item["tap_stream_id"] for item in catalog["streams"]] == ["countries"]
    assert len(pigment.requested("/export/")) == 1


@pytest.mark.parametrize(
    ("settings", "streams"),
    [
        ({"include": ["Cou*"]}, ["countries"]),
        ({"include": ["months"]}, ["months"]),
        ({"include": ["00000001-*"]}, ["countries"]),
        ({"include": ["COUNTRIES", "mONTHS"]}, ["countries", "months"]),
        ({"include": ["[P&L] by Month"]}, ["p_l_by_month"]),
        ({"exclude": ["Region (old) [archive]", "x*"]}, ["countries", "months", "p_l_by_month"]),
        ({"include": ["lands"], "stream_overrides": {"countries": {"name": "lands"}}}, ["lands"]),
        ({"include": ["countries"], "stream_overrides": {"countries": {"name": "lands"}}}, ["lands"]),
        ({"exclude": ["*nth*", "re*"]}, ["countries", "x_y"]),
        ({"include": ["Countries", "X / Y"], "exclude": ["x_y"]}, ["countries"]),
    ],
)
def test_include_and_exclude_match_names_streams_and_ids(
    pigment: Pigment, discover: Discover, settings: dict[str, Any], streams: list[str]
) -> None:
    for name in ("Countries", "Months", "X / Y", "[P&L] by Month", "Region (old) [archive]"):
        pigment.add_list(name, "Code\r\nFR\r\n")

    catalog = discover(**settings)

    assert [item["tap_stream_id"] for item in catalog["streams"]] == streams
    assert len(pigment.requested("/export/")) == len(streams)


def test_blocks_with_one_name_get_the_start_of_their_ids(pigment: Pigment, discover: Discover) -> None:
    for _ in range(2):
        pigment.add_list("Departments", "Code\r\nA\r\n")

    catalog = discover()

    assert [item["tap_stream_id"] for item in catalog["streams"]] == ["departments_00000001", "departments_00000002"]


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("Plan 2.0 / Q1", "plan_2_0_q1"),
        ("2026 Budget", "_2026_budget"),
        ("📈 Ventes d'été", "ventes_d_ete"),
        ("--- !!! ---", "list_00000001"),
        ("", "list_00000001"),
        ("x" * 200, "x" * 63),
        ("a.b[c]*?", "a_b_c"),
    ],
)
def test_any_block_name_makes_a_stream_name(pigment: Pigment, discover: Discover, name: str, stream: str) -> None:
    pigment.add_list(name, "Code\r\nA\r\n")

    assert [item["tap_stream_id"] for item in discover()["streams"]] == [stream]


def test_streams_of_several_applications_start_with_its_name(pigment: Pigment, discover: Discover) -> None:
    other = "0b000000-0000-4000-8000-000000000002"
    pigment.applications.append({"id": other, "name": "HR"})
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    listing = json.dumps(list(pigment.blocks.values())).encode()
    shared_and_own = json.dumps(
        [
            *pigment.blocks.values(),
            {"id": "0c000000-0000-4000-8000-00000000000c", "name": "Staff", "type": "DimensionList"},
        ]
    ).encode()
    pigment.exports["0c000000-0000-4000-8000-00000000000c"] = b"Code\r\nAda\r\n"
    applications = json.dumps(pigment.applications).encode()
    headers = {"Content-Type": "application/json"}
    pigment.answer_next_listings(
        Answer(body=applications, headers=headers),
        Answer(body=listing, headers=headers),
        Answer(body=shared_and_own, headers=headers),
    )

    catalog = discover(application_ids=[APPLICATION_ID, other])

    assert [item["tap_stream_id"] for item in catalog["streams"]] == ["finance_countries", "hr_staff"]


def test_views_are_streams_without_a_key(pigment: Pigment, discover: Discover) -> None:
    pigment.add("Revenue", "Metric", "")
    view_id = pigment.add_view("Board", "Month_AAAAAA;Revenue_BBBBBB\r\nJan;10\r\n")

    catalog = discover(block_types=["View"])

    request = pigment.requested(view_id)[0]
    assert entry(catalog, "board")["key_properties"] == ["contentHash", "occurrence"]
    assert types(catalog, "board") == {"Month_AAAAAA": TEXT, "Revenue_BBBBBB": {"type": ["number", "null"]}}
    assert (request.method, dict(request.query), request.body) == ("GET", {"fieldDelimiter": ["Semicolon"]}, None)


def test_views_are_listed_by_block_if_pigment_refuses_otherwise(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    pigment.add_view("Board", "Month\r\nJan\r\n")
    listing = json.dumps(list(pigment.blocks.values())).encode()
    pigment.answer_next_listings(Answer(body=listing, headers={"Content-Type": "application/json"}), Answer(400))

    catalog = discover(block_types=["View"])

    assert [item["tap_stream_id"] for item in catalog["streams"]] == ["board"]
    assert [request.query.get("blockId") for request in pigment.requested("/views")] == [
        None,
        ["00000001-0000-4000-8000-000000000001"],
    ]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, f"Application {APPLICATION_ID}: no block is visible. Check application_id, and the access rights"),
        ({"exclude": ["*"]}, "No block is extracted: 1 block listed, 1 of block_types. Check include, exclude"),
        (
            {"include": ["Contries"]},
            (
                'No block is extracted: 1 block listed, 1 of block_types. include: "Contries" matches no block of '
                "block_types. Check include, exclude"
            ),
        ),
        ({"block_types": ["Metric"]}, "No block is extracted: 1 block listed, 0 of block_types. include: "),
    ],
    ids=["no block", "all excluded", "misspelt", "other types"],
)
@pytest.mark.parametrize("options", [("--discover",), (), ("--check",)], ids=["discover", "sync", "check"])
def test_nothing_to_extract_is_an_error(  # noqa: PLR0913, PLR0917 - fixtures and parameters.
    pigment: Pigment,
    run_command: RunCommand,
    config: Mapping[str, Any],
    settings: dict[str, Any],
    problem: str,
    options: tuple[str, ...],
) -> None:
    if settings:
        pigment.add_list("Countries", "Code\r\nFR\r\n")

    ended = run_command(*options, config={**config, **settings})

    said = ended.stdout if options == ("--check",) else ended.stderr
    assert ended.returncode == 1
    assert problem in said.replace(f"Finance ({APPLICATION_ID})", APPLICATION_ID)
    assert "Traceback" not in ended.stderr
    assert options == ("--check",) or ended.stdout == ""


def test_a_block_that_cannot_be_read_is_skipped_with_a_warning(
    pigment: Pigment, discover: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    secret = pigment.add_list("Salaries", "Name;Salary\r\nAda;1\r\n")
    pigment.always_answer(f"/list/{secret}", Answer(403))

    catalog = discover()

    assert [item["tap_stream_id"] for item in catalog["streams"]] == ["countries"]
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == (
        "salaries: the API key lacks the Export scope, or its owner may not see this block (403). Have it granted in "
        "Pigment, or set api_key to a key that has it. The stream is not in the catalog."
    )


def test_discovery_fails_if_no_block_can_be_read(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    pigment.always_answer("/export/", Answer(403))

    with pytest.raises(
        ScopeMissingError,
        match=r"^countries: the API key lacks the Export scope, or its owner may not see this block \(403\)",
    ):
        discover()


def test_a_wrong_api_key_fails_discovery(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")

    with pytest.raises(ApiKeyError, match=r"does not accept the API key \(401\)") as error:
        discover(api_key="pgmt_wrong")

    assert "pgmt_wrong" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(403), r"the API key lacks the Modeling Metadata scope \(403\).*metadata_api_key"),
        (Answer(404), r"not found \(404\)\. Check application_id"),
        (Answer(400, b'{"title": "Bad id", "detail": "not a uuid"}'), r"\(400\).*application_id.*Bad id: not a uuid"),
        (
            Answer(302, headers={"Location": "https://sso.test/login"}),
            r"redirects \(302\) to https://sso.test/login.*api_url",
        ),
        (
            Answer(200, b"<html>Log in</html>", {"Content-Type": "text/html"}),
            "not JSON: the response is a web page, such as a login page.*Check api_url",
        ),
        (
            Answer(200, b'{"items": []}', {"Content-Type": "application/json"}),
            "the response is not a list of blocks.*api_url",
        ),
        (Answer(503, b"maintenance"), r"Pigment failed \(503\).*maintenance"),
    ],
)
def test_a_failed_listing_names_where_what_and_the_remedy(
    pigment: Pigment, discover: Discover, answer: Answer, message: str
) -> None:
    pigment.always_answer("/v1/blocks", answer)

    with pytest.raises(PigmentError, match=f"^Listing the blocks of application {APPLICATION_ID}: .*{message}"):
        discover()


def test_an_item_of_an_unknown_type_is_skipped_whatever_it_lacks(pigment: Pigment, discover: Discover) -> None:
    listing = [{"id": 7}, {"id": "a1", "name": "Countries", "type": "DimensionList"}]
    pigment.exports["a1"] = b"Code\r\nFR\r\n"
    pigment.always_answer("/v1/blocks", Answer(200, json.dumps(listing).encode(), {"Content-Type": "application/json"}))

    assert [item["tap_stream_id"] for item in discover()["streams"]] == ["countries"]


def test_an_application_without_its_name_is_an_error(pigment: Pigment, discover: Discover) -> None:
    pigment.applications = [{"id": APPLICATION_ID}]

    with pytest.raises(PigmentError, match=r"^Listing the applications: an item of the response has no name"):
        discover(application_ids=[APPLICATION_ID, "other"])


def test_key_metadata_of_meltano_overrides_the_discovered_key(
    pigment: Pigment, discover: Discover, tap: MakeTap
) -> None:
    pigment.add_list("Countries", "Code;Size\r\nFR;1.5\r\n")
    catalog = discover()
    root = next(item for item in catalog["streams"][0]["metadata"] if item["breadcrumb"] == [])
    root["metadata"]["table-key-properties"] = ["Size"]
    running = tap(catalog=catalog)

    running.sync_all()

    schema, record = written(running)[:2]
    assert schema["key_properties"] == ["Size"]
    assert schema["schema"]["properties"]["Size"]["type"] == ["string"]
    assert record["record"]["Size"] == "1.5"


def test_the_schema_extra_of_meltano_sets_the_type(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code;Size\r\nFR;1.5\r\n")
    catalog = discover()
    catalog["streams"][0]["schema"]["properties"]["Size"] = {"type": ["string", "null"]}
    running = tap(catalog=catalog)

    running.sync_all()

    assert written(running)[1]["record"]["Size"] == "1.5"


def test_overrides_win_over_an_older_catalog(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code;Size\r\nFR;1.5\r\n")
    catalog = discover()
    running = tap(catalog=catalog, stream_overrides={"countries": {"key_columns": [], "types": {"Size": "text"}}})

    running.sync_all()

    schema, record = written(running)[:2]
    assert schema["key_properties"] == ["contentHash", "occurrence"]
    assert (record["record"]["Size"], record["record"]["occurrence"]) == ("1.5", 1)


def test_an_unknown_key_column_in_the_catalog_is_an_error(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    catalog = discover()
    root = next(item for item in catalog["streams"][0]["metadata"] if item["breadcrumb"] == [])
    root["metadata"]["table-key-properties"] = ["code"]

    with pytest.raises(SettingsError, match="table-key-properties of countries in the catalog: no column code"):
        tap(catalog=catalog).sync_all()


def test_the_sample_of_a_truncated_export_has_its_whole_rows(pigment: Pigment, discover: Discover) -> None:
    body = b'Code;Rate\r\nA;1.5\r\nB;"2'
    pigment.add_list("Rates", body + b'.5"\r\n')
    pigment.answer_next_exports(Answer(body=body, headers={**CSV}, announce=len(body)))

    assert types(discover(), "rates")["Rate"] == {"type": ["number", "null"]}


def test_overrides_that_swap_names_stay_with_their_blocks(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    countries = pigment.add_list("Countries", "Code\r\nFR\r\n")
    lands = pigment.add_list("Lands", "Code\r\nDE\r\n")
    overrides = {"countries": {"name": "lands", "request": {"listFilter": [FRANCE]}}, "lands": {"name": "countries"}}
    catalog = discover(stream_overrides=overrides)
    pigment.requests.clear()

    tap(catalog=catalog, stream_overrides=overrides).sync_all()

    sent = {
        request.path.rpartition("/")[2]: request.body.get("listFilter") for request in pigment.requested("/export/")
    }
    assert sent == {countries: [FRANCE], lands: None}


def test_a_selected_stream_whose_block_settings_skip_fails(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    pigment.add_list("Months", "Code\r\nJan\r\n")
    catalog = discover()
    running = tap(catalog=catalog, exclude=["months"])

    with pytest.raises(SettingsError, match=r"^months: it is selected in the catalog, and include, exclude or"):
        running.sync_all()

    assert {message["stream"] for message in written(running) if "stream" in message} == {"countries"}


def test_a_deselected_stream_whose_block_settings_skip_is_no_failure(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    pigment.add_list("Months", "Code\r\nJan\r\n")
    catalog = discover()
    root = next(item for item in entry(catalog, "months")["metadata"] if item["breadcrumb"] == [])
    root["metadata"]["selected"] = False

    messages = run_tap(catalog=catalog, exclude=["months"])

    assert {message["stream"] for message in messages if "stream" in message} == {"countries"}


def test_each_pattern_that_matches_no_block_is_warned_of(
    pigment: Pigment, discover: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    pigment.add("Sales", "Metric", "")

    discover(include=["countries", "Mnths", "Sales"], exclude=["salries", "Sales"])

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        'include: "Mnths" matches no block of block_types',
        'include: "Sales" matches no block of block_types',
        'exclude: "salries" matches no block',
    ]


def test_a_pattern_that_matches_no_block_fails_the_check(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")

    ended = run_command("--check", config={**config, "exclude": ["salries"]})

    assert ended.returncode == 1
    assert 'FAIL exclude: "salries" matches no block. Correct or remove it.' in ended.stdout.splitlines()


def test_override_names_that_differ_only_in_case_are_refused(pigment: Pigment, discover: Discover) -> None:
    pigment.add_list("Ledger", "Code\r\nFR\r\n")
    pigment.add_list("Months", "Code\r\nJan\r\n")

    with pytest.raises(SettingsError, match=r"^stream_overrides: two streams have the name LEDGER"):
        discover(stream_overrides={"months": {"name": "LEDGER"}})


def test_a_metric_with_the_name_of_a_transaction_list_ends_the_key(pigment: Pigment, discover: Discover) -> None:
    pigment.add("Month", "TransactionList", "Code\r\nx\r\n")
    pigment.add("Month", "Metric", "")
    pigment.add("P&L", "Table", "Country_AAAAAA;Month_BBBBBB\r\nFR;10\r\n")

    assert entry(discover(), "p_l")["key_properties"] == ["Country_AAAAAA"]


def test_marked_columns_with_one_slug_are_distinguished(pigment: Pigment, discover: Discover) -> None:
    columns = [{"name": "Cost Center", "isKey": True}, {"name": "Cost-Center", "isKey": True}]
    pigment.add_list("Costs", "cost_center_AAAAAA;cost_center_BBBBBB\r\n1;2\r\n", columns=columns)

    assert entry(discover(), "costs")["key_properties"] == ["cost_center_AAAAAA", "cost_center_BBBBBB"]


def test_marked_columns_are_no_key_if_one_is_not_exported(pigment: Pigment, discover: Discover) -> None:
    columns = [{"name": "Name", "isKey": True}, {"name": "Gone", "isKey": True}]
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n", columns=columns)

    assert entry(discover(), "countries")["key_properties"] == ["Code"]


def test_a_key_in_a_catalog_may_be_a_single_name(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    catalog = discover()
    root = next(item for item in catalog["streams"][0]["metadata"] if item["breadcrumb"] == [])
    root["metadata"]["table-key-properties"] = "Name"
    running = tap(catalog=catalog)

    running.sync_all()

    assert written(running)[0]["key_properties"] == ["Name"]


def test_a_choice_of_types_in_a_catalog_is_refused(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code;Size\r\nFR;1\r\n")
    catalog = discover()
    catalog["streams"][0]["schema"]["properties"]["Size"] = {"anyOf": [{"type": "integer"}, {"type": "null"}]}

    with pytest.raises(
        PigmentError, match=r"^countries: column Size: a cell cannot have the catalog's type \(a choice\)\."
    ):
        tap(catalog=catalog).sync_all()
