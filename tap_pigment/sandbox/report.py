"""What landed where: a short look at the files a command has written."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb

LINE_WIDTH = 110
CELL_WIDTH = 28
ROWS_SHOWN = 3
TABLES_SHOWN = 3
_INDENT = "    "
_ELIDED = "…"
_ADDED = ("_sdc_", "contenthash")

Stamps: TypeAlias = Mapping[Path, tuple[int, int]]


def stamps(folder: Path) -> Stamps:
    """Return when each file below the folder was last written, and its size."""
    files = {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {path: (status.st_mtime_ns, status.st_size) for path, status in files.items()}


def report(folder: Path, before: Stamps) -> str:
    """Return what the DuckDB and JSON Lines files written since `before` hold, or nothing."""
    written = [path for path, stamp in stamps(folder).items() if before.get(path) != stamp]
    lines: list[str] = []
    for path in written:
        if path.suffix == ".duckdb":
            lines += [f"{path}", *_database_lines(path)]
        elif path.suffix == ".jsonl":
            with path.open("rb") as messages:
                lines.append(f"{path}: {sum(1 for _ in messages):,} lines")
    return "\n".join(["", "What landed where:", *lines]) if lines else ""


def _database_lines(path: Path) -> Iterator[str]:
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        yield f"  cannot be opened: {str(error).splitlines()[0]}"
        return
    with connection:
        rows = {name: _row_count(connection, name) for name in _tables(connection)}
        width = max(map(len, rows), default=0)
        for name, count in rows.items():
            yield f"  {name:{width}} {count:12,} rows"
        fullest = sorted(rows, key=lambda name: -rows[name])[:TABLES_SHOWN]
        for name in fullest:
            if rows[name]:
                yield from ("", f"  {name}, the first rows:")
                yield from _first_rows(connection, name)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the quoted names of all tables, each with its schema."""
    found = connection.execute("""
        SELECT schema_name, table_name
        FROM duckdb_tables()
        WHERE database_name = current_database()
        ORDER BY ALL
    """).fetchall()
    return [f"{_quoted(schema)}.{_quoted(table)}" for schema, table in found]


def _quoted(name: str) -> str:
    """Return the name as an identifier in SQL, quoted only where it must be."""
    return name if name.isidentifier() and name.isascii() else '"' + name.replace('"', '""') + '"'


def _row_count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    [[count]] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608  # Is quoted.
    return int(count)


def _first_rows(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[str]:
    """Yield the header and the first rows, in as many columns as fit."""
    answer = connection.execute(f"SELECT * FROM {table} LIMIT {ROWS_SHOWN}")  # noqa: S608  # Is quoted.
    header = [column[0] for column in answer.description or ()]
    lines = [header, *answer.fetchall()]
    columns = [[_cell(line[at]) for line in lines] for at in range(len(header))]
    # What taps and loaders add says little about the data.
    shown = [column for column in columns if not column[0].lower().startswith(_ADDED)]
    widths = [max(map(len, column)) for column in shown]
    fitting = _fitting(widths)
    for at in range(len(lines)):
        cells = [f"{column[at]:{width}}" for column, width in zip(shown[:fitting], widths, strict=False)]
        yield (_INDENT + "  ".join([*cells, *([_ELIDED] if fitting < len(shown) else [])])).rstrip()


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 1] + _ELIDED


def _fitting(widths: Sequence[int]) -> int:
    """Return how many columns fit on a line, with two spaces after each and room for the mark of elision."""
    room = LINE_WIDTH - len(_INDENT) - len(_ELIDED)
    for at, width in enumerate(widths):
        room -= width + 2
        if room < 0:
            return at
    return len(widths)
