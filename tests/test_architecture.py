"""Which module may import which: the drawn tree of the house, so that a new arrow is a visible change."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tap_pigment

HOUSE = Path(tap_pigment.__file__).parent
MODULES = {path.stem: ast.parse(path.read_text("utf-8")) for path in sorted(HOUSE.glob("*.py"))}
SANDBOX = {path.name: ast.parse(path.read_text("utf-8")) for path in sorted(HOUSE.glob("sandbox/*.py"))}

# What each module imports of ours, for running or for types only. Arrows go towards modules that know less.
ALLOWED = {
    "__init__": "",
    "__main__": "tap",
    "ahead": "",
    "batches": "errors outlet",
    "body": "errors failures protocol transport",
    "bookmark": "",
    "catalog": "columns discovery errors listing naming protocol schema settings",
    "changes": "columns difference export former identities makeup noted picking sql",
    "check": "client errors failures listing protocol settings",
    "client": "body errors failures folder pacing protocol retry sample schema settings spool transport",
    "columns": "errors naming",
    "command": "errors failures outcome",
    "connection": "",
    "csv_rows": "shape",
    "deletions": "columns difference engine lines naming sql values",
    "delivery": "bookmark deletions outlet",
    "difference": "",
    "digest": "columns export makeup sql",
    "discovery": "client columns errors export listing naming protocol settings",
    "dispatch": "bookmark columns delivery digest export guard makeup outlet rowwise schema settings snapshots spool",
    "engine": "errors",
    "errors": "",
    "export": "columns errors spool sql table",
    "failures": "errors protocol",
    "folder": "errors",
    "former": "engine errors makeup sql",
    "guard": "errors",
    "identities": "difference export naming noted sql",
    "lines": "naming",
    "listing": "client errors naming protocol settings",
    "makeup": "columns",
    "naming": "",
    "noted": "columns engine export makeup readers sql",
    "outcome": "errors schema",
    "outlet": "columns difference export lines naming sql values",
    "picking": "columns export naming noted sql",
    "pacing": "failures settings tally",
    "parts": "shape",
    "protocol": "errors",
    "pruning": "bookmark snapshots",
    "readers": "shape sql",
    "retry": "body errors failures pacing protocol settings",
    "rowwise": (
        "bookmark changes columns deletions delivery difference dispatch errors export former guard outlet snapshots"
    ),
    "sample": "body csv_rows errors failures folder protocol shape spool",
    "schema": "",
    "settings": "naming schema",
    "shape": "",
    "snapshots": "errors",
    "spool": "body csv_rows errors failures folder protocol shape",
    "sql": "columns naming",
    "streams": (
        "batches body bookmark catalog client columns delivery dispatch engine errors makeup naming outcome "
        "protocol schema settings spool tap writer"
    ),
    "table": "csv_rows engine errors parts readers shape spool sql",
    "tally": "",
    "tap": (
        "ahead catalog check client command discovery errors failures listing outcome pruning schema settings "
        "snapshots spool streams writer"
    ),
    "transport": "connection",
    "values": "columns sql",
    "writer": "",
}

# `client` talks to Pigment, over `transport`; `retry` knows what can break; the others name a request or a response.
IMPORT_REQUESTS = {"client", "retry", "transport"}
IMPORT_REQUESTS_FOR_TYPES = {"body", "connection", "sample", "spool", "streams", "tally"}


def imported(tree: ast.Module, *, for_types: bool = True) -> set[str]:
    """Return the full names of what a module imports; for types too, or only for running."""
    ignored: set[ast.AST] = set()
    if not for_types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                ignored.update(ast.walk(node))
    names = set()
    for node in ast.walk(tree):
        if node in ignored:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def ours(tree: ast.Module, *, for_types: bool = True) -> set[str]:
    """Return the modules of ours that a module imports."""
    names = imported(tree, for_types=for_types)
    return {name.split(".")[1] for name in names if name.startswith("tap_pigment.")}


def importers(package: str, *, for_types: bool = True) -> set[str]:
    """Return the modules that import a package of others."""
    return {
        module
        for module, tree in MODULES.items()
        if any(name.split(".")[0] == package for name in imported(tree, for_types=for_types))
    }


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_the_table_says(module: str) -> None:
    found = ours(MODULES[module])

    assert module in ALLOWED, f"{module}.py is new: give it a row in ALLOWED, in {Path(__file__).name}."
    assert found == set(ALLOWED[module].split()), (
        f"The imports of {module}.py have changed. If that is meant, change its row in ALLOWED ({Path(__file__).name})."
    )


def test_every_row_of_the_table_is_a_module() -> None:
    assert ALLOWED.keys() == MODULES.keys()


def test_no_imports_go_round_in_circles() -> None:
    arrows = {module: ours(tree, for_types=False) for module, tree in MODULES.items()}

    order = list(TopologicalSorter(arrows).static_order())

    assert order.index("errors") < order.index("protocol") < order.index("client") < order.index("tap")


@pytest.mark.parametrize("file", SANDBOX)
def test_the_sandbox_imports_nothing_of_the_tap(file: str) -> None:
    assert ours(SANDBOX[file]) <= {"sandbox"}


def test_only_the_client_talks_over_the_network() -> None:
    assert importers("requests", for_types=False) == IMPORT_REQUESTS
    assert importers("requests") == IMPORT_REQUESTS | IMPORT_REQUESTS_FOR_TYPES


@pytest.mark.parametrize("package", ["http", "httpx", "httpx2", "socket", "urllib3"])
def test_nothing_else_opens_connections(package: str) -> None:
    # For the names of statuses, and of what breaks.
    carriers = {"connection", "transport"}
    allowed = {"http": {"failures"}, "httpx2": carriers, "socket": {"connection"}, "urllib3": {"retry", "transport"}}
    assert importers(package) <= allowed.get(package, set())


def test_only_the_engine_asks_duckdb() -> None:
    assert importers("duckdb", for_types=False) == {"engine"}


@pytest.mark.parametrize("module", [module for module in MODULES if module != "writer"])
def test_standard_output_is_left_to_singer(module: str) -> None:
    # What `--check` writes is for people; it writes no messages.
    allowed = {"click.echo"} if module == "tap" else set()

    used = {ast.unparse(node) for node in ast.walk(MODULES[module]) if isinstance(node, ast.Name | ast.Attribute)}

    assert used & {"click.echo", "print", "sys.stdout", "sys.__stdout__"} == allowed


@pytest.mark.parametrize(("file", "tree"), [*MODULES.items(), *SANDBOX.items()], ids=[*MODULES, *SANDBOX])
def test_a_module_begins_with_its_job_in_one_line(file: str, tree: ast.Module) -> None:
    docstring = ast.get_docstring(tree)

    assert docstring, f"{file} does not say what it is for"
    first, *rest = docstring.splitlines()
    assert first.endswith(".")
    assert rest[:1] in ([], [""])
