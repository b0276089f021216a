"""A summation order as a tree: its notation, its loops, its description."""
