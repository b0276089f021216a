"""A function of one's own as a kernel: its arrays have the axes of its op, as in a case file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convdiff.case.forms import MisfitError
from convdiff.case.keys import CASE
from convdiff.case.layout import DEFAULT, layout_of
from convdiff.case.moves import moves_of
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError
from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.replay.replay import Data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.worker.ops import OPS
from convdiff.worker.ops.convolution import Convolution

OwnFunction = Callable[[Array, Array, "Array | None"], Any]
UNREAD = {"filter": [0], "input": [0]}
"""What a case must have, where only its other keys are asked for."""


def kernel_of(fn: OwnFunction, data: Data, keys: Mapping[str, Any]) -> tuple[CallableKernel, Data]:
    """Return a function as a kernel, and its arrays as NHWC and HWIO.

    data: (N, [[D, ]H, ]W, C) and ([[kd, ]kh, ]kw, I, O), of `dense` (N, L, C) and (I, O). keys: op,
    dtype and how the filter moves, as a case file has them. Raises ValueError for what no case file
    may have, or does not fit together.
    """
    conv = _convolution(data, keys)
    x, w = data.input_nhwc, data.filter_hwio
    if data.bias is not None and data.bias.shape != w.shape[-1:]:
        raise ValueError(f"b has shape {data.bias.shape}; expected {w.shape[-1:]}")
    rows = int(np.prod(x.shape[1:-2]))
    own = Data(
        x.reshape(len(x), rows, *x.shape[-2:]),
        w.reshape(*conv.window, *w.shape[-2:]),
        data.bias,
    )

    def asked(input_nhwc: Array, filter_hwio: Array, bias: Array | None) -> Array:
        given = conv.own_input(input_nhwc), filter_hwio.reshape(w.shape)
        return np.asarray(conv.folded(np.asarray(fn(*given, bias)), input_nhwc.shape))

    geometry = Geometry(
        own.input_nhwc.shape,
        own.filter_hwio.shape,
        data.bias is not None,
        conv.strides,
        conv.dilations,
        conv.groups,
        conv.dtype,
        conv,
    )
    return CallableKernel(asked, geometry), own


def _convolution(data: Data, given: Mapping[str, Any]) -> Convolution:
    """Return the convolution of these arrays."""
    x, w = data.input_nhwc, data.filter_hwio
    try:
        keys = CASE.read({**UNREAD, **{key: _listed(value) for key, value in given.items()}})
        rank = OPS[keys.op]
        axes = max(2, rank)
        moves = moves_of(Source("", {}, {}), keys, axes)
    except MisfitError as error:
        raise ValueError(str(error)) from None
    except CaseError as error:
        raise ValueError(error.message) from None
    of_filter = len(layout_of(DEFAULT, keys.op).filter.name)
    if (x.ndim, w.ndim) != (rank + 2, of_filter):
        needed = f"both need {rank + 2}"
        if of_filter != rank + 2:
            needed = f"{keys.op} needs {rank + 2} and {of_filter}"
        raise ValueError(f"x has {x.ndim} axes and w {w.ndim}; {needed}")
    kernel = (1,) * (axes - w.ndim + 2) + w.shape[:-2]
    return Convolution(
        kernel,
        x.shape[-1],
        w.shape[-1],
        groups=keys.groups,
        dtype=keys.dtype,
        op=keys.op,
        depth=x.shape[1] if rank == 3 else 1,
        **moves,
    )


def _listed(value: Any) -> Any:
    """Return tuples, and NumPy's arrays and numbers, as the lists and numbers of a case file."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_listed(one) for one in value] if isinstance(value, tuple | list) else value
