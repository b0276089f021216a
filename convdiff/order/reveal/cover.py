"""Few candidates that together catch every mistake so many times: a greedy set multicover."""

from __future__ import annotations

import numpy as np

from convdiff.numerics.array import Array


def cover(caught: Array, times: int) -> list[int]:
    """Return candidates that catch each mistake `times` times, or as often as all of them do.

    caught: (mistakes, candidates), whether a candidate catches a mistake. What few candidates
    catch weighs most (Chvatal, Mathematics of Operations Research 4(3), 1979, for the bound).
    """
    matrix = caught.astype(np.float32)
    supply = matrix.sum(axis=1)
    lacking = np.minimum(supply, np.float32(times))
    rarity = 1 / np.maximum(supply, np.float32(1))
    chosen: list[int] = []
    while lacking.any():
        # No product of matrices: one so small waits for its threads on a busy machine.
        gains = np.einsum("m,mc->c", lacking * rarity, matrix)
        gains[chosen] = -1
        best = int(gains.argmax())
        chosen.append(best)
        lacking = np.maximum(lacking - matrix[:, best], 0)
        wanting = lacking > 0
        if 2 * np.count_nonzero(wanting) < len(wanting):
            matrix, lacking, rarity = matrix[wanting], lacking[wanting], rarity[wanting]
    return chosen
