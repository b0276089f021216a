"""Explaining a convolution, side by side with FPRev's published recursion, one pair a call.

FPRev (Xie et al., USENIX ATC 2025) reveals the tree of one element: for the smallest leaf of a set
it measures how many leaves lie under its lowest common ancestor with each other one, a call a
pair, and recurses into the groups. It is written here for this comparison only; like the paper it
finds neither fused nodes nor replays anything. Both look at the same TensorFlow kernel.
"""

from __future__ import annotations

import time

import numpy as np
import tensorflow as tf

from convdiff.order.geometry import Geometry
from convdiff.order.orders import orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.kernel import Batch, CallableKernel
from convdiff.order.reveal.mask_probes import Site
from convdiff.order.reveal.reveal import reveal_tree

SIDE = 10


def main() -> None:
    """Print a row for each filter: calls, seconds and ratios."""
    print(
        f"\n{'explain, 10×10 input':<24} {'calls':>6} {'reveal+fused':>13} {'whole':>8} "
        f"{'one a call':>16} {'÷ reveal':>9} {'÷ whole':>8}  replayed"
    )
    for channels in (16, 64, 256):
        row(channels)


def row(channels: int) -> None:
    """Measure one filter of 3×3, channels → channels."""
    geometry = Geometry((1, SIDE, SIDE, channels), (3, 3, channels, channels))

    def convolution(x: np.ndarray, w: np.ndarray, b: object) -> np.ndarray:
        return tf.nn.conv2d(x, w, 1, "VALID").numpy()

    kernel, data = CallableKernel(convolution, geometry), random_data(geometry, 99)
    kernel.run(data.input_nhwc, data.filter_hwio, None)
    start = time.perf_counter()
    site = Site.at(kernel, 0, 0, None)
    mark_fused(kernel, site, reveal_tree(kernel, site))
    revealing = time.perf_counter() - start
    start = time.perf_counter()
    orders = orders_of(kernel, data)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    pairs = one_pair_a_call(kernel)
    single = time.perf_counter() - start
    replayed, total = orders.replayed
    print(
        f"n={geometry.taps:<5} 3×3 {channels:>3}→{channels:<5} "
        f"{orders.calls:>6} {revealing:>12.3f}s "
        f"{whole:>7.3f}s {pairs:>6} {single:>8.3f}s {single / revealing:>8.0f}× "
        f"{single / whole:>7.1f}×  {replayed:,}/{total:,}",
        flush=True,
    )


def one_pair_a_call(kernel: CallableKernel) -> int:
    """Reveal the first element's tree as FPRev does; return how many calls it took."""
    leaves, cout = kernel.geometry.leaves, kernel.geometry.cout
    position = np.array([0])

    def measured(i: int, j: int) -> int:
        taps = np.broadcast_to(np.array([i, j, 0, leaves + 1]), (1, cout, 4))
        (answer,) = kernel.probe([Batch("mask", taps)], position)
        return leaves - int(answer[0, 0, 0])

    calls, sets = 0, [list(range(leaves))]
    while sets:
        members = sets.pop()
        groups: dict[int, list[int]] = {}
        for other in members[1:]:
            groups.setdefault(measured(members[0], other), []).append(other)
            calls += 1
        sets += [group for group in groups.values() if len(group) > 1]
    return calls


if __name__ == "__main__":
    main()
