"""Tests of tap-pigment, against real parts."""
