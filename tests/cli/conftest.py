"""What the command line's tests share."""

from program import bare_python

__all__ = ["bare_python"]
