"""The fault matrix: what becomes of a run when Pigment, or the way to it, fails. Run as `python -m tests.faults`."""
