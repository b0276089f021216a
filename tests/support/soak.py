"""Soaks: tests that draw thousands of examples; `make soak` runs them whole, `make test` a part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import pytest
from hypothesis import settings
from pairwise import pairwise

WHOLE = os.environ.get("CONVDIFF_SOAK") == "1"
SHARE = 96
"""One example of so many is drawn in `make test`."""


def examples(whole: int) -> int:
    """Return how many of a soak's examples are drawn in this run."""
    return whole if WHOLE else max(1, whole // SHARE)


def soak(whole: int, **choices: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for a test of so many examples; `choices` are Hypothesis settings."""
    drawn = settings(max_examples=examples(whole), **choices)

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        return pytest.mark.soak(drawn(test))

    return mark


def one_in(
    of: int, names: str | Iterable[str], values: Iterable[Any], **more: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for a test of each of some values: in `make test` of one of so many.

    `more` is what `parametrize` takes.
    """
    drawn = pytest.mark.parametrize(names, [*values][:: 1 if WHOLE else of], **more)

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        return pytest.mark.soak(drawn(test))

    return mark


def crossed(**factors: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for a test of all combinations: in `make test` any two values meet.

    Names are those of its arguments.
    """
    lists = {name: [*values] for name, values in factors.items()}
    rows = [*product(*lists.values())]
    if not WHOLE:
        rows = [tuple(row.values()) for row in pairwise(lists)]
    drawn = pytest.mark.parametrize(tuple(lists), rows, ids=str)

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        return pytest.mark.soak(drawn(test))

    return mark
