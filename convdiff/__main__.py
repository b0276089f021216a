"""The `convdiff` program; `python -m convdiff` is the same."""

from __future__ import annotations

from convdiff.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
