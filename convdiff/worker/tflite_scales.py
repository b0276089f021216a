"""What int8 numbers of a TensorFlow Lite model stand for: scales, zero points, calibration.

Runs on Python 3.6.
"""

from typing import Any, NamedTuple

import numpy as np

from .tflite_model import Scales

STEPS_OF_PRODUCTS = (2.0**-7, 2.0**31)
"""A step of outputs, in steps of products, for which XNNPACK has a kernel: above 2^-8, to 2^32."""


class Calibrated(NamedTuple):
    """What int8 inputs and outputs stand for."""

    input: Scales
    output: Scales


def calibrated(array: Any, kernel: Any, output: Any) -> Calibrated:
    """Return what is stood for in a model of an input, a filter (…, O), and the output in full.

    An output next to nothing gets the nearest scale for which XNNPACK has a kernel.
    """
    of_input = asymmetric(array)
    products = of_input.scales * symmetric(kernel).astype(np.float64)
    least, most = STEPS_OF_PRODUCTS
    return Calibrated(of_input, asymmetric(output, products.max() * least, products.min() * most))


def asymmetric(array: Any, least: float = 0.0, most: float = np.inf) -> Scales:
    """Return the scale and zero point of int8 that hold an array's finite values, and zero.

    The scale is no smaller than `least`, and no larger than `most` where that is no less.
    """
    finite = np.append(array[np.isfinite(array)], 0).astype(np.float64)
    wanted = float(normal(np.float32((finite.max() - finite.min()) / 255)))
    scale = float(normal(np.float32(max(min(wanted, most), least))))
    return Scales(scale, int(np.clip(round(-128 - finite.min() / scale), -128, 127)))


def symmetric(kernel: Any) -> Any:
    """Return the scale of each output channel, of a filter (…, O), in int8 without −128."""
    most = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0) / np.float32(127)
    return normal(most)


def normal(scales: Any) -> Any:
    """Return scales, 1 for those of what is 0 or next to it: XNNPACK dies of subnormal ones."""
    return np.where(scales >= np.finfo(np.float32).tiny, scales, np.float32(1)).astype(np.float32)
