"""Every op on small integers: whatever order they are added in, a right answer is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
from answers import Question, ask, of_integers
from asking import Lab, need

from convdiff.case.arrays import Array
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import OPS, Convolution

KERNELS = {1: (1, 3), 2: (3, 2), 3: (2, 1, 3)}
EXTENTS = {1: (1, 11), 2: (6, 9), 3: (4, 3, 9)}
"""Of the input: unlike each other, so that an exchange of axes would be seen."""
PADDINGS = {
    "valid": "valid",
    "same": "same",
    "same_lower": "same_lower",
    "causal": "causal",
    "both sides": ((0, 0), (1, 1), (2, 2)),
    "one side": ((2, 0), (0, 1), (1, 2)),
    "cropped": ((-1, 1), (0, -1), (-1, -2)),
}
"""Numbers are of depth, height and width; of the first a filter of two dimensions has none."""
MOVES = {
    "plain": (1, 1, 1, 3, 2),
    "strides": (2, 1, 1, 3, 2),
    "dilations": (1, 2, 1, 3, 2),
    "groups": (1, 1, 2, 4, 6),
    "depthwise": (1, 1, 4, 4, 4),
    "strides, dilations": (3, 2, 1, 2, 3),
    "groups, strides": (2, 1, 2, 4, 6),
}
"""Stride and dilation of each axis, groups, channels in and out."""
Words = Callable[[Convolution], Sequence[str]]


def geometry(op: str, padding: str, move: str = "plain") -> Convolution:
    """Return an op that moves so and is padded so."""
    rank = OPS[op]
    stride, dilation, groups, channels_in, channels_out = MOVES[move]
    others, pads = (1,) * (len(KERNELS[rank]) - rank), PADDINGS[padding]
    if not isinstance(pads, str):
        pads = ((0, 0),) * len(others) + tuple(pads[-rank:])
    return Convolution(
        KERNELS[rank],
        channels_in,
        channels_out,
        others + (stride,) * rank,
        others + (dilation,) * rank,
        groups,
        op=op,
        padding=pads,
        output_padding=(0,) * len(KERNELS[rank]),
        depth=EXTENTS[rank][0] if rank == 3 else 1,
    )


def paddings_of(op: str) -> list[str]:
    """Return what an op can be padded by: a transposed one's input is never cropped."""
    return [name for name in PADDINGS if name != "cropped" or not op.endswith("_transpose")]


def every(op: str) -> Iterator[Convolution]:
    """Yield an op with each padding and each way to move, and what else it has."""
    for padding in paddings_of(op):
        for move in MOVES:
            yield geometry(op, padding, move)
    yield from longer(op)


def some(op: str) -> Iterator[Convolution]:
    """Yield an op with each padding once and each way to move once, for what compiles a shape."""
    for number, move in enumerate(MOVES):
        paddings = paddings_of(op)
        yield geometry(op, paddings[number % len(paddings)], move)
    yield from longer(op)


def longer(op: str) -> Iterator[Convolution]:
    """Yield a transposed op whose output is lengthened."""
    if op.endswith("_transpose"):
        plain = geometry(op, "valid", "strides")
        ahead = (0,) * (len(plain.kernel) - OPS[op])
        yield plain._replace(output_padding=ahead + (1,) * OPS[op])


DENSE = Convolution((1, 1), 5, 3, op="dense")
CONVOLUTIONS = [op for op in OPS if op != "dense"]


@cache
def question(conv: Convolution) -> Question:
    """Return an op with small integers, whose sums all bfloat16 holds."""
    *high, length = EXTENTS[conv.rank]
    asked = of_integers(conv, (2, int(np.prod(high)), length, conv.channels_in))
    assert np.abs(asked.right).max() <= 256
    return asked


def answers(
    lab: Lab, spec: str, convs: Sequence[Convolution], interpreter: Interpreter | None = None
) -> list[Array | NoBits]:
    """Return what a framework makes of each op, in its own process."""
    if interpreter is None:
        need(spec)
    return ask(lab.pool, spec, [question(conv) for conv in convs], interpreter)


def check(convs: Sequence[Convolution], found: Sequence[Array | NoBits], words: Words) -> int:
    """Assert that each answer is exact, or a refusal in words that are known; count the exact."""
    exact = 0
    for conv, answer in zip(convs, found, strict=True):
        reason = question(conv).refusal(answer)
        if reason is not None:
            assert any(text in reason for text in words(conv)), (conv, reason)
            continue
        fault = question(conv).fault(answer)
        assert not fault, (conv, fault)
        exact += 1
    return exact


def in_all(convs: Iterator[Convolution] | Sequence[Convolution], dtype: str) -> list[Convolution]:
    """Return these ops in another dtype."""
    return [conv._replace(dtype=dtype) for conv in convs]
