"""Nets, run whole in the framework under test: a table of layers for each."""
