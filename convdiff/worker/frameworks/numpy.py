"""NumPy: the reference a reader can check by eye. A tap at a time, rounded, left to right."""

from typing import Any, Dict, Optional

import numpy as np

from .. import cpu
from ..manual import by_rows
from ..windows import windows

Conv = Dict[str, Any]


def open(threads: Optional[int]) -> Any:
    """Return NumPy's Framework; a loop of additions knows no threads."""
    return Loop()


class Loop(object):
    """y = x₀w₀; y = y + x₁w₁; … in (kh, kw, cin) order, every step rounded; then the bias."""

    def fingerprint(self) -> Dict[str, Any]:
        """Return what this NumPy says it is, as plain values."""
        return cpu.fingerprint("numpy", np.__version__, {}, 1, mode="loop")

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array."""
        if conv["dtype"] == "bfloat16":
            raise ValueError("NumPy has no bfloat16")
        if op == "manual":
            y = by_rows(_rows, conv, input_nhwc, filter_hwio)
        else:
            y = _by_taps(conv, input_nhwc, filter_hwio)
        return y if bias is None else y + bias


def _rows(table: Any, columns: Any) -> Any:
    return np.sum(np.multiply(table, columns), axis=2)


def _by_taps(conv: Conv, input_nhwc: Any, filter_hwio: Any) -> Any:
    view = windows(input_nhwc, tuple(conv["kernel"]), conv["strides"], conv["dilations"])
    per_group, width = conv["channels_out"] // conv["groups"], filter_hwio.shape[2]
    y = np.empty(view.shape[:3] + (conv["channels_out"],), filter_hwio.dtype)
    for group in range(conv["groups"]):
        total = None
        lanes = slice(group * per_group, (group + 1) * per_group)
        for i, j, c in np.ndindex(*filter_hwio.shape[:3]):
            product = view[:, :, :, i, j, group * width + c, None] * filter_hwio[i, j, c, lanes]
            total = product if total is None else total + product
        y[..., lanes] = total
    return y
