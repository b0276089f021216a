"""What the tests of all rooms share: interpreters, and the pool that runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from convdiff.runtime.pool import Pool

REPOSITORY = Path(__file__).parent.parent

hypothesis.settings.register_profile("convdiff", deadline=None)
hypothesis.settings.load_profile("convdiff")


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Yield a pool of its own; its workers end with the test."""
    with Pool(timeout=60) as workers:
        yield workers


@pytest.fixture(scope="session")
def tf1_python() -> str:
    """Return a Python 3.6 with TensorFlow 1.0.0, or skip and say where it was looked for."""
    found = os.environ.get("CONVDIFF_TF1_PYTHON") or str(REPOSITORY / ".venv-tf1/bin/python")
    if not os.access(found, os.X_OK):
        pytest.skip(
            f"no Python 3.6 with TensorFlow 1.0.0 at {found}; "
            "make one or set CONVDIFF_TF1_PYTHON to its python"
        )
    return found
