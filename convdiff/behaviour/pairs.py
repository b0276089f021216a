"""Two mistakes at once, where no single one fits: a bounded search over pairs of the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.computation import Computation
from convdiff.behaviour.guesses import Guess, Started, of_rows
from convdiff.behaviour.mistakes import Mistake, mistakes
from convdiff.numerics.array import Array
from convdiff.numerics.floats import round_to
from convdiff.worker.ops.conv2d import Convolution

WORK = 1 << 28
"""Numbers that may be touched in search of a pair: a second or so."""
PLACES = 8
"""Output positions at which two changes of what is multiplied are first tried."""

Late = ("bias", "output")
"""Parts that are changed after the products are summed: such changes cost little."""


def pairs(conv: Convolution, answer: Answer, started: Started) -> Iterator[Guess]:
    """Yield the pairs of mistakes that give an answer, exactly; each is made in its order."""
    tensors = answer.probe.tensors
    rows = list(mistakes(conv, tensors.input_nhwc.shape, bias=tensors.bias is not None))
    start = started.of(tensors)
    late = [row for row in rows if row.part in Late]
    if len(rows) * len(late) * answer.output.size <= WORK:
        for first in rows:
            begun = first.change(start)
            for second in filter(first.may_precede, late):
                result = second.change(begun).result()
                if result is not None and _is_given(result, answer):
                    yield of_rows(started, [first, second])
    early = [row for row in rows if row.part not in Late]
    yield from _of_products(answer, early, started)


def _is_given(result: Array, answer: Answer) -> bool:
    if result.shape != answer.output.shape:
        return False
    # Most pairs fail on the first few numbers.
    for part in (slice(1), slice(None)):
        rounded = round_to(result[:, :, part], answer.probe.answer.dtype)
        if not np.array_equal(rounded, answer.output[:, :, part]):
            return False
    return True


def _of_products(answer: Answer, rows: Sequence[Mistake], started: Started) -> Iterator[Guess]:
    """Yield pairs of which both change what is multiplied: tried at some positions first."""
    tensors = answer.probe.tensors
    size = tensors.input_nhwc.size + tensors.filter_hwio.size
    if len(rows) ** 2 // 2 * size > WORK:
        return
    start = started.of(tensors)
    places = _places(answer)
    for number, first in enumerate(rows):
        begun = first.change(start)
        for second in rows[number + 1 :]:
            both = second.change(begun)
            sums = both.core.sums_at(places)
            if sums is not None and _is_given_at(both, sums, answer, places):
                yield of_rows(started, [first, second])


def _places(answer: Answer) -> tuple[Array, ...]:
    """Return some (image, row, column), those that are wrong first where the shape is right."""
    off = np.ones(answer.output.shape[:3])
    if answer.output.shape == answer.right.shape:
        off = answer.off.max(axis=-1)
    chosen = np.argsort(-off, axis=None, kind="stable")[:PLACES]
    return np.unravel_index(chosen, answer.output.shape[:3])


def _is_given_at(both: Computation, sums: Array, answer: Answer, places: tuple[Array, ...]) -> bool:
    expected = sums if both.bias is None else sums + both.bias
    rounded = round_to(expected, answer.probe.answer.dtype)
    return np.array_equal(rounded, answer.output[places])
