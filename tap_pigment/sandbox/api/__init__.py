"""The sandbox's REST API over a workspace in memory, and the classes that describe a workspace."""

import importlib
from typing import TYPE_CHECKING

from tap_pigment.sandbox.api.model import (
    ApiKey,
    Application,
    Block,
    Column,
    ColumnType,
    DeclaredColumn,
    DimensionList,
    Metric,
    Row,
    Scenario,
    Scope,
    Table,
    TransactionList,
    Value,
    View,
    ViewType,
    Workspace,
    item_id,
    technical_name,
)

__all__ = [
    "ApiKey",
    "Application",
    "Block",
    "Column",
    "ColumnType",
    "DeclaredColumn",
    "DimensionList",
    "HypercornApp",
    "Metric",
    "Row",
    "Scenario",
    "Scope",
    "Table",
    "TransactionList",
    "Value",
    "View",
    "ViewType",
    "Workspace",
    "item_id",
    "pigment_app",
    "technical_name",
]

# These modules import packages of the extra `sandbox`. They are imported on first use, so that the workspace classes
# and the command line's help work without the extra.
_MODULES_NEEDING_THE_EXTRA = {
    "HypercornApp": "tap_pigment.sandbox.api.asgi",
    "pigment_app": "tap_pigment.sandbox.api.app",
}

if TYPE_CHECKING:
    from tap_pigment.sandbox.api.app import pigment_app
    from tap_pigment.sandbox.api.asgi import HypercornApp
else:  # Hidden from type checkers, which would otherwise accept any name.

    def __getattr__(name: str) -> object:
        """Import the module of a name on its first use."""
        if name not in _MODULES_NEEDING_THE_EXTRA:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_MODULES_NEEDING_THE_EXTRA[name]), name)
