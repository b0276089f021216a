"""What `make test` draws of a soak, and that no other test draws so much."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import soak

TESTS = Path(__file__).parent
MOST = 100
"""Examples that a test may draw in every run."""


def test_a_soak_is_whole_when_asked_for_and_less_than_a_twentieth_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(soak, "WHOLE", False)
    assert 0 < soak.examples(500) < 500 / 20
    monkeypatch.setattr(soak, "WHOLE", True)
    assert soak.examples(500) == 500


def test_a_test_that_draws_many_examples_is_a_soak() -> None:
    for path in TESTS.rglob("*.py"):
        for count in re.findall(r"max_examples=(\d+)", path.read_text("utf-8")):
            assert int(count) <= MOST, f"{path}: max_examples={count}; see support/soak.py"
