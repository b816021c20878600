"""Unit tests of the action `verify` of the sandbox."""
