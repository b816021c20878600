"""What is in a database after the tap has run into its target."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.targets.company import TEXTS
from tests.targets.databases import Database, DuckDb, Postgres
from tests.targets.demo import DEMO

if TYPE_CHECKING:
    from tests.targets.conftest import Load
    from tests.targets.pigment import Pigment
    from tests.targets.pipeline import Finished

KEY_SIZES = {"headcount": 4, "p_l": 5}  # Else the first column of a list, of which no cell is blank.
TYPES = {
    DuckDb: {"text": "VARCHAR", "date": "VARCHAR", "number": "DOUBLE", "boolean": "BOOLEAN", "integer": "HUGEINT"},
    Postgres: {"text": "text", "date": "date", "number": "numeric", "boolean": "boolean", "integer": "bigint"},
}


@pytest.mark.parametrize("stream", DEMO)
def test_every_row_of_an_export_is_in_the_database_once_with_its_hash(
    stream: str, demo: Pigment, demo_database: tuple[Database, Finished]
) -> None:
    database, _ = demo_database
    export = demo.export(*DEMO[stream])
    key = export.header[: KEY_SIZES.get(stream, 0)] if database.takes_blank_keys else ()

    rows = database.rows(stream, [*export.header, "contentHash"])

    assert rows == export.typed_rows(database.readers(stream, export.header), key)


def test_there_is_a_table_for_each_block_and_no_other(demo_database: tuple[Database, Finished]) -> None:
    database, _ = demo_database

    assert database.tables() == set(DEMO)


def test_the_state_counts_the_rows_of_each_export(demo: Pigment, demo_database: tuple[Database, Finished]) -> None:
    _, finished = demo_database

    assert finished.state == {
        "bookmarks": {stream: {"v": 1, "rows": len(demo.export(*block).rows)} for stream, block in DEMO.items()}
    }


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
    stream: str, columns: dict[str, str], demo: Pigment, demo_database: tuple[Database, Finished]
) -> None:
    database, _ = demo_database
    header = {name.rpartition("_")[0]: name for name in demo.export(*DEMO[stream]).header}

    types = database.types(stream)

    named = {database.column(header.get(name, name)): kind for name, kind in columns.items()}
    assert {name: kind for name, kind in types.items() if not name.startswith("_sdc_")} == {
        name: TYPES[type(database)][kind] for name, kind in named.items()
    }


def test_values_are_what_pigment_shows(demo: Pigment, demo_database: tuple[Database, Finished]) -> None:
    database, _ = demo_database
    header = demo.export("Countries").header

    rows = database.rows("countries", header)

    def shown(rate: str | None, day: date | None) -> tuple[Any, Any]:
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
    (rate, day), (no_rate, no_day) = shown("0.25", date(2022, 5, 30)), shown(None, None)
    expected |= {"tax_rate": (rate, no_rate), "opened_on": (day, no_day)}
    names = [name.rpartition("_")[0] for name in header]
    for place in (0, 1):
        assert rows[tuple(expected[name][place] for name in names)] == 1


def test_identical_rows_are_numbered_from_one(demo: Pigment, demo_database: tuple[Database, Finished]) -> None:
    database, _ = demo_database
    repeated = Counter(demo.export("GL transactions").hashes())
    assert max(repeated.values()) > 1

    rows = database.rows("gl_transactions", ["contentHash", "occurrence"])

    assert rows == Counter((content, number) for content, times in repeated.items() for number in range(1, times + 1))


def test_texts_arrive_to_the_byte(database: Database) -> None:
    cities = database.rows("cities", ["cities_AAAAAA", "note_BBBBBB"])
    labels = database.rows("labels", ["labels_CCCCCC"])

    assert cities == Counter((f"city {number}", text) for number, text in enumerate(TEXTS))
    assert labels == Counter((text,) for text in TEXTS)


def test_a_hash_is_that_of_its_definition(database: Database) -> None:
    rows = database.rows("people", ["people_AAAAAA", "contentHash"])

    # Of 16:full_time_BBBBBB,4:TRUE, 12:hired_CCCCCC,10:2020-05-01, 13:people_AAAAAA,3:Ada, 11:rate_DDDDDD,5:12.25, and
    # 10:zip_EEEEEE,5:01234, without the blanks between them.
    assert rows[("Ada", "8b8319783aa14f30705671fc9d8958eeeb042b79171da18343154dc2ab549503")] == 1


def test_numbers_and_dates_arrive_whole(database: Database) -> None:
    rows = database.rows("journal", ["text_AAAAAA", "amount_BBBBBB", "day_CCCCCC", "open_DDDDDD"])

    number, day = (float, str) if isinstance(database, DuckDb) else (Decimal, date.fromisoformat)
    assert rows == {
        ("same", number("10.5"), day("2026-01-31"), True): 4,
        (None, None, None, None): 2,
        ("first day", number("0.00001"), day("0001-01-01"), False): 1,
        ("last day", number("1.7976931348623157E308"), day("9999-12-31"), False): 1,
        ("whole", number("9007199254740993"), None, None): 1,
        ("negative", number("-0.1"), day("2024-02-29"), None): 1,
    }


def test_a_blank_cell_of_a_key_is_an_empty_text_where_the_target_can(database: Database) -> None:
    rows = database.rows("plan", ["people_AAAAAA", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"])

    blank = "" if database.takes_blank_keys else None
    number = float if isinstance(database, DuckDb) else Decimal
    assert rows == {("Ada", "2026", 20, None): 1, (blank, "2026", None, number("0.1")): 1}


def test_a_second_run_changes_nothing(load: Load, demo: Pigment, demo_database: tuple[Database, Finished]) -> None:
    database, finished = demo_database

    again = load(demo, database)

    assert again.state == finished.state
    for stream, block in DEMO.items():
        assert database.rows(stream, ["contentHash"]) == Counter((content,) for content in demo.export(*block).hashes())


def test_a_cell_that_changed_in_pigment_changes_in_the_database(
    changed_pigment: Pigment, changed_database: Database
) -> None:
    export = changed_pigment.export("People")

    rows = changed_database.rows("people", [*export.header, "contentHash"])

    assert rows == export.typed_rows(changed_database.readers("people", export.header))
    assert changed_database.rows("people", ["people_AAAAAA", "rate_DDDDDD", "full_time_BBBBBB"]) == {
        ("Ada", 12.25, True): 1,
        ("Bo", 13.5, None): 1,
        ("Cy", None, True): 1,
    }


def test_a_row_that_changed_is_a_new_row_where_nothing_identifies_it(
    pigment: Pigment, changed_pigment: Pigment, changed_database: Database
) -> None:
    hashes = pigment.export("Journal").hashes()
    [new] = set(changed_pigment.export("Journal").hashes()) - set(hashes)

    rows = changed_database.rows("journal", ["contentHash"])

    assert rows == Counter((content,) for content in [*hashes, new])
