"""Run the tap as a module."""

from tap_pigment.tap import TapPigment

TapPigment.cli()
