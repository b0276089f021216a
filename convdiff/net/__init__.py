"""Nets: layers in a graph, from a case's `layers:` or from a model file."""
