"""One pool of real frameworks for all tests of a process."""

from __future__ import annotations

import pytest
from asking import Lab

from convdiff.lab.pool import Pool


@pytest.fixture(scope="session")
def lab(runs_framework: None, workers: Pool, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return the way to ask frameworks; they are started as they are first asked."""
    return Lab(workers, tmp_path_factory.mktemp("lab"))
