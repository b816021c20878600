"""BATCH files: the same rows as the records, in files of limited length, and the errors of stores."""

from __future__ import annotations

import gzip
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb
import fsspec  # type: ignore[import-untyped] # It has no types.
import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment.errors import CellTypeError, StoreError
from tests.support.taps import deselect, of_type, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, Message, RunCommand, RunTap

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
def test_files_have_the_rows_of_the_records_in_their_order(  # noqa: PLR0913, PLR0917 - three fixtures, three parameters.
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
def test_identical_rows_are_numbered_in_files(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add("GL", "TransactionList", "Account;Amount\n4000;1.5\n4000;1.5\n4001;1.5\n")

    (path,) = files(run_tap(batch_config=batch_config(tmp_path, file_format)))

    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT Account, occurrence FROM '{path}' ORDER BY ALL").fetchall()  # noqa: S608 - a file of this test.
    assert rows == [("4000", 1), ("4000", 2), ("4001", 1)]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_numbers_of_identical_rows_continue_over_files(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add("GL", "TransactionList", "Account;Amount\n4000;1.5\n4001;2.5\n4000;1.5\n4000;1.5\n")

    written = files(run_tap(batch_config=batch_config(tmp_path, file_format, batch_size=1)))

    with duckdb.connect() as connection:
        rows = [connection.execute(f"SELECT Account, occurrence FROM '{path}'").fetchall() for path in written]  # noqa: S608 - a file of this test.
    assert rows == [[("4000", 1)], [("4001", 1)], [("4000", 2)], [("4000", 3)]]


@pytest.mark.parametrize(
    ("file_format", "batch_size", "rows", "files_expected"),
    [
        ("jsonl", 1, 20, 20),
        ("jsonl", 2_047, 30_000, 15),
        ("jsonl", 2_048, 30_000, 15),
        ("jsonl", 3_000, 30_000, 10),
        ("jsonl", 10_000, 30_000, 3),
        ("parquet", 1, 20, 20),
        ("parquet", 500, 30_000, 60),
        ("parquet", 2_047, 30_000, 15),
        ("parquet", 2_048, 30_000, 15),
        ("parquet", 3_000, 30_000, 10),
        ("parquet", 4_095, 30_000, 15),  # From here on, in row groups of multiples of 2,048.
        ("parquet", 10_000, 30_000, 5),
    ],
)
def test_files_have_each_row_once_in_order_and_at_most_batch_size(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str, batch_size: int, rows: int, files_expected: int
) -> None:
    pigment.add_list("Numbers", "Code;Text\n" + "".join(f'{number:06};"x\n"\n' for number in range(rows)))

    paths = files(run_tap(batch_config=batch_config(tmp_path, file_format, batch_size=batch_size)))

    codes = [codes_of(path) for path in paths]
    assert len(codes) == files_expected
    assert max(map(len, codes)) <= batch_size
    assert [code for part in codes for code in part] == [f"{number:06}" for number in range(rows)]


def codes_of(path: Path) -> list[str]:
    """Return the cells of the column Code in a file."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        return [code for (code,) in connection.execute(f"SELECT Code FROM '{path}'").fetchall()]  # noqa: S608 - a file of this test.


@pytest.mark.parametrize("batch_size", [2_048, 10_000])
def test_files_of_a_large_export_have_at_most_batch_size_rows(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, batch_size: int
) -> None:
    # Several threads read an export of 20 MB, in blocks that the size of a row group does not divide.
    pigment.add_list("Numbers", "Code;Text\n" + "".join(f"{number:06};{'x' * 60}\n" for number in range(300_000)))

    paths = files(run_tap(batch_config=batch_config(tmp_path, "parquet", batch_size=batch_size)))

    codes = [codes_of(path) for path in paths]
    assert max(map(len, codes)) <= batch_size
    assert sorted(code for part in codes for code in part) == [f"{number:06}" for number in range(300_000)]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_column_names_in_files_are_those_of_schema(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path, file_format: str
) -> None:
    pigment.add("Cases", "TransactionList", "name;Name;contenthash;CONTENTHASH_2;Occurrence\na;b;c;d;e\n")

    messages = run_tap(batch_config=batch_config(tmp_path, file_format))

    [schema], [path] = of_type(messages, "SCHEMA"), files(messages)
    names = ["name", "Name_2", "contenthash_3", "CONTENTHASH_2", "Occurrence_2", "contentHash", "occurrence"]
    assert list(schema["schema"]["properties"]) == names
    with duckdb.connect() as connection:
        # Not from DuckDB's own columns, which it renames where they repeat.
        query = "SELECT name FROM parquet_schema(?)"
        stored = (
            [name for (name,) in connection.execute(query, [str(path)]).fetchall()[1:]]
            if file_format == "parquet"
            else list(json_rows(path)[0])
        )
        [row] = connection.execute(f"SELECT * FROM '{path}'").fetchall()  # noqa: S608 - a file of this test.
    assert stored == names
    assert row[:5] == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_deselected_columns_are_in_no_file(
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


def test_files_are_written_to_any_fsspec_filesystem(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    config = {"encoding": {"format": "jsonl"}, "storage": {"root": "memory://pigment/batches", "prefix": "daily-"}}

    messages = run_tap(batch_config=config)

    (url,) = of_type(messages, "BATCH")[0]["manifest"]
    assert "/pigment/batches/daily-tap-pigment--countries-" in url
    with fsspec.open(url, "rb") as file:
        assert json.loads(file.read())["Code"] == "FR"


def test_a_root_that_cannot_be_written_is_an_error_with_its_cause(
    pigment: Pigment, run_tap: RunTap, tmp_path: Path
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError) as error:
        run_tap(batch_config=batch_config(tmp_path / "file" / "below", "jsonl"))

    below = tmp_path / "file" / "below"
    assert str(error.value) == (
        f"batch_config.storage.root: cannot use {below.as_uri()}: [Errno 20] Not a directory: '{below}'. Check the "
        "address, its credentials and its space."
    )


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        pytest.param(
            {"root": "s3://bucket/batches"},
            "cannot use s3://bucket/batches: credentials are missing or not valid (Unable to locate "
            "credentials). Set them as the store's client expects them.",
            id="S3 without credentials",
        ),
        pytest.param(
            {"root": "s3://bucket/batches", "params": {"key": "id", "secret": "secret"}},
            "cannot use s3://bucket/batches: the store cannot be reached (Could not connect to the endpoint URL: "
            '"http://127.0.0.1:{port}/bucket/batches"). Check the address and the network.',
            id="S3 where nothing listens",
        ),
        pytest.param(
            {"root": "ftp://127.0.0.1:{port}/batches"},
            "cannot use ftp://127.0.0.1:{port}/batches: the store cannot be reached ([Errno 111] Connection refused). "
            "Check the address and the network.",
            id="FTP where nothing listens",
        ),
        pytest.param(
            {"root": "s4://bucket/batches"},
            "cannot use s4://bucket/batches: Protocol not known: s4. Check the address, its credentials and its space.",
            id="unknown protocol",
        ),
    ],
)
def test_a_store_that_cannot_be_used_is_an_error_with_its_cause(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    pigment: Pigment,
    run_command: RunCommand,
    config: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    storage: dict[str, Any],
    message: str,
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    storage = {**storage, "root": storage["root"].replace("{port}", port)}
    if "params" in storage:  # Or its client would wait 20 seconds in retries.
        storage["params"] = {**storage["params"], "config_kwargs": {"retries": {"total_max_attempts": 1}}}

    result = run_command(config={**config, "batch_config": {"encoding": {"format": "parquet"}, "storage": storage}})

    [error] = [line for line in result.stderr.splitlines() if "ERROR" in line]
    assert result.returncode == 1
    assert result.stdout == ""
    assert f"batch_config.storage.root: {message.replace('{port}', port)}" in error
    assert "Traceback" not in result.stderr


def test_a_whole_number_too_long_for_parquet_is_an_error(pigment: Pigment, run_tap: RunTap, tmp_path: Path) -> None:
    pigment.add_list("Codes", "Code;Size\r\nA;12345678901234567890\r\n")

    with pytest.raises(CellTypeError, match=r"^codes: column Size: 1 whole number has more than 64 bits"):
        run_tap(
            stream_overrides={"codes": {"types": {"Size": "integer"}}}, batch_config=batch_config(tmp_path, "parquet")
        )


def test_stream_maps_and_batches_are_refused_together(tap: MakeTap, tmp_path: Path) -> None:
    with pytest.raises(ConfigValidationError) as error:
        tap(batch_config=batch_config(tmp_path, "jsonl"), stream_maps={"countries": {"Name": None}})

    assert any("Remove stream_maps, or batch_config" in message for message in error.value.errors)


def test_test_mode_emits_records_and_no_files(pigment: Pigment, tap: MakeTap, tmp_path: Path) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\nDE\r\n")
    running = tap(batch_config=batch_config(tmp_path, "jsonl"))

    running.run_connection_test()

    assert [message["type"] for message in written(running)] == ["SCHEMA", "RECORD"]
    assert list(tmp_path.iterdir()) == []


def test_only_the_batch_files_stay_on_disk(pigment: Pigment, run_tap: RunTap, tmp_path: Path) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\nDE\r\n")
    (tmp_path / "spool").mkdir()

    run_tap(spool_dir=str(tmp_path / "spool"), batch_config=batch_config(tmp_path / "out", "parquet", batch_size=1))

    assert list((tmp_path / "spool").iterdir()) == []
    assert len(list((tmp_path / "out").iterdir())) == 2
