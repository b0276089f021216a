"""Why does the same convolution give different bits? Observe, compare, diagnose, with proof."""

__version__ = "0.1.0"
