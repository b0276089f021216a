"""Padding that is not zero, by mistake: rows of the table of mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np

from convdiff.behaviour.computation import Computation
from convdiff.worker.ops.convolution import Convolution

Mode = Literal["edge", "reflect", "wrap"]
"""As np.pad calls them."""
FILLINGS: dict[Mode, str] = {
    "edge": "the padding repeats the edge (replicate), not zero",
    "reflect": "the padding mirrors the input (reflect), not zero",
    "wrap": "the padding is the input's other end (circular), not zero",
}


def fillings(
    conv: Convolution, shape: tuple[int, ...]
) -> Iterator[tuple[str, Callable[[Computation], Computation]]]:
    """Yield named changes of what is around the input, of this NHWC shape."""
    pads = conv.pads(*shape[1:3])
    if not conv.transposed and any(max(pair) > 0 for pair in pads):
        for mode, name in FILLINGS.items():
            yield name, partial(_filled, mode=mode)


def _filled(one: Computation, mode: Mode) -> Computation:
    """Return the same of an input with more around it, whose padding is none, or cuts."""
    conv, x = one.core.conv, one.core.x
    pads = conv.pads(*x.shape[1:3])
    around = [(max(0, before), max(0, after)) for before, after in pads]
    wide = np.pad(conv.spread(x), [(0, 0), *around, (0, 0)], mode)
    cut = tuple((min(0, before), min(0, after)) for before, after in pads)
    depth = wide.shape[1] if len(pads) == 3 else 1
    rows = wide.reshape(len(x), -1, *wide.shape[-2:])
    return one.with_steps(conv._replace(padding=cut, depth=depth)).with_input(rows)
