"""Summation orders of convolution outputs: revealed by probes, replayed bit for bit, described."""
