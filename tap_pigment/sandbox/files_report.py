"""A summary of the files that a command has written or left as they were: tables, row counts and first rows."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb

LINE_WIDTH = 110
CELL_WIDTH = 28
ROWS_SHOWN = 3
TABLES_SHOWN = 3
_INDENT = "    "
_ELLIPSIS = "…"
_ADDED_PREFIXES = ("_sdc_", "contenthash")

# Modification time (ns) and size (bytes) of each file.
FileStamps: TypeAlias = Mapping[Path, tuple[int, int]]


def file_stamps(folder: Path) -> FileStamps:
    """Return the modification time and size of each file in the folder and its subfolders."""
    files = {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {path: (status.st_mtime_ns, status.st_size) for path, status in files.items()}


def files_report(folder: Path, before: FileStamps) -> str:
    """Return a summary of the DuckDB and JSON Lines files in the folder; empty if there are none.

    Files that are as they were `before` are marked: merging equal rows into a DuckDB file leaves it unchanged.
    """
    lines: list[str] = []
    for path, stamp in file_stamps(folder).items():
        mark = " (unchanged)" if before.get(path) == stamp else ""
        if path.suffix == ".duckdb":
            lines += [f"{path}{mark}", *_database_lines(path)]
        elif path.suffix == ".jsonl":
            with path.open("rb") as file:
                lines.append(f"{path}: {sum(1 for _ in file):,} lines{mark}")
    return "\n".join(["", "What landed where:", *lines]) if lines else ""


def _database_lines(path: Path) -> Iterator[str]:
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        yield f"  cannot be opened: {str(error).splitlines()[0]}"
        return
    with connection:
        row_counts = {name: _row_count(connection, name) for name in _tables(connection)}
        width = max(map(len, row_counts), default=0)
        for name, count in row_counts.items():
            yield f"  {name:{width}} {count:12,} rows"
        largest = sorted(row_counts, key=lambda name: -row_counts[name])[:TABLES_SHOWN]
        for name in largest:
            if row_counts[name]:
                yield from ("", f"  {name}, first rows:")
                yield from _first_rows(connection, name)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the quoted names of all tables, with their schemas."""
    tables = connection.execute("""
        SELECT schema_name, table_name
        FROM duckdb_tables()
        WHERE database_name = current_database()
        ORDER BY ALL
    """).fetchall()
    return [f"{_quoted(schema)}.{_quoted(table)}" for schema, table in tables]


def _quoted(name: str) -> str:
    """Return the name as an SQL identifier, quoted only if necessary."""
    return name if name.isidentifier() and name.isascii() else '"' + name.replace('"', '""') + '"'


def _row_count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    [[count]] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608  # The name is quoted.
    return int(count)


def _first_rows(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[str]:
    """Yield the header and the first rows, with as many columns as fit on a line."""
    result = connection.execute(f"SELECT * FROM {table} LIMIT {ROWS_SHOWN}")  # noqa: S608  # The name is quoted.
    header = [column[0] for column in result.description or ()]
    lines = [header, *result.fetchall()]
    columns = [[_cell(line[index]) for line in lines] for index in range(len(header))]
    # Columns added by taps and loaders are not data from Pigment.
    shown = [column for column in columns if not column[0].lower().startswith(_ADDED_PREFIXES)]
    widths = [max(map(len, column)) for column in shown]
    count = _fitting_columns(widths)
    for index in range(len(lines)):
        cells = [f"{column[index]:{width}}" for column, width in zip(shown[:count], widths, strict=False)]
        yield (_INDENT + "  ".join([*cells, *([_ELLIPSIS] if count < len(shown) else [])])).rstrip()


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 1] + _ELLIPSIS


def _fitting_columns(widths: Sequence[int]) -> int:
    """Return how many columns fit on a line, with two spaces after each of them and an ellipsis at the end."""
    remaining_width = LINE_WIDTH - len(_INDENT) - len(_ELLIPSIS)
    for index, width in enumerate(widths):
        remaining_width -= width + 2
        if remaining_width < 0:
            return index
    return len(widths)
