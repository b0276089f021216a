"""How wide what is written for people may be."""

from __future__ import annotations

import shutil

NARROWEST = 40
"""Columns; below, numbers would be cut."""


def screen_width() -> int:
    """Return the terminal's columns, as COLUMNS has them before all; 80 where there is none."""
    return max(NARROWEST, shutil.get_terminal_size((80, 24)).columns)
