"""What a sandbox holds: workspaces, applications, blocks, views and keys."""

import hashlib
import re
import string
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from typing import TypeAlias

Value: TypeAlias = str | Decimal | int | float | bool | date | None
Row: TypeAlias = Sequence[Value]
# A callable makes its rows anew each time, so a block may be larger than memory.
Rows: TypeAlias = Sequence[Row] | Callable[[], Iterable[Row]]

_SUFFIX_LETTERS = string.ascii_uppercase + string.digits
_SUFFIX_LENGTH = 6


class Right(Enum):
    """What a key may do."""

    EXPORT = "Export"
    MODELING_METADATA = "Modeling Metadata"


class ColumnType(StrEnum):
    """The types of Pigment that a sandbox knows."""

    TEXT = "Text"
    NUMBER = "Number"
    INTEGER = "Integer"
    DATE = "Date"
    BOOLEAN = "Boolean"
    DIMENSION = "Dimension"


class ViewType(StrEnum):
    """Who sees a view."""

    PUBLIC = "Public"
    PERSONAL = "Personal"


def technical_name(name: str, identity: str) -> str:
    """Return the slug of the name, `_`, and six upper-case letters or digits that depend on the identity."""
    slug = re.sub("[^a-z0-9]", "_", name.lower())
    digest = hashlib.sha256(f"{identity}/{name}".encode()).digest()
    suffix = (_SUFFIX_LETTERS[byte % len(_SUFFIX_LETTERS)] for byte in digest[:_SUFFIX_LENGTH])
    return f"{slug}_{''.join(suffix)}"


def item_id(list_id: str, item: str) -> str:
    """Return the id of a list's item: of its label, or in a transaction list of its row number from 1."""
    return str(uuid.uuid5(uuid.UUID(list_id), item))


@dataclass(frozen=True)
class Column:
    """A property of a list, or a dimension or metric as it stands in an export.

    Attributes:
        name: The friendly header.
        type: Says how a request's filters compare; the cells must fit it.
        technical_name: The technical header; a block derives it where it is empty.
        source_id: The list a Dimension column refers to, or the metric whose values it holds.
    """

    name: str
    type: ColumnType = ColumnType.TEXT
    technical_name: str = ""
    source_id: str | None = None


@dataclass(frozen=True)
class DeclaredColumn:
    """A column as the metadata of a block may describe it, should Pigment ever do so."""

    name: str
    type: str
    is_key: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """What every kind of block has; the rows hold one value for each of `columns`."""

    id: str
    name: str
    rows: Rows = field(default=(), repr=False)
    declared_columns: Sequence[DeclaredColumn] | None = None

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of a full export, in its order."""
        raise NotImplementedError

    def read(self) -> Iterator[Row]:
        """Return the rows from the first on."""
        return iter(self.rows() if callable(self.rows) else self.rows)


def _named(properties: Sequence[Column], block_id: str) -> tuple[Column, ...]:
    """Return the properties with technical names, which differ even where names repeat."""
    names = [column.name for column in properties]
    return tuple(
        replace(
            column,
            technical_name=column.technical_name
            or technical_name(column.name, f"{block_id}/{names[:index].count(column.name)}"),
        )
        for index, column in enumerate(properties)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class DimensionList(Block):
    """A list of unique items; a row is the item's label, then the properties."""

    properties: Sequence[Column] = ()
    technical_name: str = ""

    def __post_init__(self) -> None:
        """Derive the technical names that were not given."""
        object.__setattr__(self, "technical_name", self.technical_name or technical_name(self.name, self.id))
        object.__setattr__(self, "properties", _named(self.properties, self.id))

    @property
    def column(self) -> Column:
        """The list as a column: the same in its own export and in every metric and table."""
        return Column(self.name, ColumnType.DIMENSION, self.technical_name, self.id)

    @property
    def columns(self) -> Sequence[Column]:
        """The item, then its properties."""
        return (self.column, *self.properties)


@dataclass(frozen=True, eq=False, kw_only=True)
class TransactionList(Block):
    """A list of rows that may repeat and carry no id; a row is its properties."""

    properties: Sequence[Column]

    def __post_init__(self) -> None:
        """Derive the technical names that were not given."""
        object.__setattr__(self, "properties", _named(self.properties, self.id))

    @property
    def columns(self) -> Sequence[Column]:
        """The properties."""
        return self.properties


@dataclass(frozen=True, eq=False, kw_only=True)
class Metric(Block):
    """Values by dimensions; a row is the labels of the items, then the value. Blank cells have no row."""

    dimensions: Sequence[DimensionList]
    type: ColumnType = ColumnType.NUMBER
    technical_name: str = ""

    def __post_init__(self) -> None:
        """Derive the technical name if it was not given."""
        object.__setattr__(self, "technical_name", self.technical_name or technical_name(self.name, self.id))

    @property
    def column(self) -> Column:
        """The metric as a column: the same in its own export and in every table."""
        return Column(self.name, self.type, self.technical_name, self.id)

    @property
    def columns(self) -> Sequence[Column]:
        """The dimensions, then the value."""
        return (*(dimension.column for dimension in self.dimensions), self.column)


@dataclass(frozen=True, eq=False, kw_only=True)
class Table(Block):
    """Metrics side by side; a row is all their dimensions, then one value for each metric.

    A metric that lacks a dimension has rows of its own, in which the dimension is None.
    """

    metrics: Sequence[Metric]

    @property
    def dimensions(self) -> Sequence[DimensionList]:
        """The dimensions of all metrics, each once, in the order they are met."""
        return tuple(dict.fromkeys(dimension for metric in self.metrics for dimension in metric.dimensions))

    @property
    def columns(self) -> Sequence[Column]:
        """The dimensions, then the metrics."""
        return (
            *(dimension.column for dimension in self.dimensions),
            *(metric.column for metric in self.metrics),
        )


def _everything(_row: Row) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class View:
    """A saved look at a block.

    Attributes:
        keeps: The view's own filter, on the block's rows.
        row_limit: Above so many rows the view is too big to be exported.
    """

    id: str
    name: str
    block_id: str
    type: ViewType = ViewType.PUBLIC
    keeps: Callable[[Row], bool] = field(default=_everything, repr=False)
    row_limit: int = 1_000_000


@dataclass(frozen=True)
class Scenario:
    """A scenario of an application; the first is its default. All hold the same values in a sandbox."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application; blocks may be shared with others."""

    id: str
    name: str
    blocks: Sequence[Block] = ()
    views: Sequence[View] = ()
    scenarios: Sequence[Scenario] = ()


@dataclass(frozen=True)
class ApiKey:
    """A bearer key and what it may do."""

    secret: str = field(repr=False)
    rights: frozenset[Right] = frozenset(Right)


@dataclass(frozen=True)
class Workspace:
    """All that one sandbox serves."""

    applications: Sequence[Application]
    keys: Sequence[ApiKey]
