"""Tests of the sandbox over HTTP/1.1 and HTTP/2."""
