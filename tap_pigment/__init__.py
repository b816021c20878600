"""Singer tap for Pigment."""
