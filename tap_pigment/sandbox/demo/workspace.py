"""The demo workspace: two applications of a company, and three API keys."""

from typing import Final

from tap_pigment.sandbox.api import ApiKey, Application, Scenario, Scope, View, ViewType, Workspace
from tap_pigment.sandbox.demo import large_blocks
from tap_pigment.sandbox.demo.lists import (
    ACCOUNTS,
    COUNTRIES,
    CURRENCIES,
    DEPARTMENTS,
    FORMER_DEPARTMENTS,
    MONTHS,
    PROJECTS,
    SKILLS,
    VERSIONS,
    demo_id,
)

DEMO_KEY: Final = "pgmt_SandboxKeyThatMayExportAndListMetadata00000001"
DEMO_EXPORT_KEY: Final = "pgmt_SandboxKeyThatMayExportOnly0000000000000000002"
DEMO_METADATA_KEY: Final = "pgmt_SandboxKeyThatMayListMetadataOnly0000000000003"
DEMO_APPLICATION_ID: Final = "0f0e1d2c-3b4a-4958-8776-655443322110"
DEMO_HR_APPLICATION_ID: Final = "0f0e1d2c-3b4a-4958-8776-655443322111"
DEMO_ROWS: Final = 3000


def demo_workspace(rows: int = DEMO_ROWS, seed: int = 1) -> Workspace:
    """Return a workspace with this number of GL transactions; employees, tables and metrics grow with it."""
    transactions = large_blocks.gl_transactions(rows, seed)
    pnl, pnl_metrics = large_blocks.pnl(max(240, rows // 2), seed)
    headcount, headcount_metrics = large_blocks.headcount(max(120, rows // 5), seed)
    planning = Application(
        id=DEMO_APPLICATION_ID,
        name="FP&A",
        blocks=(
            *(COUNTRIES, CURRENCIES, DEPARTMENTS, FORMER_DEPARTMENTS),
            large_blocks.employees(max(40, rows // 40), seed),
            *(ACCOUNTS, MONTHS, VERSIONS, PROJECTS),
            *(transactions, pnl, headcount),
            *(*pnl_metrics, *headcount_metrics, *large_blocks.standalone_metrics(seed)),
        ),
        views=(
            View(
                id=demo_id("view Board pack"),
                name="Board pack",
                block_id=pnl.id,
                row_filter=lambda row: row[4] == "Actual",
            ),
            View(
                id=demo_id("view Paris scratchpad"),
                name="Paris scratchpad",
                block_id=headcount.id,
                type=ViewType.PERSONAL,
                row_filter=lambda row: row[1] == "France",
            ),
            View(
                id=demo_id("view All journals"),
                name="All journals",
                block_id=transactions.id,
                row_limit=1000,
            ),
            View(id=demo_id("view Open projects"), name="Open projects", block_id=PROJECTS.id),
        ),
        scenarios=(
            Scenario(demo_id("scenario Base"), "Base"),
            Scenario(demo_id("scenario Downside"), "Downside"),
        ),
    )
    hr = Application(id=DEMO_HR_APPLICATION_ID, name="HR", blocks=(DEPARTMENTS, SKILLS))
    return Workspace(
        applications=(planning, hr),
        keys=(
            ApiKey(DEMO_KEY),
            ApiKey(DEMO_EXPORT_KEY, frozenset({Scope.EXPORT})),
            ApiKey(DEMO_METADATA_KEY, frozenset({Scope.MODELING_METADATA})),
        ),
    )
