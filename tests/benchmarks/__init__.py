"""Time and memory of the tap, beside other ways to download the same exports: see `__main__`."""
