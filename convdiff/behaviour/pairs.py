"""Two mistakes at once, where no single one fits: a bounded search over pairs of the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.glance import Glance
from convdiff.behaviour.guesses import Guess, Started, of_rows
from convdiff.behaviour.mistakes import Mistake, mistakes
from convdiff.numerics.array import Array
from convdiff.numerics.floats import round_to
from convdiff.worker.ops.convolution import Convolution

WORK = 1 << 28
"""Numbers that may be touched in search of a pair: a second or so."""


def pairs(conv: Convolution, answer: Answer, started: Started) -> Iterator[Guess]:
    """Yield the pairs of mistakes that give an answer, exactly; each is made in its order."""
    tensors = answer.probe.tensors
    rows = list(mistakes(conv, tensors.input_nhwc.shape, bias=tensors.bias is not None))
    start = started.of(tensors)
    late = [row for row in rows if row.is_late]
    if len(rows) * len(late) * answer.output.size <= WORK:
        for first in rows:
            begun = first.change(start)
            for second in filter(first.may_precede, late):
                result = second.change(begun).result()
                if result is not None and _is_given(result, answer):
                    yield of_rows(started, [first, second])
    early = [row for row in rows if not row.is_late]
    yield from _of_products(answer, early, started)


def _is_given(result: Array, answer: Answer) -> bool:
    if result.shape != answer.output.shape:
        return False
    # Most pairs fail on the first few numbers.
    for part in (slice(1), slice(None)):
        rounded = round_to(result[:, :, part], answer.probe.answer.dtype)
        if not (rounded == answer.output[:, :, part]).all():
            return False
    return True


def _of_products(answer: Answer, rows: Sequence[Mistake], started: Started) -> Iterator[Guess]:
    """Yield pairs of which both change what is multiplied: a glance is enough for most."""
    tensors = answer.probe.tensors
    size = tensors.input_nhwc.size + tensors.filter_hwio.size
    if len(rows) ** 2 // 2 * size > WORK:
        return
    start, glance = started.of(tensors), Glance(answer)
    for number, first in enumerate(rows):
        begun = first.change(start)
        for second in rows[number + 1 :]:
            if glance.may_be(second.change(begun)):
                yield of_rows(started, [first, second])
