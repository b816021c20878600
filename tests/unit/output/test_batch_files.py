"""BATCH files: every row once, in order, in files of limited length, with the columns of SCHEMA."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import fsspec  # type: ignore[import-untyped] # It has no types.
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped] # It has no types.
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.helpers._batch import BatchConfig

from tap_pigment.columns import ColumnType
from tap_pigment.errors import CellTypeError, InvariantError, SpoolError, StoreError
from tap_pigment.output import RecordSet, write_batch_files
from tests.support.export_files import csv_bytes, export_file, record_set
from tests.unit.exports.disk import largest_file

if TYPE_CHECKING:
    from tap_pigment.exports import DuckDBSession

TYPES = {
    "number": ColumnType.NUMBER,
    "whole": ColumnType.INTEGER,
    "flag": ColumnType.BOOLEAN,
    "day": ColumnType.DATE,
}
TYPED = csv_bytes(
    [
        ["code", "number", "whole", "flag", "day", "note"],
        ["1", "1.10", "7", "TRUE", "2024-02-29", 'é;"x"\n'],
        ["2", "", "", "", "", ""],
        ["3", "-1E-05", "-9223372036854775808", "FALSE", "0001-01-01", "007"],
    ]
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


def config(root: Path, **options: Any) -> BatchConfig:  # noqa: ANN401 - the parts of a config.
    """Return the config of files below a directory; Parquet, unless other options are given."""
    encoding = {"format": options.pop("format", "parquet"), "compression": options.pop("compression", None)}
    return BatchConfig.from_dict(
        {"encoding": encoding, "storage": {"root": root.as_uri(), "prefix": options.pop("prefix", None)}, **options}
    )


def written(rows: RecordSet, config: BatchConfig) -> list[tuple[Path, int]]:
    """Write the files, and return the path and the announced number of rows of each."""
    files = [(Path(url.removeprefix("file://")), count) for url, count in write_batch_files(rows, config, "tap--plan")]
    assert not list(rows.table.file.path.parent.glob("*.batches"))
    return files


def parquet_rows(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns of a Parquet file, and its rows."""
    with duckdb.connect() as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        return [name for name, *_ in result.description or ()], result.fetchall()


# Parquet


@pytest.mark.parametrize("batch_size", [1, 2, 999, 2_047, 2_048, 2_049, 4_095, 4_096, 4_999, 5_000, 5_001, 100_000])
def test_parquet_files_have_every_row_in_order_and_at_most_batch_size(
    session: DuckDBSession, tmp_path: Path, root: Path, batch_size: int
) -> None:
    count = 40 if batch_size < 999 else 5_000
    file = export_file(tmp_path, csv_bytes([["n"], *[[str(number)] for number in range(count)]]))

    with record_set(session, file, key=("n",)) as rows:
        files = written(rows, config(root, batch_size=batch_size))

    found = [[row[0] for row in parquet_rows(path)[1]] for path, _ in files]
    assert [len(numbers) for numbers in found] == [announced for _, announced in files]
    assert max(len(numbers) for numbers in found) <= batch_size
    assert [number for numbers in found for number in numbers] == [str(number) for number in range(count)]
    assert sorted(root.iterdir()) == sorted(path for path, _ in files)


def test_no_parquet_file_of_a_large_export_is_too_long(session: DuckDBSession, tmp_path: Path, root: Path) -> None:
    # More than one buffer of DuckDB's reader, and a join: the vectors of 2,048 rows are not full.
    table = [["n", "text"], *[[str(number % 50_000), "x" * 100] for number in range(100_000)]]

    with record_set(session, export_file(tmp_path, csv_bytes(table))) as rows:
        files = written(rows, config(root, batch_size=4_096))

    # Several threads write the files, in an order of their own.
    found = [[(int(n), occurrence) for n, _, _, occurrence in parquet_rows(path)[1]] for path, _ in files]
    assert max(len(numbers) for numbers in found) <= 4_096
    assert sorted(number for numbers in found for number in numbers) == [
        (number, occurrence) for number in range(50_000) for occurrence in (1, 2)
    ]


def test_parquet_columns_have_the_names_and_types_of_the_schema(
    session: DuckDBSession, tmp_path: Path, root: Path
) -> None:
    with record_set(session, export_file(tmp_path, TYPED), key=("code",), types=TYPES) as rows:
        ((path, count),) = written(rows, config(root))
        hashes = [record["contentHash"] for record in rows.records()]

    with duckdb.connect() as connection:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("code", "VARCHAR"),
        ("number", "DOUBLE"),
        ("whole", "BIGINT"),
        ("flag", "BOOLEAN"),
        ("day", "DATE"),
        ("note", "VARCHAR"),
        ("contentHash", "VARCHAR"),
    ]
    assert count == 3
    _, found = parquet_rows(path)
    assert [tuple(map(str, row)) for row in found] == [
        ("1", "1.1", "7", "True", "2024-02-29", 'é;"x"\n', hashes[0]),
        ("2", "None", "None", "None", "None", "None", hashes[1]),
        ("3", "-1e-05", "-9223372036854775808", "False", "0001-01-01", "007", hashes[2]),
    ]


@pytest.mark.parametrize("batch_size", [2, 10_000])
def test_parquet_columns_without_a_key_have_numbers_of_identical_rows(
    session: DuckDBSession, tmp_path: Path, root: Path, batch_size: int
) -> None:
    file = export_file(tmp_path, b"a;b\nx;1\ny;2\nx;1\nx;1\n")

    with record_set(session, file) as rows:
        files = written(rows, config(root, batch_size=batch_size))
        records = list(rows.records())

    names, _ = parquet_rows(files[0][0])
    found = [row for path, _ in files for row in parquet_rows(path)[1]]
    assert names == ["a", "b", "contentHash", "occurrence"]
    assert found == [tuple(record.values()) for record in records]
    assert [row[-1] for row in found] == [1, 1, 2, 3]


@pytest.mark.parametrize("batch_size", [2, 10_000])
def test_a_column_may_have_any_name_in_parquet(
    session: DuckDBSession, tmp_path: Path, root: Path, batch_size: int
) -> None:
    names = ['Wörd "x"', "name", "Name_2", "contenthash_2", "row", "file", "c0", "occurrence_2", "it's"]
    file = export_file(tmp_path, csv_bytes([names, [str(number) for number in range(len(names))]]))

    with record_set(session, file, key=("name",)) as rows:
        ((path, _),) = written(rows, config(root, batch_size=batch_size))

    found, ((*cells, _),) = parquet_rows(path)
    assert found == [*names, "contentHash"]
    assert cells == [str(number) for number in range(len(names))]


def test_a_whole_number_of_more_than_64_bits_fails_before_any_file(
    session: DuckDBSession, tmp_path: Path, root: Path
) -> None:
    file = export_file(tmp_path, b"a;n\nx;1\ny;9223372036854775808\n")

    with (
        record_set(session, file, key=("a",), types={"n": ColumnType.INTEGER}) as rows,
        pytest.raises(CellTypeError, match="column n: 1 whole number has more than 64 bits"),
    ):
        written(rows, config(root))

    assert not root.exists()


@pytest.mark.parametrize(("compression", "codec"), [(None, "SNAPPY"), ("gzip", "GZIP"), ("none", "UNCOMPRESSED")])
def test_parquet_files_have_the_wanted_compression(
    session: DuckDBSession, tmp_path: Path, root: Path, compression: str | None, codec: str
) -> None:
    with record_set(session, export_file(tmp_path, TYPED), key=("code",)) as rows:
        ((path, _),) = written(rows, config(root, compression=compression))

    with duckdb.connect() as connection:
        codecs = connection.execute("SELECT DISTINCT compression FROM parquet_metadata(?)", [str(path)]).fetchall()
    assert codecs == [(codec,)]


# JSON lines


@pytest.mark.parametrize("compression", [None, "none", "gzip"])
@pytest.mark.parametrize(("batch_size", "counts"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (10_000, [3])])
def test_json_files_have_every_record_in_order_and_at_most_batch_size(  # noqa: PLR0913, PLR0917 - two tables.
    session: DuckDBSession, tmp_path: Path, root: Path, compression: str | None, batch_size: int, counts: list[int]
) -> None:
    with record_set(session, export_file(tmp_path, TYPED), key=("code",), types=TYPES) as rows:
        files = written(rows, config(root, format="jsonl", compression=compression, batch_size=batch_size))
        records = list(rows.records())

    contents = [path.read_bytes() for path, _ in files]
    if compression == "gzip":
        contents = [gzip.decompress(content) for content in contents]
    found = [[json.loads(line) for line in content.decode().split("\n")[:-1]] for content in contents]
    assert [count for _, count in files] == counts
    assert [len(each) for each in found] == counts
    assert [record for each in found for record in each] == records
    assert all(path.name.endswith(".jsonl.gz" if compression == "gzip" else ".jsonl") for path, _ in files)


def test_the_same_rows_are_the_same_bytes_of_gzip(session: DuckDBSession, tmp_path: Path, root: Path) -> None:
    contents = []

    for number in range(2):
        with record_set(session, export_file(tmp_path, TYPED), key=("code",)) as rows:
            ((path, _),) = written(rows, config(root / str(number), format="jsonl", compression="gzip"))
        contents.append(path.read_bytes())

    assert contents[0] == contents[1]
    assert contents[0][3:8] == bytes(5)  # Neither a name nor a time.


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=6), max_size=12),
    st.integers(1, 13),
    st.sampled_from(["parquet", "jsonl"]),
)
def test_files_hold_the_records_whatever_the_cells(
    session: DuckDBSession,
    tmp_path_factory: pytest.TempPathFactory,
    cells: list[str],
    batch_size: int,
    file_format: str,
) -> None:
    folder = tmp_path_factory.mktemp("law")
    file = export_file(folder, csv_bytes([["a", "b"], *[[cell, "x"] for cell in cells]]))

    with record_set(session, file) as rows:
        files = written(rows, config(folder / "files", format=file_format, batch_size=batch_size))
        records = [tuple(record.values()) for record in rows.records()]

    found = []
    for path, _ in files:
        if file_format == "parquet":
            found += parquet_rows(path)[1]
        else:
            found += [tuple(json.loads(line).values()) for line in path.read_text("utf-8").split("\n")[:-1]]
    assert found == records


# Files and stores


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_an_empty_export_has_no_files(session: DuckDBSession, tmp_path: Path, root: Path, file_format: str) -> None:
    with record_set(session, export_file(tmp_path, b"a;b\n")) as rows:
        assert written(rows, config(root, format=file_format)) == []

    assert not root.exists()


def test_file_names_have_the_prefix_and_the_stream_and_are_never_reused(
    session: DuckDBSession, tmp_path: Path, root: Path
) -> None:
    names = []

    for _ in range(2):
        with record_set(session, export_file(tmp_path, TYPED), key=("code",)) as rows:
            names += [path.name for path, _ in written(rows, config(root, prefix="run1-", batch_size=2))]

    assert len(set(names)) == 4
    assert all(name.startswith("run1-tap--plan-") for name in names)
    assert [name.rpartition("-")[2] for name in names] == ["1.parquet", "2.parquet"] * 2


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_a_store_that_cannot_be_written_is_named(
    session: DuckDBSession, tmp_path: Path, root: Path, file_format: str
) -> None:
    root.write_text("a file where the directory should be")

    with record_set(session, export_file(tmp_path, TYPED), key=("code",)) as rows:
        with pytest.raises(StoreError, match=r"^batch_config\.storage\.root: cannot write tap--plan-.* below file:///"):
            written(rows, config(root, format=file_format))
        left = list(tmp_path.glob("*.batches"))

    assert left == []


class FullFileSystem(LocalFileSystem):  # type: ignore[misc] # fsspec has no types.
    """A disk that takes the beginning of a file."""

    protocol = "full"

    def put_file(self, path1: str, path2: str, **_: object) -> None:
        Path(path2).write_bytes(Path(path1).read_bytes()[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_store_keeps_no_beginning_of_a_file(session: DuckDBSession, tmp_path: Path, root: Path) -> None:
    fsspec.register_implementation("full", FullFileSystem, clobber=True)
    file = export_file(tmp_path, csv_bytes([["n"], ["1"]]))
    full = BatchConfig.from_dict(
        {"encoding": {"format": "jsonl", "compression": "none"}, "storage": {"root": f"full://{root}"}}
    )

    with record_set(session, file, key=("n",)) as rows, pytest.raises(StoreError, match=r": the disk is full\. Make"):
        written(rows, full)

    assert list(root.iterdir()) == []


def test_a_stream_that_cannot_name_a_file_is_refused(session: DuckDBSession, tmp_path: Path, root: Path) -> None:
    file = export_file(tmp_path, csv_bytes([["n"], ["1"]]))

    with record_set(session, file, key=("n",)) as rows:
        escaping = replace(rows, table=replace(rows.table, name="../../esc"))
        with pytest.raises(StoreError) as caught:
            written(escaping, config(root))

    assert str(caught.value) == (
        "../../esc: batch_config.storage.root: files are named after the stream, and its name cannot be used: it is "
        "not the name of a file. Rename the stream in the catalog."
    )
    assert not root.exists()


@pytest.mark.parametrize(("file_format", "compression"), [("jsonl", "none"), ("jsonl", "gzip"), ("parquet", None)])
@pytest.mark.parametrize("size_bytes", [1_000, 70_000])
def test_a_disk_that_takes_only_the_beginning_of_a_file_is_named(  # noqa: PLR0913, PLR0917 - two tables.
    session: DuckDBSession, tmp_path: Path, root: Path, file_format: str, compression: str | None, size_bytes: int
) -> None:
    hashes = [[hashlib.sha256(bytes([number % 251, number // 251])).hexdigest()] for number in range(5_000)]
    file = export_file(tmp_path, csv_bytes([["n"], *hashes]))

    with (
        record_set(session, file, key=("n",)) as rows,
        pytest.raises(SpoolError, match=r"File too large.*Raise the limit on the size of a file"),
        largest_file(size_bytes),
    ):
        written(rows, config(root, format=file_format, compression=compression))

    assert not list(tmp_path.glob("*.batches"))
    assert not [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_a_row_that_is_lost_on_the_way_is_a_bug(
    session: DuckDBSession, tmp_path: Path, root: Path, file_format: str
) -> None:
    file = export_file(tmp_path, csv_bytes([["a", "b"], ["1", "2"], ["3", "4"]]))

    with record_set(session, file) as rows:
        file.path.write_bytes(b'"a";"b"\r\n"1";"2"\r\n')
        with pytest.raises(InvariantError, match=r"plan: 1 of 2 rows were emitted\. Please report this as a bug"):
            written(rows, config(root, format=file_format))
