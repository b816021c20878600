"""Tests of the package columns."""
