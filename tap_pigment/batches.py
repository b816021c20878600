"""BATCH files: the rows of an export, in files of a fixed number of rows, wherever fsspec can write."""

from __future__ import annotations

import gzip
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

import fsspec  # type: ignore[import-untyped] # It brings no types.

from tap_pigment.errors import PigmentExportError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from singer_sdk.helpers._batch import BatchConfig

    from tap_pigment.outlet import Outlet

_GZIP_LEVEL = 6
_WRITERS = 2  # One alone does not keep even two processors busy; each holds some rows in memory.
_CODECS = {"gzip": "gzip", "none": "uncompressed", None: "snappy"}


class Batches:
    """The files of one stream in one run: all of one format, with one schema.

    Args:
        outlet: What to write.
        config: What the user asks for: format, compression, storage and rows per file.
        name: What the files' names begin with.
    """

    def __init__(self, outlet: Outlet, config: BatchConfig, name: str) -> None:
        self._outlet = outlet
        self._config = config
        self._name = f"{config.storage.prefix or ''}{name}-{uuid4()}"
        self._extension = config.encoding.format
        if (config.encoding.format, config.encoding.compression) == ("jsonl", "gzip"):
            self._extension = "jsonl.gz"

    def write(self) -> Iterator[tuple[str, int]]:
        """Write the files one by one, and yield each file's URL and its number of rows.

        Raises:
            CellTypeError: If a whole number is too large for a file's column.
            PigmentExportError: If the storage does not take a file.
        """
        files = self._parquet_files() if self._extension == "parquet" else self._json_files()
        sent = 0
        for number, (path, rows) in enumerate(files, 1):
            yield self._stored(path, number), rows
            sent += rows
        self._outlet.check_count(sent)

    def _json_files(self) -> Iterator[tuple[Path, int]]:
        is_gzipped = self._extension.endswith("gz")
        lines = self._outlet.json_lines()
        while True:
            path = self._outlet.new_file(self._extension)
            left = self._config.batch_size
            with path.open("wb") as raw, _compressed(raw) if is_gzipped else nullcontext(raw) as file:
                while left:
                    block, rows = lines.fetch(min(left, self._outlet.block_rows))
                    if not rows:
                        break
                    file.write(block)
                    left -= rows
            if left == self._config.batch_size:
                path.unlink()
                return
            yield path, self._config.batch_size - left

    def _parquet_files(self) -> Iterator[tuple[Path, int]]:
        """Yield the files in order, while the next ones are being written."""
        self._outlet.prepare_parquet()
        begun: deque[Future[tuple[Path, int]]] = deque()
        with ThreadPoolExecutor(_WRITERS) as writers:
            for start in range(0, self._outlet.rows, self._config.batch_size):
                if len(begun) > _WRITERS:
                    yield begun.popleft().result()
                begun.append(writers.submit(self._parquet_file, start))
            while begun:
                yield begun.popleft().result()

    def _parquet_file(self, start: int) -> tuple[Path, int]:
        path = self._outlet.new_file(f"{start}.{self._extension}")
        codec = _CODECS[self._config.encoding.compression]
        return path, self._outlet.write_parquet(path, codec, start, self._config.batch_size)

    def _stored(self, path: Path, number: int) -> str:
        """Move a file to the storage and return its URL there."""
        storage = self._config.storage
        filename = f"{self._name}-{number}.{self._extension}"
        try:
            # Not through the SDK's own storage, which hands fsspec a path that some of its filesystems do not take.
            filesystem, root = fsspec.core.url_to_fs(storage.root, **storage.params)
            target = f"{root.rstrip('/')}/{filename}"
            filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            filesystem.put_file(str(path), target)
        except (OSError, ValueError, ImportError) as error:
            raise PigmentExportError(
                f"batch_config: cannot write {filename} below {storage.root}: {error}. Check the storage's root, its "
                "credentials and its space."
            ) from None
        finally:
            path.unlink(missing_ok=True)
        return str(filesystem.unstrip_protocol(target))


def _compressed(file: BinaryIO) -> gzip.GzipFile:
    # Without a name and a time, the same rows are the same bytes.
    return gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0)
