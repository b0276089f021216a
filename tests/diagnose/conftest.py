"""Old TensorFlows whose kernels really transform, and really are wrong."""

from __future__ import annotations

import os

import pytest
from program import REPOSITORY


@pytest.fixture(scope="session")
def tf16_python() -> str:
    """Return a Python 3.6 with TensorFlow 1.6.0, or skip and say where it was looked for."""
    found = os.environ.get("CONVDIFF_TF16_PYTHON") or str(REPOSITORY / ".venv-tf16/bin/python")
    if not os.access(found, os.X_OK):
        pytest.skip(
            f"no Python 3.6 with TensorFlow 1.6.0 at {found}; "
            "make one or set CONVDIFF_TF16_PYTHON to its python"
        )
    return found
