"""The demo workspace: a company's lists, ledger and plans, generated from a seed."""

from tap_pigment.sandbox.demo.workspace import (
    DEMO_APPLICATION_ID,
    DEMO_EXPORT_KEY,
    DEMO_HR_APPLICATION_ID,
    DEMO_KEY,
    DEMO_METADATA_KEY,
    DEMO_ROWS,
    demo_workspace,
)

__all__ = [
    "DEMO_APPLICATION_ID",
    "DEMO_EXPORT_KEY",
    "DEMO_HR_APPLICATION_ID",
    "DEMO_KEY",
    "DEMO_METADATA_KEY",
    "DEMO_ROWS",
    "demo_workspace",
]
