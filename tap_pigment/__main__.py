"""The entry point of `tap-pigment` and of `python -m tap_pigment`."""

import gc
import signal
import sys

from tap_pigment.installation import broken_package, import_problem


def main() -> None:
    """Run the command line."""
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


if __name__ == "__main__":
    main()
