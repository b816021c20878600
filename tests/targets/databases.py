"""The databases that targets load, with one way to query them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, LiteralString

import duckdb
import psycopg

from tests.targets.environments import command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def _boolean(cell: str) -> bool:
    return {"TRUE": True, "FALSE": False}[cell]


class Database(ABC):
    """A database and the target that loads it."""

    target: ClassVar[str]
    reader_by_type: ClassVar[Mapping[str, Callable[[str], Any]]]
    takes_blank_keys: ClassVar[bool] = True
    schema: str

    @property
    def command(self) -> Path:
        """The target's command."""
        return command(self.target)

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The target's config."""

    @abstractmethod
    def query(self, sql: LiteralString, *values: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query; each `?` stands for a value."""

    def column(self, name: str) -> str:
        """Return the database's name of a column that the tap emits."""
        return name

    def types(self, stream: str) -> dict[str, str]:
        """Return the type of each column of a stream's table."""
        found = self.query(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ?",
            self.schema,
            stream,
        )
        return dict(found)

    def tables(self) -> set[str]:
        """Return the names of the tables."""
        found = self.query("SELECT table_name FROM information_schema.tables WHERE table_schema = ?", self.schema)
        return {name for (name,) in found}

    def rows(self, stream: str, columns: Sequence[str]) -> Counter[tuple[Any, ...]]:
        """Return each row of a stream's table with its count."""
        return Counter(self.query(_select(self.schema, stream, [self.column(name) for name in columns])))

    def live_rows(self, stream: str, columns: Sequence[str]) -> Counter[tuple[Any, ...]]:
        """Return each row that is not marked as deleted with its count."""
        selected = _select(self.schema, stream, [self.column(name) for name in columns])
        return Counter(self.query(f"{selected} WHERE _sdc_deleted_at IS NULL"))

    def readers(self, stream: str, columns: Sequence[str]) -> dict[str, Callable[[str], Any]]:
        """Return for each column the function from a cell of an export to the value that this database returns."""
        types = self.types(stream)
        return {name: self.reader_by_type[types[self.column(name)]] for name in columns}


def _select(schema: str, stream: str, columns: Sequence[str]) -> Any:  # noqa: ANN401 - a literal to mypy, because its parts are ours.
    names = ", ".join(f'"{name}"' for name in columns)
    return f'SELECT {names} FROM {schema}."{stream}"'  # noqa: S608 - our names.


@dataclass(frozen=True)
class Postgres(Database):
    """A schema of a PostgreSQL database, by its SQLAlchemy URL."""

    url: str
    schema: str
    target = "target-postgres"
    reader_by_type = {"text": str, "numeric": Decimal, "boolean": _boolean, "date": date.fromisoformat}  # noqa: RUF012 - see the base.

    @property
    def config(self) -> dict[str, Any]:
        """The target's config."""
        return {"sqlalchemy_url": self.url, "default_target_schema": self.schema, "load_method": "upsert"}

    def query(self, sql: LiteralString, *values: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            return connection.execute(sql.replace("?", "%s"), values or None).fetchall()


@dataclass(frozen=True)
class DuckDb(Database):
    """A DuckDB file. The target writes names in lower case and dates as text."""

    path: Path
    schema: str
    target = "target-duckdb"
    reader_by_type = {"VARCHAR": str, "DOUBLE": float, "BOOLEAN": _boolean}  # noqa: RUF012 - see the base.
    takes_blank_keys = False  # It makes every empty text NULL.

    @property
    def config(self) -> dict[str, Any]:
        """The target's config."""
        return {"filepath": str(self.path), "default_target_schema": self.schema}

    def column(self, name: str) -> str:
        """Return the column's name in lower case."""
        return name.lower()

    def query(self, sql: LiteralString, *values: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with closing(duckdb.connect(self.path, read_only=True)) as connection:
            return connection.execute(sql, values or None).fetchall()
