"""Nets: what their outputs see, where two sides part, and how far an input must be padded."""
