"""The fault matrix: how a run ends when Pigment or the network fails. Run as `python -m tests.faults`."""
