"""BATCH files: the rows of an export in files of limited length, wherever fsspec can write."""

from __future__ import annotations

import gzip
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from tap_pigment.columns import CONTENT_HASH, OCCURRENCE
from tap_pigment.errors import InvariantError
from tap_pigment.exports import check_64_bits, disk_errors, sql
from tap_pigment.output.json_lines import record_blocks
from tap_pigment.output.stores import check_file_name, open_store, store_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from singer_sdk.helpers._batch import BatchConfig

    from tap_pigment.output.record_set import RecordSet

_SETTING = "batch_config.storage.root"
_GZIP_LEVEL = 6
_CODECS = {"gzip": "gzip", "none": "uncompressed", None: "snappy"}
# No emitted column has brackets in its name.
_FILE_NUMBER = '"[file]"'


def write_batch_files(records: RecordSet, config: BatchConfig, name: str) -> Iterator[tuple[str, int]]:
    """Write the files of one stream, and yield the URL and the number of rows of each.

    Args:
        records: The rows.
        config: Format, compression, store, and the most rows of a file.
        name: The beginning of the files' names.

    Raises:
        CellTypeError: If a whole number does not fit a Parquet column.
        StoreError: If the store does not take a file, or none can be named after the stream.
        InvariantError: If not exactly the expected rows were written.
    """
    check_file_name(_SETTING, records.table.name)
    extension = config.encoding.format
    if (extension, config.encoding.compression) == ("jsonl", "gzip"):
        extension = "jsonl.gz"
    prefix = f"{config.storage.prefix or ''}{name}-{uuid4()}"
    written = 0
    with _private_folder(records) as folder:
        files = (
            _parquet_files(records, config, folder) if extension == "parquet" else _json_files(records, config, folder)
        )
        for number, (path, rows) in enumerate(files, 1):
            yield _store(path, config, f"{prefix}-{number}.{extension}"), rows
            written += rows
    records.check_count(written)


@contextmanager
def _private_folder(records: RecordSet) -> Iterator[Path]:
    """Give a folder beside the export, and remove it at the end."""
    folder = records.table.file.path.with_suffix(".batches")
    with disk_errors(folder.parent):
        folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parquet_files(records: RecordSet, config: BatchConfig, folder: Path) -> Iterator[tuple[Path, int]]:
    """Write all files with one statement, and yield them; several threads write, so rows may be in any order."""
    if not records.rows:
        return
    table = records.table
    values = [f"{sql.native_value(column)} AS {sql.quoted_name(column.name)}" for column in records.columns]
    values.append(f"{sql.content_hash(records.columns)} AS {sql.quoted_name(CONTENT_HASH)}")
    values += [OCCURRENCE] if records.key.is_keyless else []
    relation = records.relation()
    if row_group := _row_group_rows(config.batch_size):
        layout = f"ROW_GROUP_SIZE {row_group}, ROW_GROUPS_PER_FILE 1"
    else:
        values.append(f"(row_number() OVER () - 1) // {config.batch_size} AS {_FILE_NUMBER}")
        layout = f"PARTITION_BY ({_FILE_NUMBER})"
    codec = _CODECS[config.encoding.compression]
    options = sql.parquet_options(len(values), codec=codec)
    stats = table.database.rows_unless_refused(
        f"COPY (SELECT {', '.join(values)} FROM {relation}) TO {sql.quoted_target(folder)} "
        f"({options}, {layout}, RETURN_STATS true)"
    )
    if stats is None:
        check_64_bits(table, records.columns)  # The one cell that fits its type and not its Parquet column.
        raise InvariantError(f"{table.name}: DuckDB refuses to write {table.rows:,} rows as Parquet.")
    files = {folder.joinpath(name): rows for name, rows, *_ in stats}
    for path in sorted(files, key=_natural_order):
        yield path, files[path]


def _row_group_rows(batch_size: int) -> int:
    """Return the size of row groups of which none has more than `batch_size` rows, or 0 if even the smallest may."""
    # DuckDB makes row groups of multiples of its vectors, and writes one when a vector has filled it. In a large export
    # many vectors are not full, so a row group may be too long by up to a vector less one row (seen with 2.0.0).
    return max(batch_size - (sql.VECTOR_ROWS - 1), 0) // sql.VECTOR_ROWS * sql.VECTOR_ROWS


def _natural_order(path: Path) -> tuple[int, ...]:
    """Return the numbers in a file's name and in its folder's."""
    digits = "".join(character if character.isdigit() else " " for character in f"{path.parent.name} {path.name}")
    return tuple(map(int, digits.split()))


def _json_files(records: RecordSet, config: BatchConfig, folder: Path) -> Iterator[tuple[Path, int]]:
    lines = (line for block, _ in record_blocks(records) for line in block.splitlines(keepends=True))
    line = next(lines, None)
    number = 0
    while line is not None:
        number += 1
        path = folder / f"{number}.{config.encoding.format}"
        rows = 0
        with disk_errors(folder), path.open("wb") as raw, _compressed(raw, config.encoding.compression) as file:
            while line is not None and rows < config.batch_size:
                file.write(line)
                rows += 1
                line = next(lines, None)
        yield path, rows


@contextmanager
def _compressed(file: BinaryIO, compression: str | None) -> Iterator[BinaryIO | gzip.GzipFile]:
    if compression != "gzip":
        yield file
        return
    # Without a name and a time, the same rows are the same bytes.
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0) as zipped:
        yield zipped


def _store(path: Path, config: BatchConfig, name: str) -> str:
    """Move a file to the store and return its URL there."""
    storage = config.storage
    # Not through the SDK's own storage, which hands fsspec a path that some of its filesystems do not take.
    filesystem, root = open_store(_SETTING, storage.root, storage.params)
    target = f"{root}/{name}"
    with store_errors(_SETTING, f"cannot write {name} below {storage.root}"):
        filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
        try:
            filesystem.put_file(str(path), target)
        except BaseException:
            with suppress(Exception):  # A full disk keeps the beginning of the file, and other stores none of it.
                filesystem.rm_file(target)
            raise
        path.unlink()
        return str(filesystem.unstrip_protocol(target))
