"""Why readings fit no tree: the kernel does not repeat itself, or transforms its operands."""

from __future__ import annotations

import numpy as np

from convdiff.numerics.bits import same_bits
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.refusal import Refusal

#: Far larger than the random inputs, so that a transform leaves rounding errors of its size.
_OUTLIER = 2.0**20

#: What a rounding error of the outlier may leave, against it.
_LEFT_OVER = 2.0**-4

#: Two calls repeated in turns, so that what is left over from the call before is noticed too.
_REPEATS = (5, 6, 5, 5, 6, 6, 5, 6, 5, 6, 5, 6)


def classify(kernel: Kernel, refusal: Refusal) -> Refusal:
    """Return the refusal, or a better reason for it: unstable or transform.

    At most 16 calls. Raises RefusedError (budget) where they are not to be had.
    """
    return _unstable(kernel) or _transform(kernel) or refusal


def _unstable(kernel: Kernel) -> Refusal | None:
    seeds = np.array(_REPEATS)
    taps = np.repeat(seeds, kernel.geometry.cout * 4).reshape(len(seeds), -1, 4)
    (outputs,) = kernel.probe([Batch("random", taps)])
    changed = np.zeros(outputs[0].shape, bool)
    for seed in set(_REPEATS):
        same = outputs[seeds == seed]
        changed |= (~same_bits(same[1:], same[:1])).any(axis=0)
    if not changed.any():
        return None
    return Refusal(
        "unstable", f"identical calls differed in {changed.sum()} of {changed.size} elements"
    )


def _transform(kernel: Kernel) -> Refusal | None:
    """Ask whether an input that only zero weights multiply changes the output.

    One weight is 1, all others 0. A sum of products is then a copy of one input; Winograd's and
    Fourier's algorithms mix all inputs of a tile and take them apart again, with rounding errors:
    at several outputs, each finite and small against the outlier. Anything else is something else.
    """
    geometry = kernel.geometry
    base = random_data(geometry, 5)
    outlier = 2.0**12 if geometry.dtype == "float16" else _OUTLIER
    positions = np.arange(geometry.positions)
    height, width = geometry.input_nhwc[1:3]
    shifted = base.input_nhwc.copy()
    shifted[:, height // 2, width // 2] = outlier
    bias = None if base.bias is None else np.zeros_like(base.bias)
    for tap in sorted({0, geometry.taps - 1}):
        weights = np.zeros((geometry.taps, geometry.cout), base.filter_hwio.dtype)
        weights[tap] = 1
        filter_hwio = weights.reshape(geometry.filter_hwio)
        clean = kernel.run(base.input_nhwc, filter_hwio, bias)
        dirty = kernel.run(shifted, filter_hwio, bias)
        reads = (geometry.windows(shifted, positions)[tap] == outlier).any(axis=1)
        differs = ~same_bits(clean, dirty)[~reads]
        with np.errstate(invalid="ignore"):
            size = np.abs(dirty - clean)[~reads][differs]
        changed = int(differs.any(axis=1).sum())
        if changed > 1 and (size <= outlier * _LEFT_OVER).all():  # no NaN is
            return Refusal(
                "transform",
                f"an input that only zero weights multiply changed the output at {changed} of "
                f"{geometry.positions} positions, as in Winograd's or Fourier's algorithm",
            )
    return None
