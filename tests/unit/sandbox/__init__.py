"""Unit tests of the sandbox, without a server."""
