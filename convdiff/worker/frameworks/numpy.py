"""NumPy: the reference a reader can check by eye. A tap at a time, rounded, left to right."""

from typing import Any, Dict, Optional

import numpy as np

from .. import cpu
from ..framework import Arrays, Device, Framework
from ..ops.convolution import Convolution
from ..ops.net import Net
from ..ops.then import STEPS, applied


def open(threads: Optional[int]) -> Framework:
    """Return NumPy's Framework; a loop of additions knows no threads."""
    return Loop()


class Loop(object):
    """y = x₀w₀; y = y + x₁w₁; … in (kh, kw, cin) order, every step rounded; then the bias."""

    steps = STEPS

    def __init__(self) -> None:
        self.refused = {"bfloat16": "NumPy has no bfloat16"}

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        return cpu.fingerprint("numpy", np.__version__, {}, 1, mode="loop")

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        view, filter_hwio = conv.windows(arrays.x), arrays.w.reshape(conv.filter_shape)
        y = np.empty(view.shape[:3] + (conv.channels_out,), filter_hwio.dtype)
        for group in range(conv.groups):
            field, lanes = view[..., conv.inputs_of(group)], conv.outputs_of(group)
            total = None
            for i, j, c in np.ndindex(*filter_hwio.shape[:3]):
                product = field[:, :, :, i, j, c, None] * filter_hwio[i, j, c, lanes]
                total = product if total is None else total + product
            y[..., lanes] = total
        if arrays.bias is not None:
            y = y + arrays.bias
        added = arrays.added
        if added is not None:
            added = added.reshape(added.shape[:1] + (-1,) + added.shape[-2:])  # NHWC, as y is
        return applied(conv.then, y, added)

    conv1d = conv3d = conv2d
    conv1d_transpose = conv2d_transpose = conv3d_transpose = conv2d
    dense = conv2d

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return np.sum(np.multiply(table, columns), axis=2)

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return output + bias

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        return applied(then, output, added)

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`."""
        from ..nets.numpy import NumpyNet

        return NumpyNet(self, net, arrays)
