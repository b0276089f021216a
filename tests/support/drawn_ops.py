"""Geometries of every op, drawn by Hypothesis: padded, grouped, dilated, strided, transposed."""

from __future__ import annotations

from typing import Any

from geometries import Shape
from hypothesis import strategies as st

from convdiff.worker.ops.axis import Axis
from convdiff.worker.ops.convolution import OPS, Convolution

MORE = {1: 20, 2: 6, 3: 4}
"""What an input has beyond the least that gives an output, by how many axes an op has."""


@st.composite
def shaped(draw: st.DrawFn, op: str) -> tuple[Convolution, Shape]:
    """Draw a geometry of an op and the NHWC shape of an input, for which it may have no output."""
    if op == "dense":
        return draw(dense())
    rank, transposed = OPS[op], op.endswith("_transpose")

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    strides, dilations, groups = each(1, 3), each(1, 3), draw(st.integers(1, 3))
    padding = draw(paddings(rank, transposed))
    longer = (0,) * rank
    if transposed and not isinstance(padding, str):
        more = draw(st.sampled_from((0, 0, 0, 1)))  # as long as stride and dilation: few can
        longer = tuple(
            draw(st.integers(0, max(s, d) - 1 + more))
            for s, d in zip(strides, dilations, strict=True)
        )
    conv = Convolution(
        kernel=_at_least_two(each(1, 7), 1),
        channels_in=groups * draw(st.integers(1, 2)),
        channels_out=groups * draw(st.integers(1, 2)),
        strides=_at_least_two(strides, 1),
        dilations=_at_least_two(dilations, 1),
        groups=groups,
        op=op,
        padding=padding if isinstance(padding, str) else _at_least_two(padding, (0, 0)),
        output_padding=_at_least_two(longer, 0),
    )
    extents = tuple(draw(extents_of(axis, MORE[rank])) for axis in conv.axes[-rank:])
    *high, length = _at_least_two(extents, 1)
    rows = high[0] if rank < 3 else high[0] * high[1]
    if rank == 3:
        conv = conv._replace(depth=high[0])
    return conv, (draw(st.integers(1, 2)), rows, length, conv.channels_in)


def extents_of(axis: Axis, most: int) -> st.SearchStrategy[int]:
    """Return extents of an input; at one less than the least, there is no output.

    Of what a negative number cuts something is left.
    """
    left = 1 - sum(min(0, end) for end in axis.pad(1))
    return st.integers(-1, most).map(lambda more: max(1, left, axis.least + more))


def paddings(rank: int, transposed: bool) -> st.SearchStrategy[Any]:
    """Return the paddings that an op of so many axes can have."""
    names = ("valid", "same", "same_lower") + (() if transposed else ("causal",))
    ends = st.tuples(*(st.tuples(st.integers(-2, 9), st.integers(-2, 9)) for _ in range(rank)))
    even = st.tuples(*(st.integers(0, 9).map(lambda pad: (pad, pad)) for _ in range(rank)))
    return st.one_of(st.sampled_from(names), even, ends)


@st.composite
def dense(draw: st.DrawFn) -> tuple[Convolution, Shape]:
    """Draw a matrix product of (batch · length) rows."""
    channels = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    shape = draw(st.integers(1, 4)), 1, draw(st.integers(1, 20)), channels[0]
    return Convolution((1, 1), *channels, op="dense"), shape


def _at_least_two(entries: tuple[Any, ...], fill: Any) -> tuple[Any, ...]:
    """Return an entry for the height too where an op has but a length."""
    return entries if len(entries) > 1 else (fill, *entries)
