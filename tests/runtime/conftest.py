"""Interpreters of known behaviour: real processes on the real worker's loop, no framework."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convdiff.runtime.model import Interpreter
from convdiff.runtime.pool import Pool

FAKE = Path(__file__).parent / "fake_framework.py"


@pytest.fixture
def fake(tmp_path: Path) -> Callable[..., Interpreter]:
    """Return a function that makes an interpreter whose framework does what a cell's op says."""
    program = tmp_path / "fake-python"
    program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
    program.chmod(0o755)

    def make(threads: int | None = None, **settings: str) -> Interpreter:
        return Interpreter("tensorflow", str(program), threads, tuple(settings.items()))

    return make


@pytest.fixture
def patient() -> Iterator[Pool]:
    """Yield a pool that waits no longer than a second for a silent worker."""
    with Pool(timeout=1.0) as workers:
        yield workers
