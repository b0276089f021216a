"""Which elements of two outputs see the same inputs.

Every input is a prefix of the case's one input along batch and length. So the outputs at the same
index have the same receptive field, up to those that read padding where the longer input goes on.
"""

from __future__ import annotations

from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

Lengths = tuple[int, int]
"""Of the inputs of two outputs."""


def shared(conv: Convolution, lengths: Lengths) -> int:
    """Return how many columns of two outputs see the same inputs, the first ones."""
    return conv.axes[-1].shared(*lengths)


def aligned(baseline: Array, candidate: Array, width: int | None = None) -> tuple[Array, Array]:
    """Return both outputs cut to the positions they share. Raises ValueError if none or unlike.

    NHWC; batch and width may differ, height and channels may not. Nothing is ever broadcast.
    width: the columns that are `shared`; by default all that both have.
    """
    if baseline.ndim != 4 or candidate.ndim != 4:
        raise ValueError(f"outputs of {baseline.ndim} and {candidate.ndim} axes")
    if baseline.shape[1] != candidate.shape[1] or baseline.shape[3] != candidate.shape[3]:
        raise ValueError(f"shapes {baseline.shape} and {candidate.shape} do not match")
    batch = min(baseline.shape[0], candidate.shape[0])
    columns = min(baseline.shape[2], candidate.shape[2])
    columns = columns if width is None else min(columns, width)
    return baseline[:batch, :, :columns], candidate[:batch, :, :columns]
