"""BATCH files hold what the records would, and nothing else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb
import fsspec  # type: ignore[import-untyped] # It brings no types.
import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment.errors import CellTypeError, PigmentExportError
from tests.conftest import deselect, of_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Discover, MakeTap, Message, RunTap
    from tests.pigment import Pigment

EXPORT = (
    "Code;Text;Amount;Open;Since;Size\r\n"
    '1;"a;b ""c""\r\nd";1.10;TRUE;2026-01-31;9007199254740993\r\n'
    "2;é😀;-0.5;FALSE;;\r\n"
    "3;;1E-05;;0001-01-01;-9223372036854775808\r\n"
    "4;;;;;\r\n"
    "5;x;12;;;9223372036854775807\r\n"
)
OVERRIDES = {"nasty": {"types": {"Amount": "number", "Open": "boolean", "Since": "date", "Size": "integer"}}}


def batch_config(folder: Path, file_format: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
    encoding = {"format": file_format, **{name: more.pop(name) for name in list(more) if name == "compression"}}
    return {"encoding": encoding, "storage": {"root": folder.as_uri()}, **more}


def files(messages: Sequence[Message]) -> list[Path]:
    """Return the files of all BATCH messages, in order."""
    return [Path(urlsplit(url).path) for message in of_type(messages, "BATCH") for url in message["manifest"]]


def json_rows(path: Path) -> list[dict[str, Any]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.decode().split("\n")[:-1]]


@pytest.mark.parametrize(
    ("file_format", "compression", "suffix"),
    [
        ("jsonl", None, ".jsonl"),
        ("jsonl", "none", ".jsonl"),
        ("jsonl", "gzip", ".jsonl.gz"),
        ("parquet", None, ".parquet"),
        ("parquet", "none", ".parquet"),
        ("parquet", "gzip", ".parquet"),
    ],
)
def test_files_hold_the_rows_of_the_records_in_their_order(  # noqa: PLR0913, PLR0917 - three fixtures, three parameters.
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str, compression: str | None, suffix: str
) -> None:
    pigment.add_list("Nasty", EXPORT)
    compressed = {"compression": compression} if compression else {}
    expected = [message["record"] for message in of_type(run_tap(stream_overrides=OVERRIDES), "RECORD")]

    messages = run_tap(
        stream_overrides=OVERRIDES, batch_config=batch_config(tmp_path, file_format, batch_size=2, **compressed)
    )

    written = files(messages)
    assert [message["type"] for message in messages] == ["SCHEMA", "BATCH", "BATCH", "BATCH", "STATE"]
    assert messages[1]["encoding"] == {"format": file_format, **compressed}
    assert all(path.name.endswith(suffix) for path in written)
    rows = [json_rows(path) if file_format == "jsonl" else parquet_rows(path) for path in written]
    assert [len(part) for part in rows] == [2, 2, 1]
    assert [row for part in rows for row in part] == expected


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file as records, dates as text."""
    with duckdb.connect() as connection:
        result = connection.execute(
            "SELECT * REPLACE (CAST(Since AS VARCHAR) AS Since) FROM read_parquet(?)", [str(path)]
        )
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_all_parquet_files_of_a_stream_have_one_schema(pigment: Pigment, run_tap: RunTap, tmp_path: Path) -> None:
    pigment.add_list("Nasty", EXPORT)

    messages = run_tap(stream_overrides=OVERRIDES, batch_config=batch_config(tmp_path, "parquet", batch_size=1))

    with duckdb.connect() as connection:
        schemas = [
            connection.execute("SELECT name, type, logical_type FROM parquet_schema(?)", [str(path)]).fetchall()[1:]
            for path in files(messages)
        ]
        types = {
            row[0]: row[1]
            for row in connection.execute(
                "DESCRIBE SELECT * FROM read_parquet(?)", [str(files(messages)[0])]
            ).fetchall()
        }
    assert len(schemas) == 5
    assert all(schema == schemas[0] for schema in schemas)
    assert types == {
        "Code": "VARCHAR",
        "Text": "VARCHAR",
        "Amount": "DOUBLE",
        "Open": "BOOLEAN",
        "Since": "DATE",
        "Size": "BIGINT",
        "contentHash": "VARCHAR",
    }


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_identical_rows_are_numbered_in_files_too(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add("GL", "TransactionList", "Account;Amount\n4000;1.5\n4000;1.5\n4001;1.5\n")

    (path,) = files(run_tap(batch_config=batch_config(tmp_path, file_format)))

    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT Account, occurrence FROM '{path}' ORDER BY ALL").fetchall()  # noqa: S608 - a file of this test.
    assert rows == [("4000", 1), ("4000", 2), ("4001", 1)]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_numbers_of_identical_rows_go_on_from_file_to_file(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add("GL", "TransactionList", "Account;Amount\n4000;1.5\n4001;2.5\n4000;1.5\n4000;1.5\n")

    written = files(run_tap(batch_config=batch_config(tmp_path, file_format, batch_size=1)))

    with duckdb.connect() as connection:
        rows = [connection.execute(f"SELECT Account, occurrence FROM '{path}'").fetchall() for path in written]  # noqa: S608 - a file of this test.
    assert rows == [[("4000", 1)], [("4001", 1)], [("4000", 2)], [("4000", 3)]]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_many_files_have_each_row_once_and_in_order(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add_list("Numbers", "Code;Text\n" + "".join(f'{number:06};"x\n"\n' for number in range(30_000)))

    written = files(run_tap(batch_config=batch_config(tmp_path, file_format, batch_size=4_000)))

    with duckdb.connect() as connection:
        rows = [[code for (code,) in connection.execute(f"SELECT Code FROM '{path}'").fetchall()] for path in written]  # noqa: S608 - a file of this test.
    assert [len(part) for part in rows] == [4_000] * 7 + [2_000]
    assert [code for part in rows for code in part] == [f"{number:06}" for number in range(30_000)]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_what_is_deselected_is_in_no_file(
    pigment: Pigment, discover: Discover, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add_list("People", "Name;Salary\r\nAda;100000\r\n")
    catalog = discover()
    deselect(catalog, "people", "Salary")

    (path,) = files(run_tap(catalog=catalog, batch_config=batch_config(tmp_path, file_format, compression="none")))

    assert b"100000" not in path.read_bytes()
    assert b"Salary" not in path.read_bytes()


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_an_export_without_rows_makes_no_file(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add_list("Empty", "Code\r\n")

    messages = run_tap(batch_config=batch_config(tmp_path, file_format))

    assert [message["type"] for message in messages] == ["SCHEMA", "STATE"]
    assert list(tmp_path.iterdir()) == []


def test_files_go_wherever_fsspec_can_write(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    config = {"encoding": {"format": "jsonl"}, "storage": {"root": "memory://pigment/batches", "prefix": "night-"}}

    messages = run_tap(batch_config=config)

    (url,) = of_type(messages, "BATCH")[0]["manifest"]
    assert "/pigment/batches/night-tap-pigment--countries-" in url
    with fsspec.open(url, "rb") as file:
        assert json.loads(file.read())["Code"] == "FR"


def test_a_storage_that_takes_nothing_is_an_error_that_says_so(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    (tmp_path / "file").write_text("")

    with pytest.raises(PigmentExportError, match=r"batch_config: cannot write .* Check the storage's root"):
        run_tap(batch_config=batch_config(tmp_path / "file" / "below", "jsonl"))


def test_a_whole_number_too_wide_for_parquet_is_an_error_and_not_another_number(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path
) -> None:
    pigment.add_list("Codes", "Code;Size\r\nA;12345678901234567890\r\n")

    with pytest.raises(CellTypeError, match="column Size: 1 whole numbers have more than 64 bits"):
        run_tap(
            stream_overrides={"codes": {"types": {"Size": "integer"}}}, batch_config=batch_config(tmp_path, "parquet")
        )


def test_stream_maps_and_batches_are_refused_together(tap: MakeTap, tmp_path: Path) -> None:
    with pytest.raises(ConfigValidationError) as error:
        tap(batch_config=batch_config(tmp_path, "jsonl"), stream_maps={"countries": {"Name": None}})

    assert any("Remove stream_maps, or batch_config" in message for message in error.value.errors)


def test_a_limit_on_records_writes_records_and_no_files(pigment: Pigment, tap: MakeTap, tmp_path: Path) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\nDE\r\n")
    running = tap(batch_config=batch_config(tmp_path, "jsonl"))

    running.run_connection_test()

    assert list(tmp_path.iterdir()) == []


def test_nothing_but_the_batches_stays_on_disk(pigment: Pigment, run_tap: RunTap, tmp_path: Path) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\nDE\r\n")
    (tmp_path / "spool").mkdir()

    run_tap(spool_dir=str(tmp_path / "spool"), batch_config=batch_config(tmp_path / "out", "parquet", batch_size=1))

    assert [path.name for path in (tmp_path / "spool").rglob("*") if path.is_file()] == ["run.lock"]
    assert len(list((tmp_path / "out").iterdir())) == 2
