"""The assumptions about Pigment's API: each with its name, what is expected, and what was observed of it.

An observation is one of the words that its fact lists. So no cell, name, id or key can be part of one.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Final

from tap_pigment.sandbox.verify.evidence import Evidence, Exchange, Export
from tap_pigment.sandbox.verify.probes import BLOCK_TYPES, Purpose, is_id

_LISTS: Final = ("DimensionList", "TransactionList")
_ALL_EXPORTS: Final = (
    Purpose.EXPORT,
    Purpose.DEFAULTS,
    Purpose.FRIENDLY,
    Purpose.PROPERTIES,
    Purpose.SCENARIO,
)
_OTHER_LISTINGS: Final = ("not an array", "members missing", "more members", "ids of another form")
_SOMETHING_ELSE: Final = "something else"
_STATUS: Final = re.compile(r"status \d{3}")
_TECHNICAL: Final = re.compile(r"([a-z0-9_]*)_([A-Z0-9]{6})")
_DELIMITERS: Final = {";": "semicolon", ",": "comma", "\t": "tab"}
_LINE_ENDS: Final = {"\r\n": "CRLF", "\n": "LF", "\r": "CR"}
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_NEEDS_QUOTES: Final = re.compile(r'[;,"\r\n]')
_NUMBER: Final = re.compile(r"-?\d+(?:[.,]\d+)?(?:([Ee])([+-]?)\d+)?")
_DATES: Final = {
    "YYYY-MM-DD": re.compile(r"\d{4}-\d\d-\d\d"),
    "YYYY-MM-DD with a time": re.compile(r"\d{4}-\d\d-\d\d[T ].*"),
    "MM/DD/YYYY": re.compile(r"\d\d/\d\d/\d{4}"),
    "MM/DD/YYYY with a time": re.compile(r"\d\d/\d\d/\d{4} .*"),
}


@dataclass(frozen=True)
class Fact:
    """An assumption about Pigment's API.

    Attributes:
        name: What it is about.
        expected: The observations that agree with it.
        observe: Returns what was observed; nothing if there was no occasion.
        others: The other observations that have a word.
    """

    name: str
    expected: tuple[str, ...]
    observe: Callable[[Evidence], Iterator[str]]
    others: tuple[str, ...] = ()

    def observations(self, evidence: Evidence) -> list[str]:
        """Return each observation once, those as expected first, and every other one only in known words."""
        words = (*self.expected, *self.others)
        seen = {
            each if each in words or _STATUS.fullmatch(each) else _SOMETHING_ELSE for each in self.observe(evidence)
        }
        return [*(word for word in words if word in seen), *sorted(seen.difference(words))]


# Transport


def _http_version(evidence: Evidence) -> Iterator[str]:
    if evidence.is_encrypted:
        yield from (exchange.http_version for exchange in evidence.exchanges)


def _body_end(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.EXPORT):
        if exchange.status == HTTPStatus.OK:
            yield _announced_end(exchange)


def _announced_end(exchange: Exchange) -> str:
    if "content-length" in exchange.headers:
        return "Content-Length"
    if exchange.headers.get("transfer-encoding", "").lower() == "chunked":
        return "chunks"
    return "HTTP/2 stream" if exchange.http_version == "HTTP/2" else "end of the connection"


def _compression(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.COMPRESSION):
        if exchange.status == HTTPStatus.OK:
            yield exchange.headers.get("content-encoding", "none").lower()


def _content_type(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.EXPORT):
        if exchange.status == HTTPStatus.OK:
            yield _media_type(exchange)


def _media_type(exchange: Exchange) -> str:
    message = Message()
    message["content-type"] = exchange.headers.get("content-type", "")
    return message.get_content_type() if "content-type" in exchange.headers else "none"


# Metadata


def _listing_form(exchange: Exchange, members: Collection[str]) -> Iterator[str]:
    if not isinstance(exchange.json, list):
        yield "not an array"
        return
    for each in exchange.json:
        names = each.keys() if isinstance(each, dict) else set()
        if any(not isinstance(each[name], str) for name in names & set(members)) or not names >= set(members):
            yield "members missing"
        elif not is_id(each["id"]):
            yield "ids of another form"
        elif names - set(members) - {"columns"}:
            yield "more members"
        else:
            yield "array"


def _applications(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.APPLICATIONS):
        yield from _listing_form(exchange, {"id", "name"})


def _blocks(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.BLOCKS):
        yield from _listing_form(exchange, {"id", "name", "type"})


def _block_types(evidence: Evidence) -> Iterator[str]:
    return (block.type for block in evidence.blocks)


def _block_columns(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.BLOCKS):
        for each in exchange.json if isinstance(exchange.json, list) else []:
            yield "columns" if isinstance(each, dict) and "columns" in each else "no columns"


# Errors


def _status(purpose: Purpose) -> Callable[[Evidence], Iterator[str]]:
    def observe(evidence: Evidence) -> Iterator[str]:
        statuses = (exchange.status for exchange in evidence.of(purpose))
        return (f"status {status}" for status in statuses if _is_about_the_request(status))

    return observe


def _is_about_the_request(status: int) -> bool:
    """Return whether a status is about the request, not about the quota or the server."""
    return status != HTTPStatus.TOO_MANY_REQUESTS and status < HTTPStatus.INTERNAL_SERVER_ERROR


def _missing_scope(evidence: Evidence) -> Iterator[str]:
    # A key that is accepted has both scopes.
    return (each for each in _status(Purpose.MISSING_SCOPE)(evidence) if each != "status 200")


def _export_status(evidence: Evidence) -> Iterator[str]:
    return (f"status {exchange.status}" for exchange in evidence.of(*_ALL_EXPORTS, Purpose.COMPRESSION))


def _error_bodies(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.exchanges:
        if exchange.status >= HTTPStatus.BAD_REQUEST:
            yield _body_kind(exchange)


def _body_kind(exchange: Exchange) -> str:
    if not exchange.body.strip():
        return "empty"
    if isinstance(exchange.json, dict) and {"title", "status"} <= exchange.json.keys():
        return "problem details"
    if exchange.json is not None:
        return "other JSON"
    return "HTML" if exchange.body.lstrip().startswith(b"<") else "text"


def _retry_after(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.exchanges:
        if exchange.status == HTTPStatus.TOO_MANY_REQUESTS:
            value = exchange.headers.get("retry-after")
            yield "absent" if value is None else "seconds" if value.isdecimal() else "date"


# The text of an export


def _encoding(evidence: Evidence) -> Iterator[str]:
    return ("UTF-8" if export.csv.is_utf_8 else "not UTF-8" for export in evidence.exports(*_ALL_EXPORTS))


def _bom(purpose: Purpose) -> Callable[[Evidence], Iterator[str]]:
    def observe(evidence: Evidence) -> Iterator[str]:
        return ("BOM" if export.csv.has_bom else "no BOM" for export in evidence.exports(purpose))

    return observe


def _delimiter(purpose: Purpose) -> Callable[[Evidence], Iterator[str]]:
    def observe(evidence: Evidence) -> Iterator[str]:
        delimiters = (export.csv.delimiter for export in evidence.exports(purpose))
        return (_DELIMITERS.get(delimiter, _SOMETHING_ELSE) for delimiter in delimiters if delimiter)

    return observe


def _final_line_end(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(*_ALL_EXPORTS):
        if export.is_whole:
            yield "line end" if export.csv.has_final_line_end else "no line end"


def _line_ends(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(*_ALL_EXPORTS):
        yield from (_LINE_ENDS[line_end] for line_end in export.csv.line_ends)


def _line_breaks(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(*_ALL_EXPORTS):
        for row in export.csv.rows:
            for field in row:
                yield from (_LINE_ENDS[line_break] for line_break in _LINE_END.findall(field.text))


def _quoting(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(*_ALL_EXPORTS):
        fields = [field for row in export.csv.rows for field in row]
        if export.csv.has_loose_quote:
            yield "a stray quote"
        elif any(field.is_quoted for field in fields):
            needless = any(field.is_quoted and not _NEEDS_QUOTES.search(field.text) for field in fields)
            everywhere = all(field.is_quoted for field in fields)
            yield "every cell" if everywhere else "more than needed" if needless else "where needed"


def _row_lengths(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(*_ALL_EXPORTS):
        for row in export.csv.rows:
            yield "equal" if len(row) == len(export.csv.header) else "unequal"


# Headers and columns


def _slug(name: str) -> str:
    """Return a name as technical headers hold it."""
    return re.sub("[^a-z0-9]", "_", name.lower())


def _is_named_for(header: str, name: str) -> bool:
    technical = _TECHNICAL.fullmatch(header)
    return technical is not None and technical[1] == _slug(name)


def _technical_headers(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.EXPORT):
        for header in export.csv.header:
            yield "slug and 6 characters" if _TECHNICAL.fullmatch(header) else "another form"


def _default_headers(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.DEFAULTS):
        yield "technical" if export.csv.header == evidence.usual_header(export.block) else "other"


def _friendly_headers(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.FRIENDLY):
        technical = evidence.usual_header(export.block)
        if len(technical) != len(export.csv.header):
            yield "other columns"
        else:
            yield "technical" if set(technical) & set(export.csv.header) else "display names"


def _property_names(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.PROPERTIES):
        if exchange.csv and exchange.probe.block and exchange.probe.body:
            requested = tuple(exchange.probe.body["propertyTechnicalNames"])
            header = exchange.csv.header
            properties = header[1:] if exchange.probe.block.type == "DimensionList" else header
            if properties == requested:
                yield "as requested"
            else:
                yield "another order" if sorted(properties) == sorted(requested) else "other columns"


def _property_order(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.EXPORT, types=_LISTS):
        is_item_first = export.block.type == "DimensionList" or _is_named_for(export.csv.header[0], export.block.name)
        properties = export.csv.header[1:] if is_item_first else export.csv.header
        if len(properties) > 1:
            yield _order(properties)


def _order(names: tuple[str, ...]) -> str:
    if list(names) == sorted(names):
        return "technical names, by code point"
    by_letters = sorted(names, key=lambda name: name.lower().replace("_", ""))
    return "technical names, by letters" if list(names) == by_letters else "another order"


def _first_column(block_type: str) -> Callable[[Evidence], Iterator[str]]:
    def observe(evidence: Evidence) -> Iterator[str]:
        for export in evidence.exports(Purpose.EXPORT, types=[block_type]):
            is_named_for_list = _is_named_for(export.csv.header[0], export.block.name)
            yield "named for the list" if is_named_for_list else "not named for the list"

    return observe


def _items(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.EXPORT, types=["DimensionList"]):
        items = [row[0].text for row in export.csv.rows]
        if items:
            yield "unique" if len(set(items)) == len(items) else "repeated"


def _metric_column(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.EXPORT, types=["Metric"]):
        yield _place_of_metric(export)


def _place_of_metric(export: Export) -> str:
    *others, last = (_is_named_for(header, export.block.name) for header in export.csv.header)
    if last:
        return "last"
    return "not last" if any(others) else "another name"


def _metric_blanks(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.EXPORT, types=["Metric"]):
        yield from ("no row" if row[-1].text else "a row" for row in export.csv.rows)


def _table_columns(evidence: Evidence) -> Iterator[str]:
    metrics = [block.name for block in evidence.blocks if block.type == "Metric"]
    for export in evidence.exports(Purpose.EXPORT, types=["Table"]):
        are_metrics = [any(_is_named_for(header, name) for name in metrics) for header in export.csv.header]
        if any(are_metrics):
            yield "dimensions, metrics" if are_metrics == sorted(are_metrics) else "another order"


def _scenario_place(evidence: Evidence) -> Iterator[str]:
    for exchange in evidence.of(Purpose.SCENARIO):
        if exchange.csv is None:
            yield f"status {exchange.status}"
    for export in evidence.exports(Purpose.SCENARIO):
        header = export.csv.header
        places = [place for place, name in enumerate(header) if name not in evidence.usual_header(export.block)]
        words = {len(header) - 1: "last", len(header) - 2: "before the value", 0: "first"}
        if evidence.usual_header(export.block):
            yield words.get(places[0], "between dimensions") if len(places) == 1 else "no single column"


def _scenario_header(evidence: Evidence) -> Iterator[str]:
    for export in evidence.exports(Purpose.SCENARIO):
        usual = evidence.usual_header(export.block)
        for header in export.csv.header if usual else ():
            if header not in usual:
                technical = _TECHNICAL.fullmatch(header)
                if technical:
                    yield "scenario and 6 characters" if technical[1] == "scenario" else "technical, another slug"
                else:
                    yield "Scenario" if header == "Scenario" else "not technical"


# Cells


def _columns(evidence: Evidence) -> Iterator[list[str]]:
    for export in evidence.exports(*_ALL_EXPORTS):
        yield from export.csv.columns


def _booleans(evidence: Evidence) -> Iterator[str]:
    for cells in _columns(evidence):
        if {cell.lower() for cell in cells} <= {"true", "false"}:
            yield "TRUE, FALSE" if set(cells) <= {"TRUE", "FALSE"} else "another case"


def _dates(evidence: Evidence) -> Iterator[str]:
    for cells in _columns(evidence):
        for form, pattern in _DATES.items():
            if all(map(pattern.fullmatch, cells)):
                yield form


def _decimals(evidence: Evidence) -> Iterator[str]:
    for cells in _number_columns(evidence):
        for cell in cells:
            yield from ({".": "dot", ",": "comma"}[character] for character in cell if character in ".,")


def _exponents(evidence: Evidence) -> Iterator[str]:
    for cells in _number_columns(evidence):
        for number in map(_NUMBER.fullmatch, cells):
            if number and number[1]:
                yield "e" if number[1] == "e" else "E with a sign" if number[2] else "E without a sign"


def _number_columns(evidence: Evidence) -> Iterator[list[str]]:
    return (cells for cells in _columns(evidence) if all(map(_NUMBER.fullmatch, cells)))


FACTS: Final = (
    Fact("HTTP version", ("HTTP/2",), _http_version, ("HTTP/1.1", "HTTP/1.0")),
    Fact(
        "end of an export's body", ("HTTP/2 stream", "chunks"), _body_end, ("Content-Length", "end of the connection")
    ),
    Fact("compression of exports", ("none", "gzip"), _compression, ("br", "deflate")),
    Fact("Content-Type of exports", ("text/csv",), _content_type, ("text/plain", "application/octet-stream", "none")),
    Fact("status of exports", ("status 200",), _export_status),
    Fact("listing of applications", ("array",), _applications, _OTHER_LISTINGS),
    Fact("listing of blocks", ("array",), _blocks, _OTHER_LISTINGS),
    Fact("types of blocks", BLOCK_TYPES, _block_types),
    Fact("columns in the listing of blocks", ("no columns",), _block_columns, ("columns",)),
    Fact("block that does not exist", ("status 404",), _status(Purpose.FOREIGN_BLOCK)),
    Fact("key without the scope", ("status 403",), _missing_scope),
    Fact("unknown member in a request", ("status 400",), _status(Purpose.UNKNOWN_MEMBER)),
    Fact("bodies of errors", ("problem details",), _error_bodies, ("other JSON", "text", "HTML", "empty")),
    Fact("Retry-After with status 429", ("absent",), _retry_after, ("seconds", "date")),
    Fact("encoding", ("UTF-8",), _encoding, ("not UTF-8",)),
    Fact("BOM by default", ("BOM",), _bom(Purpose.DEFAULTS), ("no BOM",)),
    Fact("BOM when declined", ("no BOM",), _bom(Purpose.EXPORT), ("BOM",)),
    Fact("delimiter by default", ("semicolon",), _delimiter(Purpose.DEFAULTS), ("comma", "tab")),
    Fact("delimiter when requested", ("semicolon",), _delimiter(Purpose.EXPORT), ("comma", "tab")),
    Fact("end of an export's last row", ("line end",), _final_line_end, ("no line end",)),
    Fact("line ends", ("CRLF",), _line_ends, ("LF", "CR")),
    Fact("line breaks in cells", ("CRLF", "LF"), _line_breaks, ("CR",)),
    Fact("quoting", ("where needed", "more than needed", "every cell"), _quoting, ("a stray quote",)),
    Fact("lengths of rows", ("equal",), _row_lengths, ("unequal",)),
    Fact("technical headers", ("slug and 6 characters",), _technical_headers, ("another form",)),
    Fact("headers by default", ("technical",), _default_headers, ("other",)),
    Fact("headers with friendlyHeaders", ("display names",), _friendly_headers, ("technical", "other columns")),
    Fact("columns with propertyTechnicalNames", ("as requested",), _property_names, ("another order", "other columns")),
    Fact(
        "order of properties",
        ("technical names, by code point",),
        _property_order,
        ("technical names, by letters", "another order"),
    ),
    Fact(
        "first column of dimension lists",
        ("named for the list",),
        _first_column("DimensionList"),
        ("not named for the list",),
    ),
    Fact(
        "first column of transaction lists",
        ("not named for the list",),
        _first_column("TransactionList"),
        ("named for the list",),
    ),
    Fact("items of dimension lists", ("unique",), _items, ("repeated",)),
    Fact("value column of metrics", ("last",), _metric_column, ("not last", "another name")),
    Fact("blank values of metrics", ("no row",), _metric_blanks, ("a row",)),
    Fact("columns of tables", ("dimensions, metrics",), _table_columns, ("another order",)),
    Fact(
        "place of the scenario column",
        ("first",),
        _scenario_place,
        ("before the value", "last", "between dimensions", "no single column"),
    ),
    Fact(
        "header of the scenario column",
        ("scenario and 6 characters",),
        _scenario_header,
        ("technical, another slug", "Scenario", "not technical"),
    ),
    Fact("booleans", ("TRUE, FALSE",), _booleans, ("another case",)),
    Fact("dates", ("YYYY-MM-DD",), _dates, tuple(_DATES)[1:]),
    Fact("decimal separator", ("dot",), _decimals, ("comma",)),
    Fact("exponents", ("E with a sign",), _exponents, ("e", "E without a sign")),
)
