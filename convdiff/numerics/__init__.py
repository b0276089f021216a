"""Floats, ulps, fused multiply-add and rounding to other formats."""
