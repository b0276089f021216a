"""Layouts of other frameworks: what arrives is NHWC and HWIO. Runs on Python 3.6."""

from typing import Any

import numpy as np


def nchw(array_nhwc: Any) -> Any:
    """Return (N, H, W, C) data as contiguous (N, C, H, W)."""
    return _canonical(array_nhwc.transpose(0, 3, 1, 2))


def nhwc(array_nchw: Any) -> Any:
    """Return (N, C, H, W) data as contiguous (N, H, W, C)."""
    return np.ascontiguousarray(array_nchw.transpose(0, 2, 3, 1))


def oihw(filter_hwio: Any) -> Any:
    """Return an HWIO filter as contiguous OIHW."""
    return _canonical(filter_hwio.transpose(3, 2, 0, 1))


def _canonical(array: Any) -> Any:
    """Return a contiguous copy with the strides of its shape.

    To NumPy an array of one channel is contiguous whatever the channel's stride, and
    ascontiguousarray keeps it; PyTorch tells memory formats by it.
    """
    return np.array(array, order="C", copy=True)
