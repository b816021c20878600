"""Tests of the whole tap against servers on localhost."""
