"""Exports as CSV: bytes, quotes, numbers, dates, and streaming."""

import itertools
from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.api import (
    ApiKey,
    Application,
    Column,
    ColumnType,
    Row,
    TransactionList,
    Workspace,
    pigment_app,
)
from tap_pigment.sandbox.server import serving
from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.clients import http_client

COUNTRIES = f"/export/list/{small_workspace.COUNTRIES.id}"


def test_default_format_is_bom_semicolons_dots_iso_dates_and_crlf(client: httpx2.Client) -> None:
    response = client.post(COUNTRIES)

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.content == (
        b"\xef\xbb\xbf"
        b"countries_LLLLLL;code_AAAAAA;currency_EEEEEE;in_eu_BBBBBB;since_CCCCCC;tax_DDDDDD\r\n"
        b"France;0033;EUR;TRUE;2009-03-02;0.25\r\n"
        b'"UK; N.I.";"say ""UK""";GBP;FALSE;2011-06-01;1E-05\r\n'
        b'Japan \xf0\x9f\x97\xbe;"two\nlines";;;;\r\n'
    )


def test_every_format_option_can_be_changed(client: httpx2.Client) -> None:
    response = client.post(
        COUNTRIES,
        json={
            "encoding": "Utf8WithoutBom",
            "fieldDelimiter": "Comma",
            "decimalSeparator": "Comma",
            "dateFormat": "Legacy",
            "friendlyHeaders": True,
        },
    )

    assert response.content == (
        b"Countries,Code,Currency,In EU,Since,Tax\r\n"
        b'France,0033,EUR,TRUE,03/02/2009,"0,25"\r\n'
        b'UK; N.I.,"say ""UK""",GBP,FALSE,06/01/2011,1E-05\r\n'
        b'Japan \xf0\x9f\x97\xbe,"two\nlines",,,,\r\n'
    )


def test_explicit_defaults_give_the_default_format(client: httpx2.Client) -> None:
    response = client.post(
        COUNTRIES,
        json={
            "encoding": "Utf8WithBom",
            "fieldDelimiter": "Semicolon",
            "decimalSeparator": "Dot",
            "dateFormat": "Iso8601",
            "friendlyHeaders": False,
        },
    )

    assert response.content == client.post(COUNTRIES).content


class EndlessRows:
    """Generates rows without end, and counts them."""

    count = 0

    def __call__(self) -> Iterator[Row]:
        """Yield the rows from the first one on."""
        for number in itertools.count(1):
            self.count = number
            yield (number, "text")


def endless_workspace(rows: EndlessRows) -> Workspace:
    block = TransactionList(
        id=small_workspace.JOURNAL.id,
        name="Endless",
        properties=(Column("Number", ColumnType.INTEGER), Column("Text")),
        rows=rows,
    )
    application = Application(id=small_workspace.PLANNING_ID, name="Planning", blocks=(block,))
    return Workspace((application,), (ApiKey(small_workspace.KEY),))


@pytest.mark.parametrize("tls", [False, True], ids=["http1", "http2"])
def test_an_export_is_streamed_while_rows_are_generated(*, tls: bool) -> None:
    rows = EndlessRows()

    with (
        serving(pigment_app(endless_workspace(rows)), tls=tls) as server,
        http_client(server, small_workspace.KEY) as client,
        client.stream("POST", f"/export/list/{small_workspace.JOURNAL.id}") as response,
    ):
        chunks = list(itertools.islice(response.iter_bytes(1024), 200))

    assert b"".join(chunks).count(b"\r\n") > 10_000
    assert rows.count < 2_000_000


@pytest.mark.parametrize("tls", [False, True], ids=["http1", "http2"])
def test_filtered_rows_do_not_block_other_clients(*, tls: bool) -> None:
    rows = EndlessRows()
    no_match = {"listFilter": ["00000000-0000-4000-8000-00000000000f"]}

    with (
        serving(pigment_app(endless_workspace(rows)), tls=tls) as server,
        http_client(server, small_workspace.KEY) as client,
        http_client(server, small_workspace.KEY) as other_client,
        client.stream("POST", f"/export/list/{small_workspace.JOURNAL.id}", json=no_match),
    ):
        response = other_client.get("/applications")

    assert response.status_code == 200
    assert rows.count > 0
