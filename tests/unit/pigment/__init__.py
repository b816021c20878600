"""Tests of the package pigment."""
