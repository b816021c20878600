"""Malformed and unusual exports: a clear error, or exactly the right records."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import CellTypeError, KeysNotUniqueError, PigmentError
from tests.support.pigment import CSV, Answer
from tests.support.taps import records, written

if TYPE_CHECKING:
    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunTap

GOOD = "Code;Name\r\nFR;France\r\nDE;Deutschland\r\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Code;Name\r\nFR;France\r\nDE\r\n", r"row 2 \(line 3\) has 1 fields, the header has 2"),
        (b"Code;Name\r\nFR;France;x\r\nDE;D\r\n", r"row 1 \(line 2\) has 3 fields, the header has 2"),
        (b"Code;Name\r\nFR;France;\r\nDE;D\r\n", r"row 1 \(line 2\) has 3 fields, the header has 2"),
        (b"Code;Name\r\nFR;France\r\n\r\nDE;D\r\n", r"row 2 \(line 3\) has 1 fields, the header has 2"),
        (b'Code;Name\r\nFR;France\r\nDE;"D\r\n', "the export is incomplete: it ends inside a quoted field"),
        (b'Code;Name\r\nFR;"Fr"ance\r\nDE;D\r\n', r"row 1 \(after line 1\) is not CSV"),
        (b"Code;Name\r\nFR;France\r\nDE;\xff\r\n", r"row 2 \(line 3\) is not UTF-8"),
        (b"Code;N\xffme\r\nFR;France\r\n", "the header is not UTF-8 CSV"),
        (b"", "the export is incomplete: it is empty, without even a header"),
        (b"<html><body>Log in</body></html>", "the response is a web page, such as a login page.*Check api_url"),
        (b"Code;Name\r\nFR;France\r\nDE;Deu", "the export is incomplete: it does not end with a line end"),
    ],
)
def test_a_malformed_export_fails_with_its_row_and_emits_nothing(
    pigment: Pigment,
    discover: Discover,
    tap: MakeTap,
    body: bytes,
    message: str,
) -> None:
    pigment.add_list("Countries", GOOD)
    catalog = discover()
    # The last one ends at another byte each time; else it would be accepted as an export without a final line end.
    bodies = [body, body + b"t"] if "does not end" in message else [body, body]
    pigment.answer_next_exports(*[Answer(body=body, headers=CSV, announce=len(body)) for body in bodies])
    running = tap(catalog=catalog, max_retries=1)

    with pytest.raises(PigmentError, match=f"^countries: {message}"):
        running.sync_all()

    assert written(running) == []
    assert len(pigment.requested("/export/")) == 1 + 2


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
def test_unusual_but_complete_exports_are_read_exactly(
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


def test_a_key_that_is_not_unique_fails_with_count_row_and_setting(
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
        match=r"^countries: 3 of 4 rows share a key \(Code\), first at row 2\..*overrides\.countries\.key_columns",
    ):
        running.sync_all()

    assert written(running) == []


def test_a_cell_that_does_not_fit_fails_with_its_place_only(
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
        match=r"^people: column Salary, row 3: the cell is not a number \(2 rows in all\)\. Nothing was emitted\. "
        r'Set stream_overrides\.people\.types to \{"Salary": "text"\}, or correct the cell in Pigment\.$',
    ) as error:
        running.sync_all()

    assert "secret" not in str(error.value)
    assert written(running) == []


def test_repeated_headers_are_numbered_with_a_warning(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Twice", "Code;Name;Name;Name_2\r\nA;one;two;three\r\n")

    messages = run_tap()

    assert records(messages, "twice") == [{"Code": "A", "Name": "one", "Name_3": "two", "Name_2": "three"}]
    assert caplog.text.count('twice: 2 columns have the header "Name", and only their order tells them apart.') == 1


def test_a_blank_header_beside_its_own_name_keeps_its_cells(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Plan", "Id;;x;column_2\r\n1;blank;3;named\r\n")

    [record] = records(run_tap(), "plan")

    assert record == {"Id": "1", "column_2": "blank", "x": "3", "column_2_2": "named"}


def test_columns_with_the_names_of_added_ones_are_numbered(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Ours", "Code;contentHash;occurrence;_sdc_deleted_at\r\nA;h;o;d\r\n")

    messages = run_tap()

    record = messages[1]["record"]
    assert {name: record[name] for name in ("contentHash_2", "occurrence_2", "_sdc_deleted_at_2")} == {
        "contentHash_2": "h",
        "occurrence_2": "o",
        "_sdc_deleted_at_2": "d",
    }
    assert len(record["contentHash"]) == 64


def test_a_cell_of_300_kb_is_emitted_whole(pigment: Pigment, run_tap: RunTap) -> None:
    cell = "é;\n" * 100_000
    pigment.add_list("Texts", f'Code;Text\r\nA;"{cell}"\r\n')

    assert records(run_tap(), "texts") == [{"Code": "A", "Text": cell}]


def test_400_columns_are_emitted_with_their_cells(pigment: Pigment, run_tap: RunTap) -> None:
    header = ";".join(f"c{number}" for number in range(400))
    row = ";".join(f"v{number}" for number in range(400))
    pigment.add_list("Wide", f"{header}\r\n{row}\r\n")

    assert records(run_tap(), "wide") == [{f"c{number}": f"v{number}" for number in range(400)}]


def test_names_with_quotes_and_sql_are_only_names(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("'; DROP TABLE x; --", 'a\'b;"c""d";"\'); SELECT 1"\r\n1;2;3\r\n')

    assert records(run_tap(), "drop_table_x") == [{"a'b": "1", 'c"d': "2", "'); SELECT 1": "3"}]


def test_a_body_shorter_than_its_content_length_is_refused(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    pigment.add_list("Countries", GOOD)
    catalog = discover()
    short = Answer(body=GOOD.encode(), headers=CSV, announce=len(GOOD) + 40, cut_after=len(GOOD))
    pigment.answer_next_exports(short, short)

    with pytest.raises(PigmentError, match=r"^countries: the (response was truncated|export is incomplete)"):
        run_tap(catalog=catalog, max_retries=1)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("row_end", ["\n", "\r\n"])
def test_a_line_end_in_a_column_name_ends_no_row(
    pigment: Pigment, run_tap: RunTap, line_end: str, row_end: str
) -> None:
    pigment.add_list("Odd", f'Code;"Na{line_end}me"{row_end}FR;"Fra\nnce"{row_end}DE;D{row_end}')

    assert records(run_tap(), "odd") == [
        {"Code": "FR", f"Na{line_end}me": "Fra\nnce"},
        {"Code": "DE", f"Na{line_end}me": "D"},
    ]


# Compressed exports

LONG = "Code;Name\r\n" + "".join(f"C{number};Country {number}\r\n" for number in range(500))
GZIPPED = {**CSV, "Content-Encoding": "gzip"}


def test_a_compressed_export_is_read(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    pigment.add_list("Countries", LONG)
    catalog = discover()
    body = gzip.compress(LONG.encode())
    pigment.answer_next_exports(Answer(body=body, headers=GZIPPED, announce=len(body)))

    assert len(records(run_tap(catalog=catalog), "countries")) == 500


def test_an_export_compressed_in_several_members_is_read(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    pigment.add_list("Countries", LONG)
    catalog = discover()
    half = LONG.index("C250")
    body = gzip.compress(LONG[:half].encode()) + gzip.compress(LONG[half:].encode())
    pigment.answer_next_exports(Answer(body=body, headers=GZIPPED, announce=len(body)))

    assert len(records(run_tap(catalog=catalog), "countries")) == 500


def test_a_compressed_export_without_its_end_is_retried(
    pigment: Pigment, discover: Discover, run_tap: RunTap, waits: list[float]
) -> None:
    pigment.add_list("Countries", LONG)
    catalog = discover()
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    body = compressor.compress(LONG[: LONG.index("C250")].encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
    pigment.answer_next_exports(Answer(body=body, headers=GZIPPED, announce=len(body)))

    messages = run_tap(catalog=catalog)

    assert len(records(messages, "countries")) == 500
    assert len(waits) == 1


def test_a_damaged_compressed_export_is_refused(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    pigment.add_list("Countries", LONG)
    catalog = discover()
    body = bytearray(gzip.compress(LONG.encode()))
    body[-5] ^= 1
    pigment.answer_next_exports(Answer(body=bytes(body), headers=GZIPPED, announce=len(body)))

    with pytest.raises(
        PigmentError, match=r"^countries: the compressed response is damaged \(.*\)\. Run again later\.$"
    ):
        run_tap(catalog=catalog, max_retries=0)


# Other content


@pytest.mark.parametrize("body", [b'{"error": "boom"}\n', b'[{"id": 1}]\n', b"{}\n", b" [ ]\n"])
def test_json_with_the_content_type_of_csv_is_refused(pigment: Pigment, tap: MakeTap, body: bytes) -> None:
    pigment.add_list("Countries", body)

    with pytest.raises(PigmentError, match=r"^countries: the response is JSON instead of CSV\. Check api_url\.$"):
        tap(max_retries=0)
