"""A small Pigment on localhost, with demo data."""
