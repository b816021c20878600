"""What the tap costs, in time and memory, beside other ways of fetching the same export: see `__main__`."""
