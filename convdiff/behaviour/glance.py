"""A first look at a few outputs: most guesses fail there, and the whole need not be computed."""

from __future__ import annotations

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.computation import Computation
from convdiff.numerics.array import Array
from convdiff.numerics.floats import round_to

PLACES = 8
"""Output positions that are looked at."""


class Glance:
    """Some positions of an answer, those that are wrong first where its shape is right."""

    def __init__(self, answer: Answer) -> None:
        off = np.ones(answer.output.shape[:3])
        if answer.output.shape == answer.right.shape:
            off = answer.off.max(axis=-1)
        chosen = np.argsort(-off, axis=None, kind="stable")[:PLACES]
        self._places: tuple[Array, ...] = np.unravel_index(chosen, off.shape)
        self._output = answer.output[self._places]
        self._dtype = answer.probe.answer.dtype

    def may_be(self, computation: Computation) -> bool:
        """Return whether the sums, with their bias, are what is there; no more is looked at."""
        expected = computation.at(self._places)
        if expected is None:
            return False
        return np.array_equal(round_to(expected, self._dtype), self._output)
