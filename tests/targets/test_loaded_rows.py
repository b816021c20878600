"""The rows that a target holds after a run of the tap: in databases, in files of target-jsonl, and from BATCH files."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.targets.databases import Database, DuckDb, Postgres
from tests.targets.demo import DEMO
from tests.targets.environments import command
from tests.targets.hard_workspace import TEXTS
from tests.targets.pipeline import run_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.conftest import Load
    from tests.targets.pipeline import Finished
    from tests.targets.served_sandbox import ServedSandbox

Files = dict[str, list[dict[str, Any]]]

KEY_SIZES = {"headcount": 4, "p_l": 5}  # The keys with blank cells; that of a list has none.
TYPES = {
    DuckDb: {"text": "VARCHAR", "date": "VARCHAR", "number": "DOUBLE", "boolean": "BOOLEAN", "integer": "HUGEINT"},
    Postgres: {"text": "text", "date": "date", "number": "numeric", "boolean": "boolean", "integer": "bigint"},
}
JOURNAL = ("text_AAAAAA", "amount_BBBBBB", "day_CCCCCC", "open_DDDDDD")
BATCH_ROWS = 300

# Databases


@pytest.mark.parametrize("stream", DEMO)
def test_each_row_is_in_the_database_once_with_its_hash(
    stream: str, demo: ServedSandbox, demo_database: tuple[Database, Finished]
) -> None:
    database, _ = demo_database
    export = demo.export(*DEMO[stream])
    key = export.header[: KEY_SIZES.get(stream, 0)] if database.takes_blank_keys else ()

    rows = database.rows(stream, [*export.header, "contentHash"])

    assert rows == export.typed_rows(database.readers(stream, export.header), key)


def test_each_block_has_a_table_and_there_is_no_other(demo_database: tuple[Database, Finished]) -> None:
    database, _ = demo_database

    assert database.tables() == set(DEMO)


def test_state_has_the_number_of_rows_of_each_export(
    demo: ServedSandbox, demo_database: tuple[Database, Finished]
) -> None:
    _, finished = demo_database

    rows = {stream: bookmark["rows"] for stream, bookmark in finished.state["bookmarks"].items()}

    assert rows == {stream: len(demo.export(*block).rows) for stream, block in DEMO.items()}


@pytest.mark.parametrize(
    ("stream", "columns"),
    [
        (
            "employees",
            {
                "employees": "text",
                "badge": "text",
                "country": "text",
                "department": "text",
                "email": "text",
                "employee_number": "text",
                "full_time": "boolean",
                "hired_on": "date",
                "left_on": "date",
                "note": "text",
                "yearly_salary": "number",
                "contentHash": "text",
            },
        ),
        (
            "gl_transactions",
            {
                "account": "text",
                "amount": "number",
                "country": "text",
                "currency": "text",
                "department": "text",
                "document_number": "text",
                "is_reversal": "boolean",
                "legacy_reference": "text",
                "memo": "text",
                "month": "text",
                "posting_date": "date",
                "quantity": "text",
                "contentHash": "text",
                "occurrence": "integer",
            },
        ),
    ],
)
def test_columns_have_the_types_of_their_cells(
    stream: str, columns: dict[str, str], demo: ServedSandbox, demo_database: tuple[Database, Finished]
) -> None:
    database, _ = demo_database
    header = {name.rpartition("_")[0]: name for name in demo.export(*DEMO[stream]).header}

    types = database.types(stream)

    named = {database.column(header.get(name, name)): kind for name, kind in columns.items()}
    assert {name: kind for name, kind in types.items() if not name.startswith("_sdc_")} == {
        name: TYPES[type(database)][kind] for name, kind in named.items()
    }


def test_values_equal_those_shown_in_pigment(demo: ServedSandbox, demo_database: tuple[Database, Finished]) -> None:
    database, _ = demo_database
    header = demo.export("Countries").header

    rows = database.rows("countries", header)

    def typed(rate: str | None, day: date | None) -> tuple[Any, Any]:
        if isinstance(database, DuckDb):
            return rate and float(rate), day and day.isoformat()
        return rate and Decimal(rate), day

    expected = {
        "countries": ("Côte d'Ivoire", "Indonesia"),
        "currency": ("EUR", "IDR"),
        "dialling_code": ("00225", "0062"),
        "in_eu": (False, None),
        "iso_code": ("CI", "ID"),
        "region": ("EMEA", "APAC"),
    }
    (rate, day), (no_rate, no_day) = typed("0.25", date(2022, 5, 30)), typed(None, None)
    expected |= {"tax_rate": (rate, no_rate), "opened_on": (day, no_day)}
    names = [name.rpartition("_")[0] for name in header]
    for place in (0, 1):
        assert rows[tuple(expected[name][place] for name in names)] == 1


def test_identical_rows_are_numbered_from_one(demo: ServedSandbox, demo_database: tuple[Database, Finished]) -> None:
    database, _ = demo_database
    repeated = Counter(demo.export("GL transactions").hashes())
    assert max(repeated.values()) > 1

    rows = database.rows("gl_transactions", ["contentHash", "occurrence"])

    assert rows == Counter((content, number) for content, times in repeated.items() for number in range(1, times + 1))


def test_texts_arrive_unchanged(database: Database) -> None:
    cities = database.rows("cities", ["cities_AAAAAA", "note_BBBBBB"])
    labels = database.rows("labels", ["labels_CCCCCC"])

    assert cities == Counter((f"city {number}", text) for number, text in enumerate(TEXTS))
    assert labels == Counter((text,) for text in TEXTS)


def test_content_hash_follows_its_definition(database: Database) -> None:
    rows = database.rows("people", ["people_AAAAAA", "contentHash"])

    # SHA-256 of 16:full_time_BBBBBB,4:TRUE, 12:hired_CCCCCC,10:2020-05-01, 13:people_AAAAAA,3:Ada,
    # 11:rate_DDDDDD,5:12.25, and 10:zip_EEEEEE,5:01234, without the blanks between them.
    assert rows[("Ada", "8b8319783aa14f30705671fc9d8958eeeb042b79171da18343154dc2ab549503")] == 1


def test_numbers_and_dates_arrive_unchanged(database: Database) -> None:
    rows = database.rows("journal", JOURNAL)

    number, day = (float, str) if isinstance(database, DuckDb) else (Decimal, date.fromisoformat)
    assert rows == {
        ("same", number("10.5"), day("2026-01-31"), True): 4,
        (None, None, None, None): 2,
        ("first day", number("0.00001"), day("0001-01-01"), False): 1,
        ("last day", number("1.7976931348623157E308"), day("9999-12-31"), False): 1,
        ("whole", number("9007199254740993"), None, None): 1,
        ("negative", number("-0.1"), day("2024-02-29"), None): 1,
    }


def test_blank_key_cell_is_an_empty_text_where_the_target_stores_one(database: Database) -> None:
    rows = database.rows("plan", ["people_AAAAAA", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"])

    blank = "" if database.takes_blank_keys else None
    number = float if isinstance(database, DuckDb) else Decimal
    assert rows == {("Ada", "2026", 20, None): 1, (blank, "2026", None, number("0.1")): 1}


def test_second_run_changes_nothing(load: Load, demo: ServedSandbox, demo_database: tuple[Database, Finished]) -> None:
    database, _ = demo_database

    load(demo, database)

    for stream, block in DEMO.items():
        assert database.rows(stream, ["contentHash"]) == Counter((content,) for content in demo.export(*block).hashes())


def test_cell_changed_in_pigment_changes_in_the_database(
    changed_pigment: ServedSandbox, changed_database: Database
) -> None:
    export = changed_pigment.export("People")

    rows = changed_database.rows("people", [*export.header, "contentHash"])

    assert rows == export.typed_rows(changed_database.readers("people", export.header))
    assert changed_database.rows("people", ["people_AAAAAA", "rate_DDDDDD", "full_time_BBBBBB"]) == {
        ("Ada", 12.25, True): 1,
        ("Bo", 13.5, None): 1,
        ("Cy", None, True): 1,
    }


def test_changed_row_of_a_keyless_stream_is_a_new_row(
    pigment: ServedSandbox, changed_pigment: ServedSandbox, changed_database: Database
) -> None:
    hashes = pigment.export("Journal").hashes()
    [new] = set(changed_pigment.export("Journal").hashes()) - set(hashes)

    rows = changed_database.rows("journal", ["contentHash"])

    assert rows == Counter((content,) for content in [*hashes, new])


# Files of target-jsonl


@pytest.fixture(scope="module")
def files(pigment: ServedSandbox, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Run the tap into target-jsonl and return the records of each stream."""
    folder = tmp_path_factory.mktemp("jsonl")
    output = folder / "output"
    config = {"destination_path": str(output), "do_timestamp_file": False}
    run_pipeline(pigment.config, command("target-jsonl"), config, folder)
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in output.iterdir()
    }


def test_texts_arrive_unchanged_in_jsonl(files: Files) -> None:
    assert [record["note_BBBBBB"] for record in files["cities"]] == list(TEXTS)


def test_each_row_is_in_jsonl_with_its_types(files: Files) -> None:
    rows = Counter(json.dumps([record[name] for name in JOURNAL]) for record in files["journal"])

    assert rows == {
        '["same", 10.5, "2026-01-31", true]': 4,
        "[null, null, null, null]": 2,
        '["first day", 1e-05, "0001-01-01", false]': 1,
        '["last day", 1.7976931348623157e+308, "9999-12-31", false]': 1,
        '["whole", 9007199254740993, null, null]': 1,
        '["negative", -0.1, "2024-02-29", null]': 1,
    }


def test_records_of_a_keyless_stream_have_hash_and_number_in_jsonl(pigment: ServedSandbox, files: Files) -> None:
    times = Counter(pigment.export("Journal").hashes())

    numbered = Counter((record["contentHash"], record["occurrence"]) for record in files["journal"])

    assert numbered == Counter((content, number) for content, count in times.items() for number in range(1, count + 1))


def test_blank_key_cell_is_an_empty_text_in_jsonl(files: Files) -> None:
    assert [record["people_AAAAAA"] for record in files["plan"]] == ["Ada", ""]


# BATCH files


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_each_row_of_jsonl_batch_files_is_in_the_database_once_with_its_hash(
    demo: ServedSandbox, postgres_url: str, tmp_path: Path, compression: str
) -> None:
    database = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
    batch_config = {
        "encoding": {"format": "jsonl", "compression": compression},
        "storage": {"root": (tmp_path / "batches").as_uri()},
        "batch_size": BATCH_ROWS,
    }

    run_pipeline({**demo.config, "batch_config": batch_config}, database.command, database.config, tmp_path)

    ledger = demo.export(*DEMO["gl_transactions"])
    assert len(list((tmp_path / "batches").glob("*--gl_transactions-*"))) == -(-len(ledger.rows) // BATCH_ROWS)
    for stream, block in DEMO.items():
        export = demo.export(*block)
        rows = database.rows(stream, [*export.header, "contentHash"])
        key = export.header[: KEY_SIZES.get(stream, 0)]
        assert rows == export.typed_rows(database.readers(stream, export.header), key)
