"""DuckDB within limits: one database for all streams of a run, and errors that name their cause."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import InvariantError, KeysNotUniqueError, MemoryLimitError, SpoolError
from tap_pigment.exports import DuckDBSession, SpoolDirectory, StreamDatabase
from tests.support.export_files import duckdb_session
from tests.unit.exports.disk import largest_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEGABYTE = 1_000_000
ROOM = "The stream plan needs about twice the size of its export."
FULL = f"the disk is full. {ROOM} Make room, or set spool_dir to a directory with more."
# More than fits into 60 MB, so that DuckDB writes to disk.
LARGE_TABLE = "SELECT hash(i) AS h, repeat('x', 200) || i AS s FROM range(300_000) t(i) ORDER BY h"


@pytest.fixture
def database(session: DuckDBSession) -> Iterator[StreamDatabase]:
    with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
        yield database


@pytest.fixture
def spilling(tmp_path: Path) -> Iterator[StreamDatabase]:
    """Give a database with so little memory that a large table spills to disk."""
    with duckdb_session(tmp_path) as session, session.for_stream("plan", memory_bytes=60 * MEGABYTE) as database:
        database.execute("SET threads = 1")  # Each thread holds memory of its own.
        yield database


# Errors


def test_a_full_disk_is_named(database: StreamDatabase) -> None:
    with pytest.raises(SpoolError) as caught:
        database.execute("COPY (SELECT 1) TO '/dev/full'")

    assert str(caught.value).startswith("spool_dir: /")
    assert str(caught.value).endswith(f": {FULL}")


def test_a_disk_without_room_to_spill_is_full(spilling: StreamDatabase) -> None:
    # DuckDB sets this limit itself, to what the disk has free.
    spilling.execute("SET max_temp_directory_size = '1MB'")

    with pytest.raises(SpoolError) as caught:
        spilling.create_table("large", LARGE_TABLE)

    assert str(caught.value).endswith(f": {FULL}")


def test_a_file_that_may_not_grow_is_named(spilling: StreamDatabase) -> None:
    with pytest.raises(SpoolError) as caught, largest_file(MEGABYTE):
        spilling.create_table("large", LARGE_TABLE)

    assert str(caught.value).endswith(f": File too large. {ROOM} Raise the limit on the size of a file (ulimit -f).")


def test_a_memory_limit_that_is_too_low_is_named(session: DuckDBSession) -> None:
    with session.for_stream("plan", memory_bytes=8 * MEGABYTE) as database, pytest.raises(MemoryLimitError) as caught:
        database.row("SELECT list(range) FROM range(10_000_000)")

    assert str(caught.value) == (
        "plan: DuckDB needs more memory than its limit for this export (8MB). Nothing more of the stream was emitted. "
        "Deselect columns, or narrow stream_overrides.plan.request."
    )


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{folder}/missing.csv', auto_detect = false, columns = {{'c0': 'VARCHAR'}})",
        "SELECT * FROM read_parquet('{folder}/missing.parquet')",
        "COPY (SELECT 1) TO '{folder}/missing/file.csv'",
    ],
)
def test_a_missing_file_is_named(database: StreamDatabase, tmp_path: Path, statement: str) -> None:
    with pytest.raises(SpoolError) as caught:
        database.execute(statement.format(folder=tmp_path))

    assert str(caught.value).endswith(
        ": No such file or directory: something removed the directory or a file in it during the run. Run again."
    )


def test_a_missing_permission_is_named(database: StreamDatabase) -> None:
    # No user may make a file there, not even root; in some containers nothing there can be written at all.
    cause = "(Permission denied|Read-only file system)"
    with pytest.raises(SpoolError, match=rf": {cause}\. Set spool_dir to a directory that can be written\.$"):
        database.execute("COPY (SELECT 1) TO '/sys/export.csv'")


def test_an_error_of_the_disk_while_rows_are_fetched_is_named(database: StreamDatabase, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("a\n" + ("x" * 100 + "\n") * 600_000)  # More than DuckDB reads ahead.
    query = f"SELECT * FROM read_csv('{path}', auto_detect = false, columns = {{'c0': 'VARCHAR'}})"  # noqa: S608 - a test's own path.
    blocks = database.blocks(query, 500)

    first = next(blocks)
    os.truncate(path, 1_000)
    with pytest.raises(SpoolError) as caught:
        list(blocks)

    assert len(first) == 500
    assert str(caught.value).endswith(
        "DuckDB cannot read or write a file. Check the disk, or set spool_dir to another directory."
    )


def test_the_memory_limit_is_named_while_rows_are_fetched(database: StreamDatabase) -> None:
    query = "SELECT repeat('x', CASE WHEN range > 100_000 THEN 200_000_000 ELSE 1 END) FROM range(200_000)"

    with pytest.raises(MemoryLimitError, match=r"^plan: DuckDB needs more memory than its limit .*\(100MB\)"):
        list(database.blocks(query, 500))


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT CAST('Secret' AS INTEGER)", "ConversionException"),
        ("SELECT", "ParserException"),
        ("SELECT 1 FROM missing", "CatalogException"),
    ],
)
def test_any_other_error_is_a_bug_that_shows_no_cell(database: StreamDatabase, statement: str, error: str) -> None:
    with pytest.raises(InvariantError) as caught:
        database.execute(statement)

    assert str(caught.value) == (
        f"plan: a statement of the tap fails in DuckDB ({error}). Please report this as a bug of tap-pigment."
    )


def test_a_spool_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    session = DuckDBSession(SpoolDirectory(tmp_path / "nowhere"))

    with (
        pytest.raises(SpoolError, match=r"^spool_dir: cannot make a directory in .*nowhere"),
        session.for_stream("plan", memory_bytes=MEGABYTE),
    ):
        pass


def test_the_database_can_be_used_after_an_error(session: DuckDBSession) -> None:
    with session.for_stream("plan", memory_bytes=8 * MEGABYTE) as database, pytest.raises(MemoryLimitError):
        database.row("SELECT list(range) FROM range(10_000_000)")

    with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
        assert database.row("SELECT count(*) FROM range(1_000_000)") == (1_000_000,)


# Files that are not CSV


def test_a_file_that_duckdb_cannot_read_gives_no_row_and_no_table(database: StreamDatabase, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b'a\n"1\n')
    relation = f"read_csv('{path}', auto_detect = false, quote = '\"', columns = {{'c0': 'VARCHAR'}})"

    assert database.row_unless_refused(f"SELECT count(*) FROM {relation}") is None  # noqa: S608 - a test's own path.
    assert not database.create_table_unless_refused("kept", f"SELECT * FROM {relation}")  # noqa: S608 - a test's own path.


def test_a_file_that_duckdb_can_read_gives_a_row_and_a_table(database: StreamDatabase, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"a\n1\n2\n")
    relation = f"read_csv('{path}', auto_detect = false, header = true, columns = {{'c0': 'VARCHAR'}})"

    assert database.row_unless_refused(f"SELECT count(*) FROM {relation}") == (2,)  # noqa: S608 - a test's own path.
    assert database.create_table_unless_refused("kept", f"SELECT * FROM {relation}")  # noqa: S608 - a test's own path.
    assert database.rows("SELECT c0 FROM kept ORDER BY rowid") == [("1",), ("2",)]


# Limits and life


def test_a_table_larger_than_memory_spills_to_disk(spilling: StreamDatabase) -> None:
    spilling.create_table("large", LARGE_TABLE)

    assert spilling.row("SELECT count(*) FROM large") == (300_000,)
    assert spilling.row("SELECT sum(size) > 10_000_000 FROM duckdb_temporary_files()") == (True,)


def test_each_stream_has_its_own_memory_limit(session: DuckDBSession) -> None:
    limits = []

    for megabytes in (50, 120, 50):
        with session.for_stream("plan", memory_bytes=megabytes << 20) as database:
            limits.append(database.row("SELECT current_setting('memory_limit')"))

    assert limits == [("49.5 MiB",), ("119.2 MiB",), ("49.5 MiB",)]


def test_few_threads_work_however_many_processors_there_are(database: StreamDatabase) -> None:
    (threads,) = database.row("SELECT current_setting('threads')")

    assert threads == min(os.cpu_count() or 1, 4)


def test_tables_of_a_stream_are_dropped_at_its_end(session: DuckDBSession) -> None:
    with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
        assert database.create_table("changed", "SELECT 1 AS row") == "changed"
        assert database.create_table("changed", "SELECT 2 AS row") == "changed"
        found = database.rows("SELECT row FROM changed")

    with session.for_stream("other", memory_bytes=100 * MEGABYTE) as database:
        left = database.rows("SELECT table_name FROM duckdb_tables()")

    assert found == [(2,)]
    assert left == []


def test_tables_are_dropped_after_an_error_too(session: DuckDBSession) -> None:
    def fail() -> None:
        with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
            database.create_table("changed", "SELECT 1 AS row")
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail()
    with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
        assert database.rows("SELECT table_name FROM duckdb_tables()") == []


def test_the_error_of_a_stream_is_raised_even_if_its_tables_cannot_be_dropped(session: DuckDBSession) -> None:
    def fail() -> None:
        with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
            database.create_table("kept", "SELECT 1 AS a")
            session.close()
            raise KeysNotUniqueError("plan: rows share a key")

    with pytest.raises(KeysNotUniqueError, match="plan: rows share a key"):
        fail()


def test_rows_come_in_blocks_between_which_statements_run(database: StreamDatabase) -> None:
    found = []

    for block in database.blocks("SELECT range FROM range(10)", 4):
        found.append([number for (number,) in block])
        assert database.row("SELECT 1") == (1,)

    assert found == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_query_without_rows_has_an_empty_first_row(database: StreamDatabase) -> None:
    assert database.row("SELECT 1 WHERE false") == ()
    assert database.rows("SELECT 1 WHERE false") == []
    assert list(database.blocks("SELECT 1 WHERE false", 4)) == []


def test_rows_keep_the_order_of_their_file_in_any_number_of_threads(database: StreamDatabase, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("a\n" + "".join(f"{number}\n" for number in range(500_000)))
    query = f"SELECT * FROM read_csv('{path}', auto_detect = false, header = true, columns = {{'c0': 'INTEGER'}})"  # noqa: S608 - a test's own path.

    numbers = [number for block in database.blocks(query, 5_000) for (number,) in block]

    assert numbers == list(range(500_000))


def test_a_closed_session_opens_another_database_at_the_next_use(tmp_path: Path) -> None:
    session = DuckDBSession(SpoolDirectory(tmp_path))
    found = []

    for _ in range(2):
        with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
            found.append(database.row("SELECT 1"))
        session.close()
    session.close()

    assert found == [(1,), (1,)]


def test_what_spills_to_disk_is_in_the_spool_directory(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path)
    session = DuckDBSession(spool)

    with session.for_stream("plan", memory_bytes=100 * MEGABYTE) as database:
        folder = database.row("SELECT current_setting('temp_directory')")
    session.close()

    assert folder == (str(spool.path()),)


# A signal in the middle of the import, which would raise an error there. The import is of a process of its own.
INTERRUPTED_IMPORT = """
import os, signal, sys
from tap_pigment.exports import preload

def stop(number, frame):
    sys.exit("complete" if hasattr(sys.modules.get("duckdb"), "connect") else "in the middle")

class Interruption:
    def find_spec(self, name, path=None, target=None):
        if name == "_duckdb":
            os.kill(os.getpid(), signal.SIGTERM)

signal.signal(signal.SIGTERM, stop)
sys.meta_path.insert(0, Interruption())
preload()
print("not stopped")
"""


def test_a_signal_waits_for_the_end_of_the_import() -> None:
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False, timeout=60
    )

    assert (result.returncode, result.stdout, result.stderr) == (1, "", "complete\n")


def test_extensions_are_neither_installed_nor_loaded(database: StreamDatabase) -> None:
    assert database.row(
        "SELECT current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')"
    ) == (False, False)
