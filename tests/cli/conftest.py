"""Interpreters that the command line's tests point --python at."""

from __future__ import annotations

import venv
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter of an empty environment: Python, and no framework."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"
