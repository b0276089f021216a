"""Explaining one's own kernels: any Python function that convolves, without a case file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.orders import BUDGET, Orders
from convdiff.order.orders import orders_of as explain_kernel
from convdiff.order.replay.replay import Data
from convdiff.order.reveal.kernel import CallableKernel


def explain(
    fn: Callable[[Array, Array, Array | None], Any],
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    strides: tuple[int, int] = (1, 1),
    dilations: tuple[int, int] = (1, 1),
    groups: int = 1,
    dtype: str | None = None,
    budget: int = BUDGET,
) -> Orders:
    """Reveal the summation order of every output of `fn(x, w, b)`, and replay it.

    fn: a VALID convolution of x, (N, H, W, C) NHWC, with w, (kh, kw, C/groups, cout) HWIO, and a
    bias b, (cout,) or None; returns (N, OH, OW, cout). It is called many times on other numbers of
    the same shapes. x, w, b: float32, float64 or float16; for bfloat16 give float32 arrays and
    dtype="bfloat16", and let fn narrow them. budget: calls of fn at most.

    The result says which orders were proved and for which elements (`status`, `replayed`,
    `orders`, `which()`); `convdiff.notation` and `convdiff.describe` write an order down. Raises
    ValueError for shapes that do not fit together, or where fn returns another shape.
    """
    kind = dtype or np.asarray(x).dtype.name
    if kind not in ("float32", "float64", "float16", "bfloat16"):
        raise ValueError(f"x is {kind}; expected float32, float64, float16 or bfloat16")
    stored = np.float32 if kind == "bfloat16" else np.dtype(kind)
    arrays = [None if array is None else np.asarray(array, stored) for array in (x, w, b)]
    data_x, data_w, data_b = arrays
    assert data_x is not None and data_w is not None
    if data_x.ndim != 4 or data_w.ndim != 4:
        raise ValueError(f"x has {data_x.ndim} axes and w {data_w.ndim}; both need 4")
    if data_b is not None and data_b.shape != data_w.shape[3:]:
        raise ValueError(f"b has shape {data_b.shape}; expected {data_w.shape[3:]}")
    geometry = Geometry(
        _four(data_x), _four(data_w), b is not None, strides, dilations, groups, kind
    )
    return explain_kernel(CallableKernel(fn, geometry), Data(data_x, data_w, data_b), None, budget)


def _four(array: Array) -> tuple[int, int, int, int]:
    a, b, c, d = array.shape
    return a, b, c, d
