"""Observations and where they are kept."""
