"""The structure of the package: which module may import which, and who may use the network, DuckDB and stdout."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import tap_pigment
from tests.support.doc_pages import PAGES, code_blocks

ROOT = Path(tap_pigment.__file__).parent

# Each part imports only parts of lines above its own; a sub-package is one part. The sandbox is not among them.
LAYERS = [
    {"redaction"},
    {"errors"},
    {"input_files", "installation"},
    {"columns"},
    {"settings"},
    {"pigment"},
    {"exports"},
    {"catalog"},
    {"output"},
    {"changes"},
    {"connection_test", "pagination", "run_report", "stream_failures"},
    {"live_display", "run_context"},
    {"pigment_stream"},
    {"cli", "streams"},
    {"metadata_streams"},
    {"tap"},
    {"__main__"},
]
NETWORK = {"aiohttp", "h2", "http", "httpcore2", "httpx", "httpx2", "requests", "socket", "ssl", "urllib3"}
STDOUT = {"click.echo", "click.secho", "print", "sys.__stdout__", "sys.stdout"}


class Import(NamedTuple):
    """One imported name.

    Attributes:
        module: What stands behind `from`, or behind `import`.
        name: The imported name; empty for `import module`.
        is_for_types: Whether it is imported for type checkers only.
    """

    module: str
    name: str
    is_for_types: bool

    @property
    def target(self) -> str:
        """The module that is imported: a submodule if the name is one."""
        full_name = f"{self.module}.{self.name}"
        return full_name if full_name in MODULES else self.module


def module_name(path: Path) -> str:
    """Return the full name of a module; that of a package stands for its `__init__.py`."""
    parts = (ROOT.name, *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def is_type_checking(node: ast.AST) -> bool:
    """Return whether a node is a block for type checkers only."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def imports_of(tree: ast.Module) -> list[Import]:
    """Return everything that a module imports, wherever in it."""
    for_types = {inner for node in ast.walk(tree) if is_type_checking(node) for inner in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, "", node in for_types) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            found += [Import(source, alias.name, node in for_types) for alias in node.names]
    return found


MODULES = {module_name(path): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}
PACKAGES = {module_name(path) for path in ROOT.rglob("__init__.py")} - {ROOT.name}
IMPORTS = {module: imports_of(tree) for module, tree in MODULES.items()}
SANDBOX = [module for module in MODULES if module.startswith("tap_pigment.sandbox")]
TAP = [module for module in MODULES if module not in SANDBOX]
LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def is_ours(name: str) -> bool:
    """Return whether a module belongs to this package."""
    return name.split(".", maxsplit=1)[0] == ROOT.name


def part_of(module: str) -> str:
    """Return the part of the tap that a module belongs to."""
    return module.split(".")[1]


def our_imports(module: str) -> list[Import]:
    """Return what a module imports of this package."""
    return [found for found in IMPORTS[module] if is_ours(found.module)]


def importers(package: str, *, at_run_time: bool) -> set[str]:
    """Return the modules of the tap that import a package of others: at run time only, or for types too."""
    return {
        module
        for module in TAP
        for found in IMPORTS[module]
        if found.module.split(".")[0] == package and not (at_run_time and found.is_for_types)
    }


def names_used(module: str) -> set[str]:
    """Return the names and attributes that a module uses, such as `sys.stdout`."""
    return {ast.unparse(node) for node in ast.walk(MODULES[module]) if isinstance(node, ast.Name | ast.Attribute)}


# Imports


def test_every_module_of_the_tap_belongs_to_a_layer() -> None:
    parts = {part_of(module) for module in TAP if module != ROOT.name}

    assert parts == LEVELS.keys()
    assert sum(map(len, LAYERS)) == len(LEVELS)


@pytest.mark.parametrize("module", [module for module in TAP if module != ROOT.name])
def test_a_module_imports_only_lower_layers(module: str) -> None:
    own = part_of(module)

    others = {part_of(found.target) for found in our_imports(module)} - {own}

    assert {part for part in others if LEVELS[part] >= LEVELS[own]} == set()


def test_the_package_itself_imports_nothing_of_the_tap() -> None:
    assert our_imports(ROOT.name) == []


@pytest.mark.parametrize("module", TAP)
def test_a_package_is_imported_through_its_face(module: str) -> None:
    faces = {package: set(_exported(package)) for package in PACKAGES}
    own = module if module in PACKAGES else module.rpartition(".")[0]

    for found in our_imports(module):
        package = ".".join(found.module.split(".")[:2])
        if package in PACKAGES and package != own:
            assert found.module == package, f"import {found.name} from {package}"
            assert found.name in faces[package], f"{found.name} is not in __all__ of {package}"


def _exported(package: str) -> list[str]:
    """Return `__all__` of a package, or nothing if it has none."""
    for node in MODULES[package].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def test_a_module_imports_its_own_package_by_module() -> None:
    through_own_face = {
        module
        for module in TAP
        for found in our_imports(module)
        if found.target in PACKAGES and module.startswith(f"{found.target}.")
    }

    assert through_own_face == set()


def test_every_import_of_ours_is_absolute_and_by_name() -> None:
    others = {
        (module, found)
        for module in MODULES
        for found in IMPORTS[module]
        if found.module.startswith(".") or (is_ours(found.module) and not found.name)
    }

    assert others == set()


def test_no_modules_import_each_other_in_a_circle_at_run_time() -> None:
    arrows = {module: {found.target for found in our_imports(module) if not found.is_for_types} for module in MODULES}

    order = list(TopologicalSorter(arrows).static_order())

    assert order.index("tap_pigment.errors") < order.index("tap_pigment.columns") < order.index("tap_pigment.tap")


@pytest.mark.parametrize("module", SANDBOX)
def test_the_sandbox_imports_nothing_of_the_tap(module: str) -> None:
    assert {part_of(found.target) for found in our_imports(module)} <= {"sandbox"}


def arrows() -> set[tuple[str, str]]:
    """Return which part imports which."""
    found = {
        (part_of(module), part_of(imported.target))
        for module in TAP
        if module != ROOT.name
        for imported in our_imports(module)
    }
    return {(importer, imported) for importer, imported in found if importer != imported}


def test_the_drawing_of_the_architecture_is_that_of_the_code() -> None:
    [drawing] = code_blocks(PAGES["docs/architecture.md"], "mermaid")
    imports = {part: {imported for importer, imported in arrows() if importer == part} for part in LEVELS}
    reachable: dict[str, set[str]] = {}
    for part in TopologicalSorter(imports).static_order():
        reachable[part] = imports[part].union(*(reachable[imported] for imported in imports[part]))
    direct = {
        (importer, imported)
        for importer, imported in arrows()
        if not any(imported in reachable[other] for other in imports[importer] - {imported})
    }

    parts = dict(re.findall(r'^    (\w+)\["(.+)"\]$', drawing, flags=re.MULTILINE))

    assert parts == {part: f"{part}/" if (ROOT / part).is_dir() else f"{part}.py" for part in (*LEVELS, "sandbox")}
    assert set(re.findall(r"^    (\w+) --> (\w+)$", drawing, flags=re.MULTILINE)) == direct


# The network, DuckDB and stdout


@pytest.mark.parametrize("package", sorted(NETWORK))
def test_only_pigment_uses_the_network(package: str) -> None:
    assert {part_of(module) for module in importers(package, at_run_time=True)} <= {"pigment"}


def test_others_import_only_the_response_of_requests_and_only_for_types() -> None:
    found = {
        (part_of(module), found.module, found.name)
        for module in TAP
        if module != ROOT.name and part_of(module) != "pigment"
        for found in IMPORTS[module]
        if found.module.split(".")[0] in NETWORK
    }

    assert found == {("exports", "requests", "Response"), ("pagination", "requests", "Response")}


def test_only_the_client_opens_a_session() -> None:
    users = {module for module in TAP if names_used(module) & {"requests.Session", "Session"}}

    assert users == {"tap_pigment.pigment.client"}


def test_only_duckdb_session_imports_duckdb() -> None:
    assert importers("duckdb", at_run_time=False) == {"tap_pigment.exports.duckdb_session"}


@pytest.mark.parametrize("module", TAP)
def test_stdout_is_left_to_the_message_writer(module: str) -> None:
    # What the command line echoes is for people: no messages are written in the same run. The display asks what it is.
    allowed = {
        "tap_pigment.output.message_writer": {"sys.stdout"},
        "tap_pigment.output.stdout": {"sys.__stdout__", "sys.stdout"},
        "tap_pigment.live_display": {"sys.stdout"},
        "tap_pigment.cli": {"click.echo"},
    }

    assert names_used(module) & STDOUT == allowed.get(module, set())
    assert not {(found.module, found.name) for found in IMPORTS[module]} & {
        tuple(name.rsplit(".", 1)) for name in STDOUT if "." in name
    }


# Messages and documentation


def test_activate_version_is_written_in_one_place_after_the_records() -> None:
    calls = [
        (module, function.name)
        for module in TAP
        for function in ast.walk(MODULES[module])
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Attribute) and call.attr == "_write_activate_version_message"
    ]

    assert calls == [("tap_pigment.pigment_stream", "_write_activation_and_state")]
    for module, emits in (("tap_pigment.streams", "_emit"), ("tap_pigment.metadata_streams", "_count_records")):
        lines = [
            [node.lineno for node in ast.walk(MODULES[module]) if isinstance(node, ast.Attribute) and node.attr == name]
            for name in (emits, "_write_activation_and_state")
        ]
        ((emit,), (end,)) = lines
        assert emit < end


def test_no_activate_version_message_is_made_by_hand() -> None:
    makers = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "ActivateVersionMessage")
        or (isinstance(node, ast.Constant) and node.value == "ACTIVATE_VERSION")
    }

    assert makers == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_starts_with_its_job_in_one_line(module: str) -> None:
    docstring = ast.get_docstring(MODULES[module])

    assert docstring, f"{module} has no docstring"
    first, *rest = docstring.splitlines()
    assert first.endswith(".")
    assert rest[:1] in ([], [""])
