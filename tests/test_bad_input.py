"""Exports that are not as they should be: a clear error or the right records, never a success that only looks whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import CellTypeError, KeysNotUniqueError, PigmentError
from tests.conftest import records, written
from tests.pigment import CSV, Answer

if TYPE_CHECKING:
    from tests.conftest import Discover, MakeTap, RunTap
    from tests.pigment import Pigment

GOOD = "Code;Name\r\nFR;France\r\nDE;Deutschland\r\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Code;Name\r\nFR;France\r\nDE\r\n", r"row 2 \(line 3\) has 1 fields where the header has 2"),
        (b"Code;Name\r\nFR;France;x\r\nDE;D\r\n", r"row 1 \(line 2\) has 3 fields where the header has 2"),
        (b"Code;Name\r\nFR;France;\r\nDE;D\r\n", r"row 1 \(line 2\) has 3 fields where the header has 2"),
        (b"Code;Name\r\nFR;France\r\n\r\nDE;D\r\n", r"row 2 \(line 3\) has 1 fields where the header has 2"),
        (b'Code;Name\r\nFR;France\r\nDE;"D\r\n', "it ends inside of a quoted field"),
        (b'Code;Name\r\nFR;"Fr"ance\r\nDE;D\r\n', r"row 1 \(after line 1\) is not CSV"),
        (b"Code;Name\r\nFR;France\r\nDE;\xff\r\n", r"row 2 \(line 3\) is not UTF-8"),
        (b"Code;N\xffme\r\nFR;France\r\n", "header is not UTF-8"),
        (b"", "it is empty, without even a header"),
        (b"<html><body>Log in</body></html>", "a web page came instead"),
        (b"Code;Name\r\nFR;France\r\nDE;Deu", "it does not end with a line end"),
    ],
)
def test_a_broken_export_is_refused_with_its_row_and_nothing_is_written(
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
    body: bytes,
    message: str,
) -> None:
    pigment.add_list("Countries", GOOD)
    catalog = discover()
    # The last one is cut at a different byte each time, or it would be taken for a server that writes no last line end.
    bodies = [body, body + b"t"] if "does not end" in message else [body, body]
    pigment.answer_next_exports(*[Answer(body=body, headers=CSV, announce=len(body)) for body in bodies])
    running = tap(catalog=catalog, max_retries=1)

    with pytest.raises(PigmentError, match=message) as error:
        running.sync_all()

    assert "countries" in str(error.value)
    assert written(running) == []


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"Code;Name\nFR;France\nDE;Deutschland\n", 2),
        (b"Code;Name\r\nFR;France\nDE;Deutschland\r\n", 2),
        (b'"Code";"Name"\r\n"FR";"France"\r\n', 1),
        (b'Code;Name\r\nFR;France "la"\r\n', 1),
        (b'Code;Name\r\nFR; "France"\r\n', 1),
        (b'Code;Name\r\nFR;"a\r\nb"\r\nDE;"c\nd"\r\n', 2),
        (b"\xef\xbb\xbfCode;Name\r\nFR;France\r\n", 1),
        (b"Code;Name\r\n;\r\n", 1),
        (b'Code;"Name"\r\nFR;France\r\n', 1),
    ],
)
def test_unusual_but_whole_exports_are_read_to_the_letter(
    pigment: Pigment, discover: Discover, run_tap: RunTap, body: bytes, rows: int
) -> None:
    import csv  # noqa: PLC0415 - the independent reader of this test only.
    import io  # noqa: PLC0415 - see above.

    countries = pigment.add_list("Countries", GOOD)
    catalog = discover()
    pigment.exports[countries] = body

    messages = run_tap(catalog=catalog)

    expected = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=";"))[1:]
    assert len(expected) == rows
    assert [[row["Code"], row["Name"] or ""] for row in records(messages, "countries")] == expected


def test_a_key_that_is_not_unique_fails_with_the_count_the_row_and_the_override(
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
) -> None:
    countries = pigment.add_list("Countries", GOOD)
    catalog = discover()
    pigment.exports[countries] = b"Code;Name\r\nFR;France\r\nDE;D\r\nDE;Deutschland\r\nDE;Allemagne\r\n"
    running = tap(catalog=catalog)

    with pytest.raises(
        KeysNotUniqueError,
        match=r"countries: 3 of 4 rows share a key \(Code\), first at row 2\..*overrides\.countries\.key_columns",
    ):
        running.sync_all()

    assert written(running) == []


def test_a_cell_that_does_not_fit_fails_with_its_place_and_without_its_value(
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
) -> None:
    people = pigment.add_list("People", "Name;Salary\r\nAda;1.5\r\n")
    catalog = discover()
    pigment.exports[people] = b"Name;Salary\r\nAda;1.5\r\nBob;\r\nEve;secret\r\nDan;secret\r\n"
    running = tap(catalog=catalog)

    with pytest.raises(
        CellTypeError,
        match=r'column Salary, row 3: the cell is not a number \(2 rows in all\).*types to \{"Salary": "text"\}',
    ) as error:
        running.sync_all()

    assert "secret" not in str(error.value)
    assert written(running) == []


def test_repeated_headers_are_numbered(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Twice", "Code;Name;Name;Name_2\r\nA;one;two;three\r\n")

    messages = run_tap()

    assert records(messages, "twice") == [{"Code": "A", "Name": "one", "Name_3": "two", "Name_2": "three"}]


def test_columns_named_like_ours_make_way(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Ours", "Code;contentHash;occurrence;_sdc_deleted_at\r\nA;h;o;d\r\n")

    messages = run_tap()

    record = messages[1]["record"]
    assert {name: record[name] for name in ("contentHash_2", "occurrence_2", "_sdc_deleted_at_2")} == {
        "contentHash_2": "h",
        "occurrence_2": "o",
        "_sdc_deleted_at_2": "d",
    }
    assert len(record["contentHash"]) == 64


def test_a_cell_of_300_kb_comes_out_whole(pigment: Pigment, run_tap: RunTap) -> None:
    cell = "é;\n" * 100_000
    pigment.add_list("Texts", f'Code;Text\r\nA;"{cell}"\r\n')

    assert records(run_tap(), "texts") == [{"Code": "A", "Text": cell}]


def test_400_columns_come_out_in_place(pigment: Pigment, run_tap: RunTap) -> None:
    header = ";".join(f"c{number}" for number in range(400))
    row = ";".join(f"v{number}" for number in range(400))
    pigment.add_list("Wide", f"{header}\r\n{row}\r\n")

    assert records(run_tap(), "wide") == [{f"c{number}": f"v{number}" for number in range(400)}]


def test_names_with_quotes_and_commands_are_only_names(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("'; DROP TABLE x; --", 'a\'b;"c""d";"\'); SELECT 1"\r\n1;2;3\r\n')

    assert records(run_tap(), "drop_table_x") == [{"a'b": "1", 'c"d': "2", "'); SELECT 1": "3"}]


def test_a_body_whose_end_nothing_vouches_for_is_refused(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    pigment.add_list("Countries", GOOD)
    catalog = discover()
    short = Answer(body=GOOD.encode(), headers=CSV, announce=len(GOOD) + 40, cut_after=len(GOOD))
    pigment.answer_next_exports(short, short)

    with pytest.raises(PigmentError, match=r"While exporting countries: the (answer broke off|export is incomplete)"):
        run_tap(catalog=catalog, max_retries=1)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("row_end", ["\n", "\r\n"])
def test_a_line_end_in_a_column_name_does_not_mislead(
    pigment: Pigment, run_tap: RunTap, line_end: str, row_end: str
) -> None:
    pigment.add_list("Odd", f'Code;"Na{line_end}me"{row_end}FR;"Fra\nnce"{row_end}DE;D{row_end}')

    assert records(run_tap(), "odd") == [
        {"Code": "FR", f"Na{line_end}me": "Fra\nnce"},
        {"Code": "DE", f"Na{line_end}me": "D"},
    ]
