"""DuckDB for one run: one database in memory with limits, and errors that name their cause."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import InvariantError, MemoryLimitError, PigmentError
from tap_pigment.exports.spool_directory import disk_errors, room_for_stream, spool_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from tap_pigment.exports.spool_directory import SpoolDirectory

# Each thread holds memory of its own: sixteen need more than the limit. Four are faster than Python takes their rows.
_MAX_THREADS = 4
# An export with this limit has a thousand columns or very large cells. One thread reads it, and few of its rows wait to
# be fetched: that takes half the memory, and twice the time.
_LARGE_MEMORY_BYTES = 800 << 20
_MEGABYTE = 1_000_000
_DISK_ERRNOS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.EIO,
)


def preload() -> None:
    """Import DuckDB: a tenth of the start-up time, best spent while the first export is on its way."""
    if "duckdb" in sys.modules:
        return
    with _deferred_signals():  # Seen in DuckDB 2.0: it aborts the process if its import raises an error.
        import duckdb  # noqa: F401, PLC0415 - most commands do without it.


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Let signals that Python handles wait until the block ends."""
    if threading.current_thread() is not threading.main_thread():  # Python handles none in other threads.
        yield
        return
    arrived: list[int] = []
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for arrived_number in arrived:
            signal.raise_signal(arrived_number)


class DuckDBSession:
    """The database of a run, which is opened at the first use and spills to the run's spool directory.

    Args:
        spool: The spool directory.
    """

    def __init__(self, spool: SpoolDirectory) -> None:
        self._spool = spool
        self._database: duckdb.DuckDBPyConnection | None = None
        self._reader: duckdb.DuckDBPyConnection | None = None
        self._threads = 1
        self._memory_bytes = 0
        self._is_for_large: bool | None = None

    @contextmanager
    def for_stream(self, name: str, *, memory_bytes: int) -> Iterator[StreamDatabase]:
        """Give the database for the work on one stream, and drop its tables at the end.

        Args:
            name: The stream's name; messages start with it.
            memory_bytes: What DuckDB may use before it spills to disk.

        Raises:
            PigmentError: If the database cannot be opened.
        """
        with _translated_errors(name, self._spool, memory_bytes):
            database, reader = self._opened()
            self._set_limits(database, reader, memory_bytes)
        stream_database = StreamDatabase(name, database, reader, self._spool, memory_bytes)
        try:
            yield stream_database
        except BaseException:
            with suppress(PigmentError):  # What ended the work is the error to raise.
                stream_database.drop_tables()
            raise
        stream_database.drop_tables()

    def _opened(self) -> tuple[duckdb.DuckDBPyConnection, duckdb.DuckDBPyConnection]:
        """Return the database, and a second connection to it, which fetches rows in blocks."""
        if self._database is None or self._reader is None:
            self._database = _connect(self._spool)
            self._reader = self._database.cursor()
            (threads,) = self._database.execute("SELECT current_setting('threads')").fetchone() or (1,)
            self._threads = min(threads, _MAX_THREADS)
            self._memory_bytes, self._is_for_large = 0, None
        return self._database, self._reader

    def _set_limits(
        self, database: duckdb.DuckDBPyConnection, reader: duckdb.DuckDBPyConnection, memory_bytes: int
    ) -> None:
        """Set the limits that differ from those of the last stream, because that takes time."""
        if memory_bytes != self._memory_bytes:
            _set_memory_limit(database, memory_bytes)
            self._memory_bytes = memory_bytes
        is_large = memory_bytes > _LARGE_MEMORY_BYTES
        if is_large != self._is_for_large:
            database.execute(f"SET threads = {1 if is_large else self._threads}")
            reader.execute(f"SET streaming_buffer_size = '{1 if is_large else 16}MB'")
            self._is_for_large = is_large

    def close(self) -> None:
        """Close the database; the next use opens another one."""
        if self._reader is not None:
            self._reader.close()
        if self._database is not None:
            self._database.close()
        self._database = self._reader = None


def _connect(spool: SpoolDirectory) -> duckdb.DuckDBPyConnection:
    """Return a new database in memory, without limits."""
    preload()
    import duckdb  # noqa: PLC0415 - see `preload`.

    database = duckdb.connect(
        config={
            "temp_directory": str(spool.path()),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # The order of rows, and so their numbers, rests on this default.
            "preserve_insertion_order": "true",
        }
    )
    # A join holds its right side in memory and keeps the order of its left side, as the tap writes it: DuckDB can
    # only guess how many rows a CSV file has.
    database.execute("SET disabled_optimizers = 'build_side_probe_side'")
    return database


def _set_memory_limit(database: duckdb.DuckDBPyConnection, memory_bytes: int) -> None:
    database.execute(f"SET memory_limit = '{_megabytes(memory_bytes)}'")


class StreamDatabase:
    """The database as one stream uses it; made by `DuckDBSession.for_stream`.

    Attributes:
        name: The stream's name.
    """

    def __init__(
        self,
        name: str,
        database: duckdb.DuckDBPyConnection,
        reader: duckdb.DuckDBPyConnection,
        spool: SpoolDirectory,
        memory_bytes: int,
    ) -> None:
        self.name = name
        self._database = database
        self._reader = reader
        self._spool = spool
        self._memory_bytes = memory_bytes
        self._tables: set[str] = set()

    def execute(self, sql: str) -> None:
        """Run a statement.

        Raises:
            PigmentError: If there is no room for it in memory or on disk.
        """
        with self._errors():
            self._database.execute(sql)

    def row(self, sql: str) -> tuple[Any, ...]:
        """Return the first row of a query.

        Raises:
            PigmentError: See `execute`.
        """
        return (self.rows(sql) or [()])[0]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        Raises:
            PigmentError: See `execute`.
        """
        with self._errors():
            return self._database.execute(sql).fetchall()

    def row_unless_refused(self, sql: str) -> tuple[Any, ...] | None:
        """Return the first row of a query over an export, or None if DuckDB cannot read the export.

        Raises:
            PigmentError: See `execute`.
        """
        rows = self.rows_unless_refused(sql)
        return rows[0] if rows else None

    def rows_unless_refused(self, sql: str) -> list[tuple[Any, ...]] | None:
        """Return all rows of a statement over an export, or None if DuckDB cannot read or convert a cell.

        Raises:
            PigmentError: See `execute`.
        """
        with self._errors():
            try:
                return self._database.execute(sql).fetchall()
            except _refusals():
                return None

    def blocks(self, sql: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query in blocks; DuckDB works on the next one meanwhile.

        Other statements may run between two blocks, but no other call of this method.

        Args:
            sql: The query.
            rows: The most rows of a block.

        Raises:
            PigmentError: See `execute`.
        """
        with self._errors():
            result = self._reader.execute(sql)
        while block := self._fetch(result, rows):
            yield block

    def _fetch(self, result: duckdb.DuckDBPyConnection, rows: int) -> list[tuple[Any, ...]]:
        with self._errors():
            return result.fetchmany(rows)

    def create_table(self, name: str, query: str) -> str:
        """Make a table of a query's rows, replace one of the same name, and return the name."""
        self._tables.add(name)
        self.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
        return name

    def create_table_unless_refused(self, name: str, query: str) -> bool:
        """Make a table of a query over an export; return False if DuckDB cannot read the export.

        Raises:
            PigmentError: See `execute`.
        """
        self._tables.add(name)
        with self._errors():
            try:
                self._database.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
            except _refusals():
                return False
        return True

    @contextmanager
    def apart(self) -> Iterator[StreamDatabase]:
        """Give another database for files of unknown origin: DuckDB gives up a whole database over some damaged ones.

        Raises:
            PigmentError: If it cannot be opened.
        """
        with self._errors():
            database = _connect(self._spool)
            _set_memory_limit(database, self._memory_bytes)
        try:
            yield StreamDatabase(self.name, database, database, self._spool, self._memory_bytes)
        finally:
            database.close()

    def drop_tables(self) -> None:
        """Drop the tables that this object made."""
        for name in self._tables:
            self.execute(f"DROP TABLE IF EXISTS {name}")
        self._tables.clear()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with _translated_errors(self.name, self._spool, self._memory_bytes):
            yield


def _refusals() -> tuple[type[Exception], ...]:
    """Return the errors of DuckDB for a file that it cannot read, and for a cell that it cannot convert."""
    import duckdb  # noqa: PLC0415 - see `preload`.

    return duckdb.InvalidInputException, duckdb.NotImplementedException, duckdb.ConversionException


@contextmanager
def _translated_errors(name: str, spool: SpoolDirectory, memory_bytes: int) -> Iterator[None]:
    """Turn errors of DuckDB into errors that name the stream, the cause and the remedy.

    Raises:
        SpoolError: If the disk is full or fails.
        MemoryLimitError: If DuckDB needs more memory than its limit.
        InvariantError: If DuckDB fails for any other reason.
    """
    import duckdb  # noqa: PLC0415 - see `preload`.

    room = room_for_stream(name)
    try:
        with disk_errors(spool.path(), room):
            yield
    except duckdb.OutOfMemoryException as error:
        if "max_temp_directory_size" in str(error):  # DuckDB limits it to what the disk has free.
            raise spool_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), spool.path(), room) from None
        raise MemoryLimitError(
            f"{name}: DuckDB needs more memory than its limit for this export ({_megabytes(memory_bytes)}). Nothing "
            f"more of the stream was emitted. Deselect columns, or narrow stream_overrides.{name}.request."
        ) from None
    except duckdb.IOException as error:
        raise spool_error(_os_error(str(error)), spool.path(), room) from None
    except (duckdb.Error, UnicodeDecodeError) as error:  # Some messages of DuckDB are not UTF-8.
        # The message may quote cells.
        raise InvariantError(f"{name}: a statement of the tap fails in DuckDB ({type(error).__name__}).") from error


def _os_error(message: str) -> OSError:
    """Return the operating system's error that a message of DuckDB ends with."""
    if "No files found" in message:  # DuckDB's words for a missing file.
        return OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for number in _DISK_ERRNOS:
        if os.strerror(number) in message:
            return OSError(number, os.strerror(number))
    return OSError(errno.EIO, "DuckDB cannot read or write a file")


def _megabytes(count: int) -> str:
    return f"{count // _MEGABYTE}MB"
