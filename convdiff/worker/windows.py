"""The receptive fields of a VALID convolution as rows, by moving data alone."""

from typing import Any, Tuple

import numpy as np

_Pair = Tuple[int, int]


def windows(input_nhwc: Any, kernel: _Pair, strides: _Pair, dilations: _Pair) -> Any:
    """Return a view of shape (N, OH, OW, kh, kw, C): what each output position sees."""
    batch, height, length, channels = input_nhwc.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, strides, dilations
    rows = (height - (kh - 1) * dh - 1) // sh + 1
    columns = (length - (kw - 1) * dw - 1) // sw + 1
    if rows < 1 or columns < 1:
        raise ValueError("the input is smaller than the filter")
    sn, sy, sx, sc = input_nhwc.strides
    return np.lib.stride_tricks.as_strided(
        input_nhwc,
        (batch, rows, columns, kh, kw, channels),
        (sn, sy * sh, sx * sw, sy * dh, sx * dw, sc),
        writeable=False,
    )
