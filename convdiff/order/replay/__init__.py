"""Evaluating a summation order in NumPy: a proof where it gives the observed bits."""
