"""NumPy's convolutions as products of matrices: for references, whose order of adding is free."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convdiff.numerics.array import Array
from convdiff.worker.framework import Device
from convdiff.worker.frameworks.numpy import Loop
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.then import applied

BLOCK = 4 * 2**20
"""Elements of windows that are copied at a time."""


class Products(Loop):
    """As `Loop`, in another order and many times as fast."""

    def conv2d(
        self,
        conv: Convolution,
        device: Device,
        input_nhwc: Array,
        filter_hwio: Array,
        bias: Array | None,
        added: Array | None = None,
    ) -> Any:
        """See `Framework`."""
        view, filter_hwio = conv.windows(input_nhwc), filter_hwio.reshape(conv.filter_shape)
        y = np.empty((*view.shape[:3], conv.channels_out), filter_hwio.dtype)
        rows = max(1, BLOCK // max(1, math.prod(view.shape[2:])))
        for group in range(conv.groups):
            lanes = conv.outputs_of(group)
            weights = filter_hwio[..., lanes].reshape(-1, filter_hwio[..., lanes].shape[-1])
            for image, first in np.ndindex(view.shape[0], -(-view.shape[1] // rows)):
                part = slice(first * rows, (first + 1) * rows)
                field = view[image, part, ..., conv.inputs_of(group)]
                size = (*field.shape[:2], -1)
                y[image, part, :, lanes] = field.reshape(*size) @ weights
        if added is not None:
            added = added.reshape((*added.shape[:1], -1, *added.shape[-2:]))
        return applied(conv.then, y if bias is None else y + bias, added)

    conv1d = conv3d = conv2d
    conv1d_transpose = conv2d_transpose = conv3d_transpose = conv2d
    dense = conv2d
