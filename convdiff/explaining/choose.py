"""Which element of an output is drawn: the one that is asked for, or the one that says most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.compare.difference import differs
from convdiff.compare.some_outputs import sample, some_outputs
from convdiff.explaining.model import Element, Index
from convdiff.numerics.array import Array
from convdiff.order.orders import Orders
from convdiff.order.side_by_side import side_by_side
from convdiff.worker.ops.convolution import Convolution


def farthest(conv: Convolution, tensors: Tensors, output: Array, orders: Orders) -> Element:
    """Return the element of an NHWC output that is farthest from the exact result.

    Of those with a proven order, where there are any; of a large output a sample is looked at.
    """
    tensors = tensors.upto(len(tensors.input_nhwc), orders.geometry.input_nhwc[2])
    places = sample(output.shape, conv.taps)
    proven = _proven(orders, output.shape)[tuple(places.T)]
    places = places[proven] if proven.any() else places
    exact = some_outputs(conv, tensors, places).exact.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.abs(output[tuple(places.T)].astype(np.float64) - exact)
    error[np.isnan(error)] = 0.0
    worst = int(error.argmax())
    if not error[worst]:
        return Element(_index(places[0]), "the first, as none is off the exact result")
    sampled = f" of {len(places):,}" if len(places) < output.size else ""
    return Element(
        _index(places[worst]), f"the farthest from exact{sampled}, by {error[worst]:.3g}"
    )


def first_to_differ(outputs: tuple[Array, Array], orders: tuple[Orders, Orders]) -> Element | None:
    """Return the first element whose bits differ between two NHWC outputs; None where none does.

    The first that has a proven order on both sides, where there is such a one.
    """
    baseline, candidate = side_by_side(orders, *outputs)
    differing = differs(baseline, candidate, strict=False)
    if not differing.any():
        return None
    known = [_proven(o, b.shape) for o, b in zip(orders, outputs, strict=True)]
    proven = side_by_side(orders, *known)
    both = differing & proven[0] & proven[1]
    places = np.argwhere(both if both.any() else differing)
    return Element(_index(places[0]), "the first that differs")


def flat(index: Index, orders: Orders) -> tuple[int, int]:
    """Return an NHWC index as a position and a channel."""
    _, height, width, _ = orders.geometry.output_nhwc
    return (index[0] * height + index[1]) * width + index[2], index[3]


def _proven(orders: Orders, shape: tuple[int, ...]) -> Array:
    return np.asarray(orders.which().reshape(shape) >= 0)


def _index(index: Sequence[int] | Array) -> Index:
    n, h, w, c = (int(i) for i in index)
    return n, h, w, c
