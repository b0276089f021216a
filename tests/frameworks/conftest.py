"""One pool of real frameworks for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import Lab

from convdiff.lab.pool import Pool


@pytest.fixture(scope="session")
def lab(runs_framework: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Yield the way to ask frameworks; they are started as they are first asked."""
    with Pool(timeout=120) as pool:
        yield Lab(pool, tmp_path_factory.mktemp("lab"))
