"""Convolutions and their data, drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.numerics.floats import FORMATS
from convdiff.worker.ops.convolution import Convolution

FLAVOURS = ("normal", "integers", "wide", "sparse", "cancelling")


def random_array(rng: np.random.Generator, shape, dtype, flavour: str) -> np.ndarray:
    """Draw data that is easy, cancels, spans many magnitudes, or is mostly zero."""
    values = rng.standard_normal(shape)
    if flavour == "integers":
        values = rng.integers(-8, 9, shape).astype(float)
    elif flavour == "wide":
        top = {"float16": 4, "bfloat16": 60, "float32": 60, "float64": 500}[dtype.name]
        values = values * 2.0 ** rng.integers(-top, top // 2, shape)
    elif flavour == "sparse":
        values = values * (rng.random(shape) < 0.2)
    elif flavour == "cancelling":
        values = np.sign(values) * (
            1 + rng.integers(0, 3, shape) * 2.0 ** -(FORMATS[dtype.name].precision - 1)
        )
    return values.astype(dtype)


@st.composite
def convolutions(
    draw, name: str, flavours: Sequence[str] = FLAVOURS
) -> tuple[Convolution, Tensors]:
    dtype = numpy_dtype(name)
    groups = draw(st.integers(1, 3))
    width, per_group = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    conv = Convolution(
        kernel=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        channels_in=groups * width,
        channels_out=groups * per_group,
        strides=(draw(st.integers(1, 2)), draw(st.integers(1, 3))),
        dilations=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        groups=groups,
        dtype=name,
    )
    reach = conv.reach
    shape = (
        draw(st.integers(1, 2)),
        reach[0] + draw(st.integers(0, 2)),
        reach[1] + draw(st.integers(0, 3)),
        conv.channels_in,
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    flavour = st.sampled_from(flavours)
    input_nhwc = random_array(rng, shape, dtype, draw(flavour))
    filter_hwio = random_array(rng, conv.filter_shape, dtype, draw(flavour))
    bias = random_array(rng, (conv.channels_out,), dtype, draw(flavour))
    return conv, Tensors(filter_hwio, bias if draw(st.booleans()) else None, input_nhwc)
