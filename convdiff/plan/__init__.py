"""Cells, the pairs that are compared, and the axes along which they differ."""
