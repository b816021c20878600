"""Nights on which only lines are counted on arrival: what is no row is found all the same, and asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import MalformedExportError, PigmentExportError
from tests.conftest import of_type, written
from tests.consumer import Consumer
from tests.nights import Nights, rows, snapshots
from tests.pigment import CSV, Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Discover, MakeTap
    from tests.pigment import Pigment

HEADER = "Code;Name;Size\r\n"
CHANGED = 'Code;Name;Size\r\nFR;France;1.5\r\nDE;"two\r\nlines; one ""cell""";2.5\r\nES;España;4.5\r\n'
CELLS = [("FR", "France", 1.5), ("DE", 'two\r\nlines; one "cell"', 2.5), ("ES", "España", 4.5)]


@pytest.fixture
def second(pigment: Pigment, tap: MakeTap, discover: Discover, tmp_path: Path) -> Nights:
    """Return the second of some nights of which the first has sent everything."""
    settings = {"change_detection": "row", "snapshot_uri": str(tmp_path / "snapshots"), "max_shrink_percent": 100}
    settings["stream_overrides"] = {"countries": {"key_columns": ["Code"]}}
    nights = Nights(pigment, tap, settings)
    nights.catalog = discover(**settings)
    return nights


def live(consumer: Consumer) -> list[tuple[Any, ...]]:
    """Return the rows of the table by their size."""
    found = [tuple(row[name] for name in ("Code", "Name", "Size")) for row in consumer.live("countries")]
    return sorted(found, key=lambda row: float(row[2]))


MALFORMED = {
    "cut in a quoted cell at a line end": ("DE;Deutschland;2.5\r\nES;'two\r\n", "it ends inside of a quoted field"),
    "cut in a quoted cell": ("DE;Deutschland;2.5\r\nES;'two", "it ends inside of a quoted field"),
    "cut in a row": ("DE;Deutschland;2.5\r\nES;Esp", r"row 3 \(line 4\) has 2 fields where the header has 3"),
    "too short": ("DE;Deutschland\r\nES;España;4.5\r\n", r"row 2 \(line 3\) has 2 fields where the header has 3"),
    "too long": ("DE;Deutschland;2.5;\r\nES;España;4.5\r\n", r"row 2 \(line 3\) has 4 fields where the header has 3"),
    "too short and too long": ("DE;Deutschland\r\nES;España;4.5;0\r\n", r"row 2 \(line 3\) has 2 fields"),
    "blank": ("DE;Deutschland;2.5\r\n\r\nES;España;4.5\r\n", r"row 3 \(line 4\) has 1 fields where the header has 3"),
    "a quote that opens and one that opens again": (
        "DE;'Deutschland;2.5\r\nES;'España;4.5\r\n",
        r"row 2 \(after line 2\) is not CSV: ';' expected after '\"'",
    ),
    "nothing that is known": ("XX;'a\r\n", "it ends inside of a quoted field"),
    "not UTF-8": ("DE;Deutschland;2.5\r\nES;Espa\udcf1a;4.5\r\n", r"row 3 \(line 4\) is not UTF-8"),
}


def malformed(lines: str) -> bytes:
    """Return an export of a row that is known and some lines, in which apostrophes stand for quotes."""
    return (HEADER + "FR;France;1.5\r\n" + lines).replace("'", '"').encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("lines", [lines for lines, _ in MALFORMED.values()], ids=MALFORMED)
def test_an_export_with_lines_that_are_no_rows_is_asked_for_again(second: Nights, lines: str) -> None:
    consumer = Consumer()
    consumer.take(second.run())
    asked = len(second.pigment.requested("/export/"))
    second.pigment.answer_next_exports(Answer(body=malformed(lines), headers=CSV))

    consumer.take(second.night(CHANGED))

    assert live(consumer) == CELLS
    assert len(second.pigment.requested("/export/")) == asked + 2


@pytest.mark.parametrize(("lines", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_one_that_stays_so_fails_the_stream_and_nothing_is_sent(
    second: Nights, tmp_path: Path, lines: str, problem: str
) -> None:
    second.run()
    kept = snapshots(tmp_path / "snapshots")
    second.pigment.exports[second.block] = malformed(lines)
    tap = second.tap()

    with pytest.raises((MalformedExportError, PigmentExportError), match=problem):
        tap.sync_all()

    assert of_type(written(tap), "RECORD") == []
    assert snapshots(tmp_path / "snapshots") == kept


def test_a_body_that_may_be_cut_is_not_taken_for_the_manner_of_the_server(
    second: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    second.run()
    second.pigment.exports[second.block] = malformed("DE;Deutschland;2.5\r\nES;Esp")
    tap = second.tap()

    with pytest.raises(MalformedExportError):
        tap.sync_all()

    assert "Pigment does not end the last line of an export" not in caplog.text


def test_it_is_said_why_an_export_is_asked_for_again(second: Nights, caplog: pytest.LogCaptureFixture) -> None:
    second.run()
    second.pigment.answer_next_exports(Answer(body=b"Code;Name;Size\r\nFR;France\r\n", headers=CSV))

    second.night(CHANGED)

    assert "The export is asked for again: row 1 (line 2) has 2 fields where the header has 3." in caplog.messages


def test_wherever_an_export_is_cut_the_table_comes_to_equal_the_whole_one(second: Nights) -> None:
    consumer = Consumer()
    consumer.take(second.run())
    state = second.state
    body = CHANGED.encode()
    between_rows = [at for at in range(len(body)) if body[:at].endswith(b"\r\n") and body[:at].count(b'"') % 2 == 0]

    for cut in set(range(len(body))) - set(between_rows):
        second.state = state
        second.pigment.answer_next_exports(Answer(body=body[:cut], headers=CSV))
        # What a night before has sent is known from the snapshot that it has left.
        consumer.take(second.night(CHANGED))

        assert live(consumer) == CELLS, cut


def test_lines_that_are_alike_and_no_rows_are_no_repeats(second: Nights) -> None:
    consumer = Consumer()
    consumer.take(second.run())

    consumer.take(second.night('Code;Name;Size\r\nFR;"a\r\nb";1.5\r\nDE;"a\r\nb";1.5\r\nIT;"A\r\nb";2.5\r\n'))

    assert sorted(live(consumer)) == [("DE", "a\r\nb", 1.5), ("FR", "a\r\nb", 1.5), ("IT", "A\r\nb", 2.5)]


def test_what_has_more_lines_than_rows_is_compared_by_its_cells(second: Nights) -> None:
    consumer = Consumer()
    consumer.take(second.run())
    consumer.take(second.night(CHANGED))

    sent = second.night(CHANGED.replace("España", "Spain"))

    consumer.take(sent)
    assert [row["Code"] for row in rows(sent)] == ["ES"]
    assert live(consumer) == [*CELLS[:2], ("ES", "Spain", 4.5)]


@pytest.mark.parametrize("body", ["Code;Name;Size\r\nFR;France\r\n", CHANGED.removesuffix("\r\n")])
def test_what_a_try_has_left_is_gone_when_the_export_has_left(second: Nights, tmp_path: Path, body: str) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    second.run()
    tap = second.tap(spool_dir=str(spool))
    second.pigment.exports[second.block] = CHANGED.encode()
    second.pigment.answer_next_exports(Answer(body=body.encode(), headers=CSV))

    tap.sync_all()

    assert [path.parent for path in spool.rglob("export-*")] == []
    assert len(list(spool.iterdir())) == 1  # As long as the tap lives.
