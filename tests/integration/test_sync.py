"""The messages of a sync."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import CatalogError, NotFoundError, PigmentExportError
from tests.support.pigment import API_KEY, CSV, Answer
from tests.support.taps import deselect, of_type, records, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunTap

COUNTRIES = "Code;Name\r\nFR;France\r\nDE;Deutschland\r\n"


def test_each_row_is_a_record_in_the_order_of_the_export(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)

    messages = run_tap()

    assert [message["type"] for message in messages] == ["SCHEMA", "RECORD", "RECORD", "ACTIVATE_VERSION", "STATE"]
    assert records(messages, "countries") == [
        {"Code": "FR", "Name": "France"},
        {"Code": "DE", "Name": "Deutschland"},
    ]


def test_values_have_the_types_of_the_schema(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add("Sales", "Metric", "")
    pigment.add(
        "P&L",
        "Table",
        "Month_AAAAAA;Sales_BBBBBB;Open_CCCCCC;Since_DDDDDD;Note_EEEEEE\r\n"
        'Jan 26;1250.50;TRUE;2026-01-31;"a;b ""c"""\r\n'
        "Feb 26;-7;FALSE;;\r\n"
        "Mar 26;1E-05;;2026-03-31;007\r\n",
    )

    messages = run_tap()

    assert records(messages, "p_l") == [
        {
            "Month_AAAAAA": "Jan 26",
            "Sales_BBBBBB": 1250.5,
            "Open_CCCCCC": True,
            "Since_DDDDDD": "2026-01-31",
            "Note_EEEEEE": 'a;b "c"',
        },
        {"Month_AAAAAA": "Feb 26", "Sales_BBBBBB": -7, "Open_CCCCCC": False, "Since_DDDDDD": None, "Note_EEEEEE": None},
        {
            "Month_AAAAAA": "Mar 26",
            "Sales_BBBBBB": 0.00001,
            "Open_CCCCCC": None,
            "Since_DDDDDD": "2026-03-31",
            "Note_EEEEEE": "007",
        },
    ]


def test_the_content_hash_is_the_documented_one(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Amounts", "Comment;Amount\r\n;214875.99\r\n")

    messages = run_tap(stream_overrides={"amounts": {"key_columns": ["Amount"]}})

    # printf '6:Amount,9:214875.99,7:Comment,-' | sha256sum
    assert of_type(messages, "RECORD")[0]["record"] == {
        "Comment": None,
        "Amount": "214875.99",
        "contentHash": "85b3b9bbfe35ae1b81081329606d3d62e7def01abb0b1051e662076d02926af2",
    }


def test_identical_rows_of_a_transaction_list_are_numbered(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add("GL", "TransactionList", "Account;Amount\n4000;1.5\n4000;1.5\n4001;1.5\n4000;1.5\n")

    messages = run_tap()

    schema = of_type(messages, "SCHEMA")[0]
    numbered = sorted(
        (message["record"]["Account"], message["record"]["occurrence"]) for message in of_type(messages, "RECORD")
    )
    keys = {(m["record"]["contentHash"], m["record"]["occurrence"]) for m in of_type(messages, "RECORD")}
    assert schema["key_properties"] == ["contentHash", "occurrence"]
    assert numbered == [("4000", 1), ("4000", 2), ("4000", 3), ("4001", 1)]
    assert len(keys) == 4


def test_a_second_run_writes_the_same_records(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add("GL", "TransactionList", "Account;Amount\n4000;1.5\n4000;1.5\n4001;1.5\n")

    first, second = (sorted(str(message["record"]) for message in of_type(run_tap(), "RECORD")) for _ in range(2))

    assert first == second


def test_time_extracted_is_when_the_response_arrived(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    before = datetime.now(UTC)

    messages = run_tap()

    times = {message["time_extracted"] for message in of_type(messages, "RECORD")}
    assert len(times) == 1
    assert before <= datetime.fromisoformat(times.pop()) <= datetime.now(UTC)


def test_one_state_follows_each_stream(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", "Month\r\nJan\r\n")

    messages = run_tap(emit_activate_version_messages=False)

    assert [message["value"]["bookmarks"] for message in of_type(messages, "STATE")] == [
        {"countries": {"v": 1, "rows": 2}},
        {"countries": {"v": 1, "rows": 2}, "months": {"v": 1, "rows": 1}},
    ]


def test_state_of_other_streams_is_kept(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)

    messages = run_tap(state={"bookmarks": {"months": {"v": 1, "rows": 12}}}, emit_activate_version_messages=False)

    assert of_type(messages, "STATE")[-1]["value"]["bookmarks"] == {
        "countries": {"v": 1, "rows": 2},
        "months": {"v": 1, "rows": 12},
    }


def test_an_export_of_a_header_only_is_an_empty_stream(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code;Name\r\n")

    messages = run_tap()

    assert [message["type"] for message in messages] == ["SCHEMA", "STATE"]
    assert messages[1]["value"]["bookmarks"]["countries"] == {"v": 1, "rows": 0}


def test_a_sync_costs_one_listing_and_one_export_per_selected_stream(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", "Month\r\nJan\r\n")
    catalog = discover()
    deselect(catalog, "months")
    pigment.requests.clear()

    messages = run_tap(catalog=catalog)

    assert [request.path.split("/v1/")[1].split("/")[0] for request in pigment.requests] == ["blocks", "export"]
    assert {message["stream"] for message in of_type(messages, "SCHEMA")} == {"countries"}


def test_a_deselected_column_is_neither_emitted_nor_hashed(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    pigment.add_list("People", "Name;Salary\r\nAda;100000\r\n")
    catalog = discover()
    deselect(catalog, "people", "Salary")

    messages = run_tap(catalog=catalog)

    assert of_type(messages, "RECORD")[0]["record"] == {
        "Name": "Ada",
        "contentHash": hashlib.sha256(b"4:Name,3:Ada,").hexdigest(),
    }
    assert set(of_type(messages, "SCHEMA")[0]["schema"]["properties"]) == {"Name", "contentHash"}


def test_key_columns_and_content_hash_cannot_be_deselected(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    deselect(catalog, "countries", "Code", "Name", "contentHash")

    messages = run_tap(catalog=catalog)

    assert set(of_type(messages, "RECORD")[0]["record"]) == {"Code", "contentHash"}


def test_stream_maps_receive_typed_records(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Rates", "Country;Rate\r\nFR;0.5\r\nDE;1.25\r\n")

    messages = run_tap(stream_maps={"rates": {"double": "Rate * 2", "Rate": None, "__filter__": "Country == 'DE'"}})

    assert records(messages, "rates") == [{"Country": "DE", "double": 2.5}]


def test_flattening_leaves_flat_records_as_they_are(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)

    messages = run_tap(flattening_enabled=True, flattening_max_depth=2)

    assert records(messages, "countries")[0] == {"Code": "FR", "Name": "France"}


def test_a_renamed_block_keeps_its_stream(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.blocks[countries]["name"] = "Lands"

    messages = run_tap(catalog=catalog)

    assert len(records(messages, "countries")) == 2


def test_a_catalog_without_block_ids_finds_blocks_by_their_names(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    del catalog["streams"][0]["table_name"], catalog["streams"][0]["database_name"]

    messages = run_tap(catalog=catalog)

    assert len(records(messages, "countries")) == 2


def test_a_block_deleted_after_discovery_fails_its_stream(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    pigment.add_list("Months", "Month\r\nJan\r\n")
    catalog = discover()
    del pigment.blocks[countries]

    with pytest.raises(
        NotFoundError,
        match=r"^countries: the block is in the catalog and no longer in Pigment\. Nothing .* Discover again",
    ):
        run_tap(catalog=catalog)


def test_a_block_deleted_before_its_export_fails_with_the_remedy(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    del pigment.exports[countries]

    with pytest.raises(
        NotFoundError, match=r"^countries: the block no longer exists in Pigment \(404\)\. Discover again"
    ):
        run_tap(catalog=catalog)


def test_a_new_column_is_skipped_with_a_warning(
    pigment: Pigment, discover: Discover, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.exports[countries] = b"Code;Capital;Name\r\nFR;Paris;France\r\n"

    messages = run_tap(catalog=catalog)

    assert records(messages, "countries") == [{"Code": "FR", "Name": "France"}]
    reports = [record.message for record in caplog.records if "Capital" in record.message]
    assert len(reports) == 1
    assert reports[0].startswith("countries: columns that are not in the catalog are skipped: Capital. Discover again")


def test_a_selected_column_that_the_export_lacks_fails_the_stream(
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.exports[countries] = b"Code\r\nFR\r\n"
    running = tap(catalog=catalog)

    with pytest.raises(
        CatalogError, match=r"^countries: column Name is in the catalog and no longer in the export\. Nothing"
    ):
        running.sync_all()

    assert written(running) == []


def test_a_deselected_column_may_be_missing_from_the_export(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    deselect(catalog, "countries", "Name")
    pigment.exports[countries] = b"Code\r\nFR\r\n"

    assert records(run_tap(catalog=catalog), "countries") == [{"Code": "FR"}]


def test_another_order_of_columns_gives_the_same_records(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    first = of_type(run_tap(catalog=catalog), "RECORD")
    pigment.exports[countries] = b"Name;Code\r\nFrance;FR\r\nDeutschland;DE\r\n"

    second = of_type(run_tap(catalog=catalog), "RECORD")

    assert [message["record"] for message in first] == [message["record"] for message in second]


def test_a_new_block_is_reported(
    pigment: Pigment, discover: Discover, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.add_list("Months", "Month\r\nJan\r\n")

    run_tap(catalog=catalog)

    assert "In Pigment and not in the catalog: months. Discover again" in caplog.text


def test_a_truncated_export_is_retried(
    pigment: Pigment, run_tap: RunTap, discover: Discover, waits: list[float]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.answer_next_exports(Answer(body=COUNTRIES.encode(), headers=CSV, cut_after=20))

    messages = run_tap(catalog=catalog)

    assert [row["Code"] for row in records(messages, "countries")] == ["FR", "DE"]
    assert len(waits) == 1


def test_an_export_truncated_at_every_try_emits_nothing(
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
    waits: list[float],
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.answer_next_exports(*[Answer(body=COUNTRIES.encode(), headers=CSV, cut_after=20)] * 4)
    running = tap(catalog=catalog)

    with pytest.raises(
        PigmentExportError, match=r"^countries: the response was truncated: .*\(4 tries\)\. Nothing was emitted"
    ):
        running.sync_all()

    assert written(running) == []
    assert len(waits) == 3


def test_a_used_up_quota_fails_with_how_long_to_wait(
    pigment: Pigment, discover: Discover, run_tap: RunTap, waits: list[float]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.answer_next_exports(*[Answer(429, headers={"Retry-After": "7"})] * 4)

    with pytest.raises(PigmentExportError, match=r"^countries: Pigment's quota is used up \(429\): .*Wait 5 minutes"):
        run_tap(catalog=catalog)

    assert waits == [7, 7, 7]


def test_a_missing_final_line_end_is_accepted_if_all_tries_agree(
    pigment: Pigment, discover: Discover, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", COUNTRIES.rstrip())
    pigment.add_list("Months", "Month\r\nJan")
    catalog = discover()
    pigment.requests.clear()

    messages = run_tap(catalog=catalog, parallel_exports=1)

    assert [row["Code"] for row in records(messages, "countries")] == ["FR", "DE"]
    assert records(messages, "months") == [{"Month": "Jan"}]
    assert len(pigment.requested("/export/")) == 4 + 1
    assert caplog.text.count("countries: the export does not end with a line end, and all tries ended at the same") == 1


def test_exports_downloaded_ahead_are_emitted_in_order(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    for number in range(9):
        pigment.add_list(f"List {number}", f"Code\r\nC{number}\r\n")
    catalog = discover()

    messages = run_tap(catalog=catalog, parallel_exports=3)

    assert [message["record"]["Code"] for message in of_type(messages, "RECORD")] == [f"C{n}" for n in range(9)]


def test_requests_carry_the_api_key_in_the_header_only(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)

    messages = run_tap()

    assert {request.headers["authorization"] for request in pigment.requests} == {f"Bearer {API_KEY}"}
    assert not any(API_KEY in str((request.path, request.query, request.body)) for request in pigment.requests)
    assert API_KEY not in str(messages)


def test_metadata_requests_use_the_metadata_api_key(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    listing = json.dumps(list(pigment.blocks.values())).encode()
    pigment.always_answer("/v1/blocks", Answer(body=listing, headers={"Content-Type": "application/json"}))

    run_tap(metadata_api_key="pgmt_metadata")

    assert [request.headers["authorization"] for request in pigment.requests] == [
        "Bearer pgmt_metadata",
        f"Bearer {API_KEY}",
        f"Bearer {API_KEY}",
    ]


def test_a_successful_run_leaves_nothing_in_spool_dir(pigment: Pigment, run_tap: RunTap, tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)

    run_tap(spool_dir=str(tmp_path))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change_detection", ["none", "stream"])
def test_a_key_that_gains_a_dimension_is_warned_of_once(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture, change_detection: str
) -> None:
    sales = pigment.add("Sales", "Metric", "Month_AAAAAA;Sales_CCCCCC\r\nJan;1\r\n")
    settings: dict[str, Any] = {"block_types": ["Metric"], "change_detection": change_detection}
    state: dict[str, Any] = {}
    warnings = []

    for region in ("", "Region_BBBBBB;", "Region_BBBBBB;"):
        cell = "North;" if region else ""
        pigment.exports[sales] = f"Month_AAAAAA;{region}Sales_CCCCCC\r\nJan;{cell}1\r\n".encode()
        caplog.clear()
        running = tap(state=state, **settings)
        running.sync_all()
        state = of_type(written(running), "STATE")[-1]["value"]
        warnings.append([entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"])

    assert warnings == [
        [],
        [
            (
                "sales: the key is (Month_AAAAAA, Region_BBBBBB) and was another one in the last run. Rows that the "
                "target has under the old key stay there, unless it acts on ACTIVATE_VERSION. Load the table again "
                "from scratch, or set stream_overrides.sales.key_columns to the old key."
            )
        ],
        [],
    ]
