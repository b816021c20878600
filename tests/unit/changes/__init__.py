"""Tests of the package changes."""
