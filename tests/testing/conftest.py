"""What the plugin's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import bare_python
from project import Project

__all__ = ["bare_python"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project."""
    return Project(tmp_path)
