"""The recipes for stream maps keep types and values in the tables of target-postgres."""

from __future__ import annotations

import re
import uuid
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tap_pigment.sandbox.server import serving
from tests.support.pigment import Pigment
from tests.targets.databases import Postgres
from tests.targets.environments import ROOT
from tests.targets.pipeline import run_pipeline
from tests.targets.target_runs import TargetRuns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.targets.served_sandbox import ServedSandbox

RATES = (
    "Code;tax rate (%);valid from;is final;2026 days;amount\r\n"
    "A;19.5;2026-01-31;TRUE;1234567890;12345678901234567.89\r\nB;;;;;\r\n"
)


@pytest.fixture
def postgres(postgres_url: str) -> Postgres:
    """Return an empty schema."""
    return Postgres(postgres_url, f"test_{uuid.uuid4().hex}")


def recipe_in_project_file() -> Mapping[str, Any]:
    """Return the stream maps in the comments of meltano.yml."""
    [lines] = re.findall(
        r"^# +config:\n(# +stream_maps:\n(?:# .+\n?)+)", (ROOT / "meltano.yml").read_text("utf-8"), re.MULTILINE
    )
    return read_yaml(re.sub("^# ", "", lines, flags=re.MULTILINE))


def recipe_in_docs() -> Mapping[str, Any]:
    """Return the stream maps of docs/streams.md."""
    blocks = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs/streams.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    [block] = [block for block in blocks if "stream_maps:" in block]
    return read_yaml(block)


def read_yaml(text: str) -> Mapping[str, Any]:
    """Return the stream maps in a text."""
    recipe: Mapping[str, Any] = yaml.safe_load(text)["stream_maps"]
    return recipe


def test_recipe_of_the_project_file_keeps_types(demo: ServedSandbox, postgres: Postgres, tmp_path: Path) -> None:
    config = {**demo.config, "include": ["Employees"], "stream_maps": recipe_in_project_file()}

    run_pipeline(config, postgres.command, postgres.config, tmp_path)

    export = demo.export("Employees")
    full_time, salary, hired, email = (
        export.header.index(name)
        for name in ("full_time_TPE1E0", "yearly_salary_ZPYUTT", "hired_on_U20OMI", "email_58FFRE")
    )
    types = postgres.types("people")
    assert (types["salary"], types["hired_in"], types["hired_on_U20OMI"]) == ("numeric", "bigint", "date")
    assert {export.header[salary], export.header[email]}.isdisjoint(types)
    assert sorted(postgres.rows("people", ["hired_in", "salary"]).elements()) == sorted(
        (int(row[hired][:4]), Decimal(row[salary])) for row in export.rows if row[full_time] == "TRUE"
    )


def test_recipe_of_the_docs_keeps_types_of_names_that_are_no_identifiers(postgres: Postgres, tmp_path: Path) -> None:
    app = Pigment()
    app.add_list("Rates", RATES)
    settings = {
        "stream_maps": recipe_in_docs(),
        "stream_overrides": {"rates": {"types": {"2026 days": "integer"}}},
    }

    with serving(app) as server:
        app.url = server.url
        code = TargetRuns(app, postgres.command, postgres.config, tmp_path, settings).run()

    names = ["tax_rate", "valid_from", "is_final", "days", "plan"]
    types = postgres.types("rates")
    assert code == 0
    assert [types[name] for name in names] == ["numeric", "date", "boolean", "bigint", "numeric"]
    assert {"tax rate (%)", "valid from", "amount"}.isdisjoint(types)
    assert postgres.rows("rates", names) == {
        (Decimal("19.5"), date(2026, 1, 31), True, 1234567890, Decimal("12345678901234567.89")): 1,
        (None, None, None, None, None): 1,
    }
