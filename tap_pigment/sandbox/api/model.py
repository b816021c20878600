"""The data of a sandbox: workspace, applications, blocks, views and API keys."""

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
# A callable generates the rows on each call, so a block may be larger than memory.
Rows: TypeAlias = Sequence[Row] | Callable[[], Iterable[Row]]
# True for the rows to keep.
RowFilter: TypeAlias = Callable[[Row], bool]

_SUFFIX_LETTERS = string.ascii_uppercase + string.digits
_SUFFIX_LENGTH = 6


class Scope(Enum):
    """A scope of an API key, under Pigment's name for it."""

    EXPORT = "Export"
    MODELING_METADATA = "Modeling Metadata"


class ColumnType(StrEnum):
    """Pigment's column types, as far as the sandbox supports them."""

    TEXT = "Text"
    NUMBER = "Number"
    INTEGER = "Integer"
    DATE = "Date"
    BOOLEAN = "Boolean"
    DIMENSION = "Dimension"


class ViewType(StrEnum):
    """Who can see a view."""

    PUBLIC = "Public"
    PERSONAL = "Personal"


def technical_name(name: str, identity: str) -> str:
    """Return the slug of the name, `_`, and six upper-case letters or digits that depend on the identity."""
    slug = re.sub("[^a-z0-9]", "_", name.lower())
    digest = hashlib.sha256(f"{identity}/{name}".encode()).digest()
    suffix = (_SUFFIX_LETTERS[byte % len(_SUFFIX_LETTERS)] for byte in digest[:_SUFFIX_LENGTH])
    return f"{slug}_{''.join(suffix)}"


def item_id(list_id: str, item: str) -> str:
    """Return the id of a list's item, given its label, or in a transaction list its row number, counted from 1."""
    return str(uuid.uuid5(uuid.UUID(list_id), item))


@dataclass(frozen=True)
class Column:
    """A column of an export: a property of a list, a dimension or a metric.

    Attributes:
        name: The friendly header.
        type: The type of the cells, in which filters compare them.
        technical_name: The technical header; if empty, the block derives it.
        source_id: The id of the list that a Dimension column refers to, or of the metric whose values it contains.
    """

    name: str
    type: ColumnType = ColumnType.TEXT
    technical_name: str = ""
    source_id: str | None = None


@dataclass(frozen=True)
class DeclaredColumn:
    """A column described in a block's metadata, in case Pigment ever does so."""

    name: str
    type: str
    is_key: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """The base of all kinds of blocks; each row has one value for each of `columns`."""

    id: str
    name: str
    rows: Rows = field(default=(), repr=False)
    declared_columns: Sequence[DeclaredColumn] | None = None

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of a full export, in order."""
        raise NotImplementedError

    def read(self) -> Iterator[Row]:
        """Return an iterator over all rows."""
        return iter(self.rows() if callable(self.rows) else self.rows)


def _with_technical_names(properties: Sequence[Column], block_id: str) -> tuple[Column, ...]:
    """Return the properties with technical names, which are unique even if names repeat."""
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
    """A list of unique items; a row is the item's label, followed by its properties."""

    properties: Sequence[Column] = ()
    technical_name: str = ""

    def __post_init__(self) -> None:
        """Derive the technical names that are not given."""
        object.__setattr__(self, "technical_name", self.technical_name or technical_name(self.name, self.id))
        object.__setattr__(self, "properties", _with_technical_names(self.properties, self.id))

    @property
    def column(self) -> Column:
        """The list as a column: equal in its own export and in every metric and table."""
        return Column(self.name, ColumnType.DIMENSION, self.technical_name, self.id)

    @property
    def columns(self) -> Sequence[Column]:
        """The item, followed by its properties."""
        return (self.column, *self.properties)


@dataclass(frozen=True, eq=False, kw_only=True)
class TransactionList(Block):
    """A list of rows without ids, which may repeat; a row is its properties."""

    properties: Sequence[Column]

    def __post_init__(self) -> None:
        """Derive the technical names that are not given."""
        object.__setattr__(self, "properties", _with_technical_names(self.properties, self.id))

    @property
    def columns(self) -> Sequence[Column]:
        """The properties."""
        return self.properties


@dataclass(frozen=True, eq=False, kw_only=True)
class Metric(Block):
    """Values by dimension; a row is the labels of the items, followed by the value. Blank cells have no row."""

    dimensions: Sequence[DimensionList]
    type: ColumnType = ColumnType.NUMBER
    technical_name: str = ""

    def __post_init__(self) -> None:
        """Derive the technical name if it is not given."""
        object.__setattr__(self, "technical_name", self.technical_name or technical_name(self.name, self.id))

    @property
    def column(self) -> Column:
        """The metric as a column: equal in its own export and in every table."""
        return Column(self.name, self.type, self.technical_name, self.id)

    @property
    def columns(self) -> Sequence[Column]:
        """The dimensions, followed by the value."""
        return (*(dimension.column for dimension in self.dimensions), self.column)


@dataclass(frozen=True, eq=False, kw_only=True)
class Table(Block):
    """Metrics side by side; a row is all their dimensions, followed by one value for each metric.

    A metric that lacks a dimension has separate rows, in which that dimension is None.
    """

    metrics: Sequence[Metric]

    @property
    def dimensions(self) -> Sequence[DimensionList]:
        """The dimensions of all metrics, each once, in order of first use."""
        return tuple(dict.fromkeys(dimension for metric in self.metrics for dimension in metric.dimensions))

    @property
    def columns(self) -> Sequence[Column]:
        """The dimensions, followed by the metrics."""
        return (
            *(dimension.column for dimension in self.dimensions),
            *(metric.column for metric in self.metrics),
        )


def _keep_every_row(_row: Row) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class View:
    """A view of a block.

    Attributes:
        row_filter: The view's own filter: true for the rows of the block that it shows.
        row_limit: The largest number of rows that can be exported.
    """

    id: str
    name: str
    block_id: str
    type: ViewType = ViewType.PUBLIC
    row_filter: RowFilter = field(default=_keep_every_row, repr=False)
    row_limit: int = 1_000_000


@dataclass(frozen=True)
class Scenario:
    """A scenario of an application; the first is the default. In a sandbox, all have the same values."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application; several applications may share a block."""

    id: str
    name: str
    blocks: Sequence[Block] = ()
    views: Sequence[View] = ()
    scenarios: Sequence[Scenario] = ()


@dataclass(frozen=True)
class ApiKey:
    """An API key and its scopes."""

    secret: str = field(repr=False)
    scopes: frozenset[Scope] = frozenset(Scope)


@dataclass(frozen=True)
class Workspace:
    """Everything that one sandbox serves."""

    applications: Sequence[Application]
    keys: Sequence[ApiKey]
