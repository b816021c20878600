"""The entry point of `tap-pigment` and of `python -m tap_pigment`."""

from __future__ import annotations

import gc
import signal
import sys
from typing import TYPE_CHECKING

from tap_pigment.installation import broken_package, import_problem

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def main() -> None:
    """Run the command line."""
    sys.unraisablehook = _report_unless_exit
    # Until the tap handles signals: Python's own handler ends in a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Modules are never garbage, and searching them for it takes a sixth of the time of start and exit.
    gc.disable()
    try:
        from tap_pigment.tap import TapPigment  # noqa: PLC0415 - see above.

        problem = broken_package()
    except (ImportError, AttributeError) as error:
        problem = import_problem(error)
        if problem is None:
            raise
    if problem:
        sys.exit(problem)
    gc.freeze()
    gc.enable()
    TapPigment.cli()


def _report_unless_exit(lost: UnraisableHookArgs) -> None:
    """Report an error that Python cannot raise, unless it is the exit of a signal: the tap raises that once more."""
    if not issubclass(lost.exc_type, SystemExit):
        sys.__unraisablehook__(lost)


if __name__ == "__main__":
    main()
