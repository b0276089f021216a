"""Convolutions of every op, padded in every way, drawn by Hypothesis with the shape of an input."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from convdiff.worker.ops.convolution import OPS, Convolution

Drawn = tuple[Convolution, tuple[int, ...]]
"""A convolution and its input's NHWC."""
WORDS = ("valid", "same", "same_lower", "causal")


@st.composite
def geometries(draw: st.DrawFn, ops: tuple[str, ...] = tuple(OPS), dtype: str = "") -> Drawn:
    op = draw(st.sampled_from(ops))
    conv = draw(_dense() if op == "dense" else _moving(op))
    conv = conv._replace(dtype=dtype or draw(st.sampled_from(["float32", "float64", "float16"])))
    longest = 5 if len(conv.kernel) == 2 else 2
    extents = [axis.least + draw(st.integers(0, longest)) for axis in conv.axes]
    if conv.rank == 1:
        extents[0] = 1
    if len(extents) == 3:
        conv = conv._replace(depth=extents[0])
    rows = math.prod(extents[:-1])
    return conv, (draw(st.integers(1, 2)), rows, extents[-1], conv.channels_in)


@st.composite
def _dense(draw: st.DrawFn) -> Convolution:
    return Convolution((1, 1), draw(st.integers(1, 9)), draw(st.integers(1, 9)), op="dense")


@st.composite
def _moving(draw: st.DrawFn, op: str) -> Convolution:
    rank = OPS[op]
    count, transposed = max(2, rank), op.endswith("_transpose")

    def along(most: int) -> tuple[int, ...]:
        values = tuple(draw(st.integers(1, most)) for _ in range(rank))
        return (1,) * (count - rank) + values

    strides = along(3)
    padding = draw(st.sampled_from([*WORDS, "numbers", "numbers"]))
    if padding == "causal" and transposed:
        padding = "same"
    longer = (0,) * count
    if padding == "numbers":
        pads = [(draw(st.integers(-1, 3)), draw(st.integers(-1, 3))) for _ in range(rank)]
        padding = ((0, 0),) * (count - rank) + tuple(pads)
        if transposed:
            longer = tuple(draw(st.integers(0, stride - 1)) for stride in strides)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    return Convolution(
        along(4 if rank < 3 else 3),
        groups * draw(st.integers(1, 3)),
        groups * draw(st.integers(1, 3)),
        strides,
        along(2),
        groups,
        op=op,
        padding=padding,
        output_padding=longer,
    )
