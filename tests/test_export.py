"""An export as a table: parsed strictly, typed by one rule, hashed so that anybody can do it again."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.columns import KEYLESS, Column, ColumnType
from tap_pigment.errors import CellTypeError, KeysNotUniqueError, MalformedExportError, PigmentError
from tap_pigment.export import Export
from tap_pigment.outlet import Outlet
from tap_pigment.shape import CsvShape
from tap_pigment.spool import Spool

BOM = b"\xef\xbb\xbf"
# Each example starts a DuckDB, and the first of all takes longest.
FEW = settings(max_examples=15, deadline=None)
TYPES = [ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN, ColumnType.DATE]


def spooled(folder: Path, content: bytes) -> Spool:
    """Put a body on disk as an export that has arrived."""
    path = folder / "export.csv"
    path.write_bytes(content)
    shape = CsvShape()
    shape.feed(content)
    assert shape.header is not None
    return Spool(path, shape, shape.header, datetime(2026, 1, 1, tzinfo=UTC))


@contextmanager
def opened(folder: Path, content: bytes) -> Iterator[Export]:
    """Open a body as the export of stream `plan`, read strictly."""
    spool = spooled(folder, content)
    try:
        with Export("plan", spool) as export:
            export.read_strictly()
            yield export
    finally:
        spool.delete()


def columns(
    header: Sequence[str], types: Mapping[str, ColumnType] | None = None, key: Sequence[str] = ()
) -> list[Column]:
    """Return the columns of a header, as text unless `types` says otherwise."""
    return [
        Column(name, name, (types or {}).get(name, ColumnType.TEXT), nullable=name not in key, position=position)
        for position, name in enumerate(header)
    ]


def records(
    folder: Path, content: bytes, types: Mapping[str, ColumnType] | None = None, key: Sequence[str] = KEYLESS
) -> list[dict[str, Any]]:
    """Return the records of a body, checked."""
    with opened(folder, content) as export:
        wanted = columns(export.spool.header, types, key)
        export.check(wanted, key)
        return list(Outlet(export, wanted, key).records())


def cells(found: Sequence[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return some fields of records."""
    return [tuple(record[name] for name in names) for record in found]


def written(table: Sequence[Sequence[str]], *, quoting: int = csv.QUOTE_MINIMAL, line_end: str = "\r\n") -> bytes:
    """Return a table as Python's writer writes it."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", quoting=quoting, lineterminator=line_end).writerows(table)  # type: ignore[arg-type] # one of csv's own constants.
    return text.getvalue().encode()


# Cells and records


def test_blank_is_null_and_in_a_key_it_is_the_empty_text(tmp_path: Path) -> None:
    found = records(tmp_path, b'Code;Note\n;\nFR;""\n', key=("Code",))

    assert cells(found, "Code", "Note") == [("", None), ("FR", None)]


def test_a_keyed_record_has_its_columns_and_its_hash_and_nothing_else(tmp_path: Path) -> None:
    (record,) = records(tmp_path, b"Code;Note\nFR;x\n", key=("Code",))

    assert list(record) == ["Code", "Note", "contentHash"]


def test_a_header_alone_has_no_records(tmp_path: Path) -> None:
    assert records(tmp_path, b"Code;Note\n") == []
    assert records(tmp_path, b"Code;Note") == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(BOM + b"a;b\r\n1;2\r\n", [("1", "2")], id="byte order mark"),
        pytest.param(BOM + b'"a";b\n1; "2"\n', [("1", ' "2"')], id="byte order mark and a rewrite"),
        pytest.param(b"a;b\n1;2\r\n3;4\n", [("1", "2"), ("3", "4")], id="mixed line ends"),
        pytest.param(b"a;b\r\n1;2\n3;4\r\n", [("1", "2"), ("3", "4")], id="mixed line ends, the other way"),
        pytest.param(b'a;b\n"1\r2";"x\r\ny"\n', [("1\r2", "x\r\ny")], id="line breaks in cells"),
        pytest.param(b"a;b\n1;2", [("1", "2")], id="no line end at the end"),
        pytest.param(b"a;b\n NULL ;null\n", [(" NULL ", "null")], id="spaces and null stay"),
        pytest.param(b"a;b\n#1;\\\n", [("#1", "\\")], id="no comments and no escapes"),
        pytest.param(b'a;b\n1;x"y\n', [("1", 'x"y')], id="a quote within a field"),
        pytest.param(b'a;b\n1; "x"\n', [("1", ' "x"')], id="a space before a quote"),
        pytest.param(b'a;b\n1;"x""y"\n', [("1", 'x"y')], id="a doubled quote"),
        pytest.param(b"a;b\n1;\x00\n", [("1", "\x00")], id="a null byte"),
        pytest.param("a;b\né🎉;\ufeff2\n".encode(), [("é🎉", "\ufeff2")], id="emoji and a mark in mid-text"),
        pytest.param(b"a;b\n;\n", [(None, None)], id="a blank row"),
    ],
)
def test_what_rows_hold_is_what_records_hold(
    tmp_path: Path, content: bytes, expected: list[tuple[str | None, ...]]
) -> None:
    assert cells(records(tmp_path, content), "a", "b") == expected


def test_a_blank_line_in_a_single_column_is_a_blank_row(tmp_path: Path) -> None:
    found = records(tmp_path, b"a\n\nx\n\n")

    assert sorted(cells(found, "a", "occurrence"), key=str) == [("x", 1), (None, 1), (None, 2)]


def test_a_very_long_cell_comes_out_whole(tmp_path: Path) -> None:
    text = 'line; "quoted"\n' * 20_000

    found = records(tmp_path, written([["a", "b"], ["1", text]]), key=("a",))

    assert cells(found, "a", "b") == [("1", text)]


def test_hundreds_of_columns_come_out_in_order(tmp_path: Path) -> None:
    names = [f"column {number}" for number in range(400)]
    row = [f"cell {number}" for number in range(400)]

    (record,) = records(tmp_path, written([names, row]))

    assert [record[name] for name in names] == row


def test_more_rows_than_are_fetched_at_once_come_out_in_order(tmp_path: Path) -> None:
    body = b"n\n" + b"".join(b"%d\n" % number for number in range(10_000))

    found = records(tmp_path, body, {"n": ColumnType.INTEGER}, key=("n",))

    assert [record["n"] for record in found] == list(range(10_000))


def test_only_the_wanted_columns_are_emitted_and_hashed(tmp_path: Path) -> None:
    with opened(tmp_path, b"a;b;c\n1;2;3\n") as export:
        (narrow,) = Outlet(export, columns(["a", "b", "c"])[:1], ("a",)).records()
    (alone,) = records(tmp_path, b"a\n1\n", key=("a",))

    assert narrow == alone


@pytest.mark.parametrize(
    "folder", ["we[i]rd *dir?", "it's", 'say "x"', "{a,b}", "**", "back\\slash", "50% $HOME ~; --", "é 🎉"]
)
@pytest.mark.parametrize("content", [b"a;b\n1;2\n", b'a;b\n"1";2\n1; ";"\n'], ids=["plain", "faulty"])
def test_any_folder_will_do(tmp_path: Path, folder: str, content: bytes) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / folder).mkdir()

    if content.startswith(b'a;b\n"'):
        with pytest.raises(MalformedExportError):
            records(tmp_path / folder, content)
    else:
        assert cells(records(tmp_path / folder, content), "a", "b") == [("1", "2")]


@pytest.mark.parametrize("folder", ["plain", "we[i]rd *dir?", "it's"])
def test_nothing_stays_on_disk(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()

    assert len(records(place, b"a;b\n1;2\n")) == 1
    assert len(records(place, b'a;b\n1; "rewritten"\n')) == 1
    with pytest.raises(MalformedExportError):
        records(place, b"a;b\n1\n")
    with pytest.raises(CellTypeError):
        records(place, b'a;b\n1; "x"\n', {"b": ColumnType.DATE})

    assert list(place.iterdir()) == []


def test_what_is_written_again_is_private(tmp_path: Path) -> None:
    with opened(tmp_path, b'a;b\n1; "x"\n'):
        modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir() if path.name != "export.csv"}

    assert modes == {"export.rewritten": 0}


# Bodies that are not as they should be


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"a;b\n1;2\n3\n", "row 2 (line 3) has 1 fields where the header has 2", id="short"),
        pytest.param(b"a;b\n1;2\n3;4;5\n", "row 2 (line 3) has 3 fields where the header has 2", id="long"),
        pytest.param(
            b"a;b\n1;2\n3;4;\n", "row 2 (line 3) has 3 fields where the header has 2", id="surplus empty field"
        ),
        pytest.param(b"a\nx\ny;\n", "row 2 (line 3) has 2 fields where the header has 1", id="surplus, single column"),
        pytest.param(b"a;b\n1;2\n\n3;4\n", "row 2 (line 3) has 1 fields where the header has 2", id="blank line"),
        pytest.param(b"a;b\n1;2\n\n", "row 2 (line 3) has 1 fields where the header has 2", id="blank last line"),
        pytest.param(b'a;b\n1;2\n3;"4\n', "row 2 (after line 2) is not CSV", id="unterminated quote"),
        pytest.param(b'a;b\n1;2\n3;"4"x\n', "row 2 (after line 2) is not CSV", id="text after a quoted field"),
        pytest.param(b"a;b\n1;2\n3;\xff\n", "row 2 (line 3) is not UTF-8", id="not UTF-8, last column"),
        pytest.param(b"a;b\n1;2\n\xff;4\n", "row 2 (line 3) is not UTF-8", id="not UTF-8, first column"),
        pytest.param(b"a;b;c\n1;2;3\n4;\xe9;6\n", "row 2 (line 3) is not UTF-8", id="Latin-1, middle column"),
        pytest.param(b'a;b\n1;2\n"\xc3";4\n', "row 2 (line 3) is not UTF-8", id="half a character, quoted"),
        pytest.param(b"a;b\n1;2\n3;\xed\xa0\x80\n", "row 2 (line 3) is not UTF-8", id="a surrogate"),
        pytest.param(
            b"a;b\n1;2;3\n4\n", "row 1 (line 2) has 3 fields where the header has 2", id="counts that cancel out"
        ),
        pytest.param(
            b'a;b\n"x\ny";2\n3\n', "row 2 (line 4) has 1 fields where the header has 2", id="after a line break"
        ),
    ],
)
def test_a_malformed_row_is_named_before_anything_is_emitted(tmp_path: Path, content: bytes, fault: str) -> None:
    spool = spooled(tmp_path, content)

    with Export("plan", spool) as export, pytest.raises(MalformedExportError) as caught:
        export.read_strictly()

    assert str(caught.value).startswith(f"plan: {fault}")
    assert "Nothing was sent" in str(caught.value)


def test_bytes_that_are_not_utf8_are_found_far_from_the_start(tmp_path: Path) -> None:
    content = b"a;b\n" + b"x;y\n" * 20_000 + b"\xff;y\n" + b"x;y\n"

    with pytest.raises(MalformedExportError, match=r"row 20001 \(line 20002\) is not UTF-8"):
        records(tmp_path, content)


@FEW
@given(
    st.lists(
        st.sampled_from(
            [b'"', b";", b"\n", b"\r\n", b"\r", b" ", b"a", b"\xff", b"\xc3\xa9", BOM, b'"x"', b"1;2\n", b"\xff;2\n"]
        ),
        max_size=15,
    )
)
def test_any_bytes_are_either_read_as_csv_reads_them_or_refused(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    content = b"a;b\n" + b"".join(parts)
    folder = tmp_path_factory.mktemp("bytes")

    try:
        found = records(folder, content)
    except PigmentError:
        found = None

    assert list(folder.iterdir()) == []
    if found is not None:
        rows = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=";", strict=True))
        expected = [tuple(cell or None for cell in row) for row in rows[1:]]
        assert sorted(cells(found, "a", "b"), key=str) == sorted(expected, key=str)


CELL = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=8),
    st.text('";\n\r a1é🎉', max_size=6),
    st.sampled_from(["", "NULL", "007", "TRUE", "1E-05", "2024-02-29", " ", "\\", '"', "'", "\\N", "#"]),
)


@st.composite
def tables(draw: st.DrawFn, min_rows: int = 0) -> list[list[str]]:
    """Draw the rows of a table, no header."""
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=min_rows, max_size=6))


@FEW
@given(tables(min_rows=1), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from([b"", BOM]))
def test_what_the_csv_writer_wrote_comes_out_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], quoting: int, mark: bytes
) -> None:
    names = ["number", *[f"c{position}" for position in range(len(table[0]))]]
    numbered = [[str(number), *row] for number, row in enumerate(table)]

    found = records(
        tmp_path_factory.mktemp("table"), mark + written([names, *numbered], quoting=quoting), key=("number",)
    )

    assert [list(record.values())[:-1] for record in found] == [
        [number, *[cell or None for cell in row]] for number, *row in numbered
    ]


@FEW
@given(st.data(), tables(min_rows=1))
def test_rows_without_a_key_are_numbered_among_their_like(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, distinct: list[list[str]]
) -> None:
    table = data.draw(st.lists(st.sampled_from(distinct), min_size=1, max_size=12))
    names = [f"c{position}" for position in range(len(table[0]))]

    found = records(tmp_path_factory.mktemp("table"), written([names, *table], quoting=csv.QUOTE_ALL))

    emitted = sorted(cells(found, *names, "occurrence"), key=str)
    expected = []
    for number, row in enumerate(table):
        expected.append((*[cell or None for cell in row], 1 + table[:number].count(row)))
    assert emitted == sorted(expected, key=str)


def test_identical_rows_get_the_same_numbers_on_a_rerun_in_another_order(tmp_path: Path) -> None:
    first = records(tmp_path, b"a;b\nx;1\ny;2\nx;1\nz;3\ny;2\nx;1\n")
    rerun = records(tmp_path, b"a;b\nz;3\nx;1\nx;1\nx;1\ny;2\ny;2\n")

    keys = sorted(cells(first, "a", "occurrence"))
    assert keys == [("x", 1), ("x", 2), ("x", 3), ("y", 1), ("y", 2), ("z", 1)]
    assert sorted(cells(rerun, "contentHash", "occurrence")) == sorted(cells(first, "contentHash", "occurrence"))


# Hashes, made with `printf '6:Amount,9:214875.99,7:Comment,-' | sha256sum` and the like


@pytest.mark.parametrize(
    ("table", "content_hash"),
    [
        pytest.param(
            [["Amount", "Comment"], ["214875.99", ""]],
            "85b3b9bbfe35ae1b81081329606d3d62e7def01abb0b1051e662076d02926af2",
            id="6:Amount,9:214875.99,7:Comment,-",
        ),
        pytest.param(
            [["Comment", "Amount"], ["", "214875.99"]],
            "85b3b9bbfe35ae1b81081329606d3d62e7def01abb0b1051e662076d02926af2",
            id="the columns the other way round",
        ),
        pytest.param(
            [["a"], ["1"]],
            "5451178dbc2d494bac221bc83f8ac911d1d75a1d2d385cb313dcabdb99012b41",
            id="1:a,1:1,",
        ),
        pytest.param(
            [["a"], [""]],
            "f37fe497c28aca05c554e58bb19b60e6a277e291f7f3cb8d027f704a63d6018b",
            id="1:a,-",
        ),
        pytest.param(
            [["a", "A"], ["2", "1"]],
            "3bb6ce942b096a86f6a986c519a41e644f8b2403732343dad5021b027405295a",
            id="1:A,1:1,1:a,1:2,",
        ),
        pytest.param(
            [["Été"], ["Éa€"]],
            "d2d6360d87761c20b34ce6cd9865a24c6329d49941a91635ecd9459f502ba648",
            id="5:Été,6:Éa€,",
        ),
        pytest.param(
            [["🎉", "z"], ["🎉🎉", "a;b"]],
            "5bb3bafe7750ca600dbfe0fa1a766dcc0b217e798584dcba88451e310690099f",
            id="1:z,3:a;b,4:🎉,8:🎉🎉,",
        ),
        pytest.param(
            [["a", "b"], ["1;2", "x\ny,"]],
            "e30780f08b079742402d2a453866d363cbfe81d61766330fef71c3f478f650ab",
            id="1:a,3:1;2,1:b,4:x(line feed)y,,",
        ),
        pytest.param(
            [["a", "b", "c"], ["007", "TRUE", "2024-02-29"]],
            "2d7b0d4702748fe315afbaa6445e66b40d97bc1f415ad53d66ae957d7178e05b",
            id="1:a,3:007,1:b,4:TRUE,1:c,10:2024-02-29,",
        ),
    ],
)
def test_the_hash_is_what_anybody_can_compute(tmp_path: Path, table: list[list[str]], content_hash: str) -> None:
    (record,) = records(tmp_path, written(table))
    (keyed,) = records(tmp_path, written(table), key=table[0][:1])

    assert record["contentHash"] == content_hash
    assert keyed["contentHash"] == content_hash


def test_the_hash_does_not_move_with_the_types(tmp_path: Path) -> None:
    content = b"a;b;c\n1.50;TRUE;2024-02-29\n"
    types = {"a": ColumnType.NUMBER, "b": ColumnType.BOOLEAN, "c": ColumnType.DATE}

    (typed,) = records(tmp_path, content, types)
    (text,) = records(tmp_path, content)

    assert cells([typed], "a", "b", "c") == [(1.5, True, "2024-02-29")]
    assert typed["contentHash"] == text["contentHash"]


@FEW
@given(st.data(), st.lists(CELL, min_size=1, max_size=4))
def test_the_hash_does_not_move_with_the_order_of_columns(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, row: list[str]
) -> None:
    pairs = [(name, cell) for name, cell in zip(["b", "a", "É", "a_2"], row, strict=False)]
    shuffled = data.draw(st.permutations(pairs))
    folder = tmp_path_factory.mktemp("order")

    (one,) = records(folder, written([*zip(*pairs, strict=True)]))
    (other,) = records(folder, written([*zip(*shuffled, strict=True)]))

    assert one["contentHash"] == other["contentHash"]


@FEW
@given(st.data(), st.integers(1, 3))
def test_the_hash_moves_when_any_cell_does(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, width: int
) -> None:
    row = st.tuples(*[CELL] * width)
    different = data.draw(st.lists(row, min_size=2, max_size=12, unique=True))

    found = records(tmp_path_factory.mktemp("change"), written([["a", "b", "c"][:width], *different]))

    assert len({record["contentHash"] for record in found}) == len(different)


def test_cells_that_run_together_alike_do_not_hash_alike(tmp_path: Path) -> None:
    found = records(tmp_path, b'a;b\n"1,1:b,";\n1;"1:b,"\n"";-\n-;""\n')

    assert len({record["contentHash"] for record in found}) == 4


# Types: one rule in guessing and in reading

FITTING: list[tuple[str, set[str]]] = [
    ("0", {"number", "integer"}),
    ("-0", {"number", "integer"}),
    ("42", {"number", "integer"}),
    ("-1", {"number", "integer"}),
    ("12345678901234567890", {"number", "integer"}),
    ("1.5", {"number"}),
    ("1.0", {"number"}),
    ("-0.0", {"number"}),
    ("1E-05", {"number"}),
    ("1e5", {"number"}),
    ("1E+05", {"number"}),
    ("1e-400", {"number"}),
    ("007", set()),
    ("-01", set()),
    ("00", set()),
    ("+1", set()),
    (".5", set()),
    ("1.", set()),
    ("1e", set()),
    ("-", set()),
    ("1E400", set()),
    ("-1E400", set()),
    ("NaN", set()),
    ("Infinity", set()),
    ("inf", set()),
    ("1_000", set()),
    ("1,5", set()),
    ("1,000", set()),
    ("1 000", set()),
    ("0x1F", set()),
    (" 1", set()),
    ("1 ", set()),
    ("1\n", set()),
    ("\uff11", set()),
    ("TRUE", {"boolean"}),
    ("FALSE", {"boolean"}),
    ("true", set()),
    ("True", set()),
    ("TRUE ", set()),
    ("T", set()),
    ("yes", set()),
    ("2024-02-29", {"date"}),
    ("0001-01-01", {"date"}),
    ("9999-12-31", {"date"}),
    ("2024-02-30", set()),
    ("2023-02-29", set()),
    ("0000-01-01", set()),
    ("2024-2-3", set()),
    ("2024-13-01", set()),
    ("2024-00-01", set()),
    ("02/03/2024", set()),
    ("2024-02-29 ", set()),
    (" 2024-02-29", set()),
    ("2024-02-29T00:00:00", set()),
    ("12024-02-29", set()),
    ("-2024-02-29", set()),
    ("2024-02-29 (BC)", set()),
    ("\uff12024-02-29", set()),
    ("x", set()),
]


@pytest.fixture(scope="module")
def fitting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Export]:
    """Open an export with one row, of all the texts in the table."""
    row = [text for text, _ in FITTING]
    with opened(tmp_path_factory.mktemp("fitting"), written([[f"a{at}" for at in range(len(row))], row])) as export:
        yield export


@pytest.mark.parametrize("at", range(len(FITTING)), ids=[repr(text) for text, _ in FITTING])
def test_a_cell_fits_the_same_types_in_guessing_and_in_reading(fitting: Export, at: int) -> None:
    read = set()

    counts = fitting.cell_counts()[at]
    for column_type in TYPES:
        try:
            fitting.check([Column("a", "a", column_type, nullable=True, position=at)], KEYLESS)
        except CellTypeError:
            continue
        read.add(column_type.value)

    _, types = FITTING[at]
    guessed = {"boolean": counts.booleans, "date": counts.dates, "number": counts.numbers, "integer": counts.integers}
    assert counts.filled == 1
    assert {name for name, count in guessed.items() if count} == types
    assert read == types


@pytest.mark.parametrize("digits", [310, 5_000])
def test_a_whole_number_that_no_float_holds_is_refused_before_anything_is_emitted(tmp_path: Path, digits: int) -> None:
    content = b"a\n" + b"1" * digits + b"\n"

    with pytest.raises(CellTypeError):
        records(tmp_path, content, {"a": ColumnType.INTEGER})
    with pytest.raises(CellTypeError):
        records(tmp_path, content, {"a": ColumnType.NUMBER})


def test_cells_of_each_column_are_counted(tmp_path: Path) -> None:
    content = b"a;b;c\nTRUE;1;\n2024-02-29;2.5;\n;x;\n7;8;\n"

    with opened(tmp_path, content) as export:
        found = [
            (counts.filled, counts.booleans, counts.dates, counts.numbers, counts.integers)
            for counts in export.cell_counts()
        ]

    assert found == [(3, 1, 1, 1, 1), (4, 0, 0, 3, 2), (0, 0, 0, 0, 0)]


@pytest.mark.parametrize(
    ("text", "column_type", "expected"),
    [
        ("42", "number", 42),
        ("42", "integer", 42),
        ("-7", "number", -7),
        ("1.0", "number", 1.0),
        ("214875.99", "number", 214875.99),
        ("0.1", "number", 0.1),
        ("1E-05", "number", 0.00001),
        ("9007199254740993", "number", 9007199254740993),
        ("12345678901234567890", "integer", 12345678901234567890),
        ("TRUE", "boolean", True),
        ("FALSE", "boolean", False),
        ("2024-02-29", "date", "2024-02-29"),
        ("0001-01-01", "date", "0001-01-01"),
        ("007", "text", "007"),
        ("1E-05", "text", "1E-05"),
        ("", "number", None),
        ("", "integer", None),
        ("", "boolean", None),
        ("", "date", None),
        ("", "text", None),
    ],
)
def test_a_cell_becomes_its_value(tmp_path: Path, text: str, column_type: str, expected: object) -> None:
    (record,) = records(tmp_path, written([["a"], [text]]), {"a": ColumnType(column_type)})

    assert record["a"] == expected
    assert type(record["a"]) is type(expected)


@FEW
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_keep_every_digit_of_a_float(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    table = [["row", "a"], *[[str(row), repr(number)] for row, number in enumerate(numbers)]]

    found = records(tmp_path_factory.mktemp("numbers"), written(table), {"a": ColumnType.NUMBER}, key=("row",))

    assert [record["a"] for record in found] == numbers
    assert [math.copysign(1, record["a"]) for record in found] == [math.copysign(1, number) for number in numbers]


@pytest.mark.parametrize(
    ("column_type", "noun"),
    [
        ("number", "not a number"),
        ("integer", "not a whole number"),
        ("boolean", "not TRUE or FALSE"),
        ("date", "not a date (YYYY-MM-DD)"),
    ],
)
def test_a_cell_that_does_not_fit_is_named_by_column_and_row(tmp_path: Path, column_type: str, noun: str) -> None:
    with pytest.raises(CellTypeError) as caught:
        records(tmp_path, b"Code;Salary\nA;\nB;98765x\nC;secret\n", {"Salary": ColumnType(column_type)}, key=("Code",))

    message = str(caught.value)
    assert message.startswith("plan: column Salary, row 2: ")
    assert noun in message
    assert "2 rows in all" in message
    assert 'Set stream_overrides.plan.types to {"Salary": "text"}' in message
    assert "98765" not in message


def test_one_cell_that_does_not_fit_is_not_counted(tmp_path: Path) -> None:
    with pytest.raises(CellTypeError) as caught:
        records(tmp_path, b"Code;Salary\nA;1\nB;x\n", {"Salary": ColumnType.NUMBER})

    assert "in all" not in str(caught.value)


def test_a_blank_in_a_typed_key_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(CellTypeError, match="column Day, row 2: the cell is blank"):
        records(tmp_path, b"Day;x\n2024-02-29;1\n;2\n", {"Day": ColumnType.DATE}, key=("Day",))


# Keys


def test_rows_that_share_a_key_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    content = b"Code;Month;x\nA;1;1\nB;1;1\nB;2;1\nC;1;1\nB;1;2\nC;1;3\nC;1;4\n"

    with pytest.raises(KeysNotUniqueError) as caught:
        records(tmp_path, content, key=("Code", "Month"))

    message = str(caught.value)
    assert message.startswith("plan: 5 of 7 rows share a key (Code, Month), first at row 2.")
    assert "Set stream_overrides.plan.key_columns" in message
    assert "[]" in message


def test_blank_keys_are_a_key_too(tmp_path: Path) -> None:
    with pytest.raises(KeysNotUniqueError, match="2 of 3 rows share a key"):
        records(tmp_path, b"Code;x\n;1\nA;2\n;3\n", key=("Code",))


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (ColumnType.NUMBER, ("1.5", "1.50")),
        (ColumnType.NUMBER, ("100", "1E2")),
        (ColumnType.NUMBER, ("0", "-0.0")),
        (ColumnType.NUMBER, ("-0", "0E-7")),
        (ColumnType.NUMBER, ("0.001", "1e-3")),
        (ColumnType.NUMBER, ("1200", "0.0012E+6")),
        (ColumnType.NUMBER, ("12.5", "125.00e-1")),
        (ColumnType.NUMBER, ("1e22", "10000000000000000000000")),
        (ColumnType.INTEGER, ("0", "-0")),
    ],
)
def test_numbers_of_one_value_are_one_key(tmp_path: Path, kind: ColumnType, codes: tuple[str, str]) -> None:
    content = f"Code;x\n{codes[0]};1\n7;2\n{codes[1]};3\n".encode()

    with pytest.raises(KeysNotUniqueError, match=r"2 of 3 rows share a key \(Code\), first at row 1"):
        records(tmp_path, content, {"Code": kind}, key=("Code",))


@pytest.mark.parametrize(
    "codes",
    [
        ("12345678901234567.01", "12345678901234567.02"),
        ("9007199254740992", "9007199254740993"),
        ("1e-401", "1e-400"),
        ("10", "1"),
        ("0.1", "0.01"),
        ("-1", "1"),
        ("1e-99999999", "0"),
        ("1e-99999999999", "1"),
    ],
)
def test_numbers_of_two_values_are_two_keys(tmp_path: Path, codes: tuple[str, str]) -> None:
    content = "\n".join(["Code;x", *(f"{code};1" for code in codes), ""]).encode()

    assert len(records(tmp_path, content, {"Code": ColumnType.NUMBER}, key=("Code",))) == 2


def test_texts_that_are_numbers_of_one_value_are_two_keys(tmp_path: Path) -> None:
    assert len(records(tmp_path, b"Code;x\n1.5;1\n1.50;2\n", key=("Code",))) == 2


@pytest.mark.parametrize("content", [b"a;b\n1;23\n12;3\n", b"a;b\n1;\n;1\n", b"a;b\nx;y\nX;y\n", b"a;b\nx;y\nx ;y\n"])
def test_keys_that_differ_anywhere_are_unique(tmp_path: Path, content: bytes) -> None:
    assert len(records(tmp_path, content, key=("a", "b"))) == 2


def test_unicode_forms_of_one_text_are_two_keys(tmp_path: Path) -> None:
    assert len(records(tmp_path, "a\né\ne\u0301\n".encode(), key=("a",))) == 2


@FEW
@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "ab", " "]), min_size=2, max_size=2), max_size=8))
def test_a_key_is_accepted_exactly_where_it_is_unique(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    unique = all(rows.count(row) == 1 for row in rows)

    with opened(tmp_path_factory.mktemp("keys"), written([["a", "b"], *rows])) as export:
        assert export.has_unique_rows([0, 1]) is unique
        if unique:
            export.check(columns(["a", "b"], key=("a", "b")), ("a", "b"))
        else:
            with pytest.raises(KeysNotUniqueError):
                export.check(columns(["a", "b"], key=("a", "b")), ("a", "b"))
