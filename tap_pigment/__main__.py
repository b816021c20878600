"""Run the tap: what `tap-pigment` and `python -m tap_pigment` do."""

import gc


def main() -> None:
    """Run the command line."""
    # Nothing that is imported is ever garbage: looking for some among it takes a sixth of the time that starting and
    # ending takes.
    gc.disable()
    from tap_pigment.tap import TapPigment  # noqa: PLC0415 - see above.

    gc.freeze()
    gc.enable()
    TapPigment.cli()


if __name__ == "__main__":
    main()
