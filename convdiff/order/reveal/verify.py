"""Which elements of an output add in the order of a tree: they give its sums of every vector."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.mask_probes import calls_a_message
from convdiff.order.reveal.suite import Suite, Vectors


def verify(kernel: Kernel, suite: Suite, among: Array) -> Array:
    """Return which of the (positions, cout) elements `among` answer all vectors as the tree does.

    Asks no more where none is left. Raises RefusedError (budget, failed).
    """
    agreeing: Array = among.copy()
    for vectors in suite.stages():
        for weights, expected in _messages(kernel, vectors):
            if not agreeing.any():
                return agreeing
            (answers,) = kernel.probe([Batch("vector", weights)])
            agreeing &= same_bits(answers, expected[:, None, None]).all(axis=0)
    return agreeing


def _messages(kernel: Kernel, vectors: Vectors) -> Iterator[tuple[Array, Array]]:
    """Yield the vectors with what is expected, as few messages as memory allows."""
    step = calls_a_message(kernel)
    for start in range(0, len(vectors.weights), step):
        chunk = slice(start, start + step)
        yield np.ascontiguousarray(vectors.weights[chunk]), vectors.expected[chunk]
