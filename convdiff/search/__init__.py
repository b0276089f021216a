"""Loops over the trip: the smallest case that still shows it."""
