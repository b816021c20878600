"""How exports are written: bytes, quotes, numbers, dates, and memory."""

import itertools
from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.app import pigment_app
from tap_pigment.sandbox.model import ApiKey, Application, Column, ColumnType, Row, TransactionList, Workspace
from tap_pigment.sandbox.server import serving
from tests.sandbox import company
from tests.sandbox.clients import client

COUNTRIES = f"/export/list/{company.COUNTRIES.id}"


def test_the_default_is_bom_semicolons_dots_iso_dates_and_crlf(pigment: httpx2.Client) -> None:
    answer = pigment.post(COUNTRIES)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content == (
        b"\xef\xbb\xbf"
        b"countries_LLLLLL;code_AAAAAA;currency_EEEEEE;in_eu_BBBBBB;since_CCCCCC;tax_DDDDDD\r\n"
        b"France;0033;EUR;TRUE;2009-03-02;0.25\r\n"
        b'"UK; N.I.";"say ""UK""";GBP;FALSE;2011-06-01;1E-05\r\n'
        b'Japan \xf0\x9f\x97\xbe;"two\nlines";;;;\r\n'
    )


def test_everything_may_be_asked_for_the_other_way(pigment: httpx2.Client) -> None:
    answer = pigment.post(
        COUNTRIES,
        json={
            "encoding": "Utf8WithoutBom",
            "fieldDelimiter": "Comma",
            "decimalSeparator": "Comma",
            "dateFormat": "Legacy",
            "friendlyHeaders": True,
        },
    )

    assert answer.content == (
        b"Countries,Code,Currency,In EU,Since,Tax\r\n"
        b'France,0033,EUR,TRUE,03/02/2009,"0,25"\r\n'
        b'UK; N.I.,"say ""UK""",GBP,FALSE,06/01/2011,1E-05\r\n'
        b'Japan \xf0\x9f\x97\xbe,"two\nlines",,,,\r\n'
    )


def test_asking_for_the_defaults_changes_nothing(pigment: httpx2.Client) -> None:
    answer = pigment.post(
        COUNTRIES,
        json={
            "encoding": "Utf8WithBom",
            "fieldDelimiter": "Semicolon",
            "decimalSeparator": "Dot",
            "dateFormat": "Iso8601",
            "friendlyHeaders": False,
        },
    )

    assert answer.content == pigment.post(COUNTRIES).content


class Counted:
    """Rows without end, and how many of them were made."""

    made = 0

    def __call__(self) -> Iterator[Row]:
        """Make the rows anew."""
        for number in itertools.count(1):
            self.made = number
            yield (number, "text")


def endless(rows: Counted) -> Workspace:
    block = TransactionList(
        id=company.JOURNAL.id,
        name="Endless",
        properties=(Column("Number", ColumnType.INTEGER), Column("Text")),
        rows=rows,
    )
    application = Application(id=company.PLANNING_ID, name="Planning", blocks=(block,))
    return Workspace((application,), (ApiKey(company.KEY),))


@pytest.mark.parametrize("tls", [False, True], ids=["http1", "http2"])
def test_an_export_streams_in_blocks_while_it_is_made(*, tls: bool) -> None:
    rows = Counted()

    with (
        serving(pigment_app(endless(rows)), tls=tls) as server,
        client(server, company.KEY) as http,
        http.stream("POST", f"/export/list/{company.JOURNAL.id}") as answer,
    ):
        received = list(itertools.islice(answer.iter_bytes(1024), 200))

    assert b"".join(received).count(b"\r\n") > 10_000
    assert rows.made < 2_000_000


@pytest.mark.parametrize("tls", [False, True], ids=["http1", "http2"])
def test_rows_that_are_left_out_do_not_hold_up_other_clients(*, tls: bool) -> None:
    rows = Counted()
    nothing = {"listFilter": ["00000000-0000-4000-8000-00000000000f"]}

    with (
        serving(pigment_app(endless(rows)), tls=tls) as server,
        client(server, company.KEY) as http,
        client(server, company.KEY) as other,
        http.stream("POST", f"/export/list/{company.JOURNAL.id}", json=nothing),
    ):
        answer = other.get("/applications")

    assert answer.status_code == 200
    assert rows.made > 0
