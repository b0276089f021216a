"""Which elements of two outputs see the same inputs.

Every input is a prefix of the case's one input along batch and length, and VALID outputs start at
its first column. So the outputs at the same index have the same receptive field, and those of the
smaller output all exist in the larger.
"""

from __future__ import annotations

from convdiff.numerics.array import Array


def aligned(baseline: Array, candidate: Array) -> tuple[Array, Array]:
    """Return both outputs cut to the positions they share. Raises ValueError if none or unlike.

    NHWC; batch and width may differ, height and channels may not. Nothing is ever broadcast.
    """
    if baseline.ndim != 4 or candidate.ndim != 4:
        raise ValueError(f"outputs of {baseline.ndim} and {candidate.ndim} axes")
    if baseline.shape[1] != candidate.shape[1] or baseline.shape[3] != candidate.shape[3]:
        raise ValueError(f"shapes {baseline.shape} and {candidate.shape} do not match")
    batch = min(baseline.shape[0], candidate.shape[0])
    width = min(baseline.shape[2], candidate.shape[2])
    return baseline[:batch, :, :width], candidate[:batch, :, :width]
