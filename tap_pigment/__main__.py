"""The entry point of `tap-pigment` and of `python -m tap_pigment`."""

import gc


def main() -> None:
    """Run the command line."""
    # Modules are never garbage, and searching them for it takes a sixth of the time of start and exit.
    gc.disable()
    from tap_pigment.tap import TapPigment  # noqa: PLC0415 - see above.

    gc.freeze()
    gc.enable()
    TapPigment.cli()


if __name__ == "__main__":
    main()
