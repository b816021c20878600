"""DuckDB for one export, held to limits; an error says what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

# Each holds memory of its own: sixteen need more than there is. Four are quicker than Python takes what they make.
_MAX_THREADS = 4


def load() -> None:
    """Import DuckDB: a tenth of the start-up time, best spent while something else is waited for."""
    import duckdb  # noqa: F401, PLC0415 - most commands do without.


def version() -> str:
    """Return the version of DuckDB."""
    import duckdb  # noqa: PLC0415 - see `load`.

    return duckdb.__version__


class Engine:
    """A database in memory.

    Args:
        name: The stream's name, to begin messages with.
        folder: Where it spills.
        memory_bytes: What it may use before it does.
        export_bytes: The size of the export, to say how much room is needed.

    Attributes:
        refusals: What a statement raises that does not understand the export.
    """

    def __init__(self, name: str, folder: Path, *, memory_bytes: int, export_bytes: int) -> None:
        import duckdb  # noqa: PLC0415 - see `load`.

        self._name = name
        self._folder = folder
        self._export_bytes = export_bytes
        self._memory_bytes = memory_bytes
        self._connection = duckdb.connect(
            config={
                "memory_limit": _megabytes(memory_bytes),
                "temp_directory": str(folder),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            }
        )
        self._shortages = (duckdb.OutOfMemoryException, duckdb.IOException)
        self.refusals = (duckdb.InvalidInputException, duckdb.NotImplementedException)
        (threads,) = self.values("SELECT current_setting('threads')")
        self.execute(f"SET threads = {min(threads, _MAX_THREADS)}")
        self.execute("SET enable_progress_bar = false")
        self.execute("SET streaming_buffer_size = '16MB'")
        # Joins are written so that the smaller side is the one to be held; a CSV's size is a guess to DuckDB.
        self.execute("SET disabled_optimizers = 'build_side_probe_side'")

    def add_memory(self, count: int) -> None:
        """Let the database use so many bytes more than at first before it spills."""
        self.execute(f"SET memory_limit = '{_megabytes(self._memory_bytes + count)}'")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run a statement and return its result, to be fetched.

        Raises:
            SpoolError: If there is no room to spill.
        """
        with self.room_needed():
            return self._connection.execute(sql)

    def values(self, sql: str) -> Any:  # noqa: ANN401 - a row of whatever the statement selects.
        """Run a statement and return the first row of its result."""
        return self.execute(sql).fetchone()

    def copy(self, sql: str) -> int:
        """Run a COPY statement, which can be done by several threads at once, and return how many rows it wrote.

        Raises:
            SpoolError: If there is no room to spill or to write.
        """
        with self.room_needed(), self._connection.cursor() as connection:
            (rows,) = connection.execute(sql).fetchone() or (0,)
            return int(rows)

    @contextmanager
    def room_needed(self) -> Iterator[None]:
        """Turn a lack of memory or disk into an error that says how much is needed, and where."""
        try:
            yield
        except (*self._shortages, OSError) as error:
            raise SpoolError(
                f"{self._name}: no room to work on an export of {self._export_bytes:,} bytes in {self._folder} "
                f"({type(error).__name__}). Make room for about twice its size, or set spool_dir to a directory that "
                "has it."
            ) from None


def _megabytes(count: int) -> str:
    return f"{count // 1_000_000}MB"
