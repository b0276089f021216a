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
    lacking = np.minimum(supply, times)
    rarity = 1.0 / np.maximum(supply, 1.0)
    chosen: list[int] = []
    while lacking.any():
        best = int(((lacking * rarity) @ matrix).argmax())
        lacking = np.maximum(lacking - matrix[:, best], 0.0)
        matrix[:, best] = 0.0
        chosen.append(best)
    return chosen
