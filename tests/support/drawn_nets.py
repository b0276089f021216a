"""Graphs of layers, drawn by Hypothesis, that give outputs at two lengths; and their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from small_nets import conv, layer, net

from convdiff.net.along import along, positions
from convdiff.worker.frameworks.numpy import Loop
from convdiff.worker.nets.numpy import NumpyNet
from convdiff.worker.ops.net import INPUT, Layer, Net

WORDS = ("valid", "same", "same_lower", "causal")
CHANNELS = 2


@dataclass(frozen=True)
class DrawnNet:
    """A net, two lengths at which it has outputs, and weights of normal numbers in float64."""

    net: Net
    lengths: tuple[int, int]
    seed: int

    def run(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return all activations, each (batch, positions, channels), of (batch, length, 1)."""
        rng = np.random.default_rng(self.seed)
        arrays = {}
        for one in self.net.layers:
            for role, key in one.arrays.items():
                shape = one.conv.filter_shape if role == "filter" else (CHANNELS,)
                values = rng.normal(size=shape)
                arrays[key] = np.abs(values) if role == "variance" else values
        runner = NumpyNet(Loop(), self.net, arrays)
        names = {one.name for one in self.net.layers}
        found = dict(runner.run(inputs[:, None], names))
        return {INPUT: inputs, **{name: array[:, 0] for name, array in found.items()}}


@st.composite
def nets(draw, most: int = 7, shifts: bool = True) -> DrawnNet:
    """Draw a net of convolutions, pools, padding, joins and elementwise layers, all of one row."""
    longest = draw(st.integers(8, 40))
    lengths = draw(st.integers(4, longest)), longest
    layers: list[Layer] = []
    for number in range(draw(st.integers(1, most))):
        one = draw(_layers(f"layer{number}", layers, lengths))
        if _fits([*layers, one], lengths):
            layers.append(one)
    assume(layers)
    whole = net(*layers, dtype="float64")
    assume(shifts or not any(_moves(one) for one in layers))
    return DrawnNet(whole, lengths, draw(st.integers(0, 2**32)))


def _moves(one: Layer) -> bool:
    return one.settings.get("padding") in ("same", "same_lower") and one.axes[-1].stride > 1


def _fits(layers: list[Layer], lengths: tuple[int, int]) -> bool:
    try:
        for length in lengths:
            counts = positions(along(net(*layers)), length)
            if max(counts.values()) > 200:
                return False
    except ValueError:
        return False
    return True


@st.composite
def _layers(draw, name: str, before: list[Layer], lengths: tuple[int, int]) -> Layer:
    sources = [INPUT, *(one.name for one in before)]
    source = draw(st.sampled_from(sources[-3:]))
    channels = 1 if source == INPUT else CHANNELS
    kind = draw(st.sampled_from(("conv", "conv", "up", "pool", "pool", "each", "pad", "join")))
    if kind == "join" and len(before) > 1:
        return draw(_joins(name, before, lengths))
    if kind == "pool" and channels == CHANNELS:
        return draw(_pools(name, source))
    if kind == "pad" and channels == CHANNELS:
        pads = draw(st.tuples(st.integers(-1, 3), st.integers(-1, 3)))
        value = 0.37 * len(sources)  # of each layer its own, so that one is not another's
        return layer(name, "pad", source, padding=pads, value=value)
    if kind == "each" and channels == CHANNELS:
        return layer(name, draw(st.sampled_from(("relu", "negative", "batch_norm"))), source)
    return draw(_convs(name, source, channels, kind == "up"))


@st.composite
def _convs(draw, name: str, source: str, channels: int, up: bool) -> Layer:
    stride = draw(st.integers(1, 3))
    more = {"op": "conv2d_transpose"} if up else {}
    if up:
        more["output_padding"] = draw(st.integers(0, stride - 1))
    return conv(
        name,
        draw(st.integers(1, 4)),
        (channels, CHANNELS),
        sources=(source,),
        strides=stride,
        dilations=draw(st.integers(1, 2)),
        padding=draw(
            st.sampled_from(WORDS[: 3 if up else 4])
            | st.tuples(st.integers(-1, 3), st.integers(-1, 3))
        ),
        **more,
    )


@st.composite
def _pools(draw, name: str, source: str) -> Layer:
    size, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pads = st.tuples(st.integers(0, size // 2), st.integers(0, size // 2))
    more = {"ceil_mode": draw(st.booleans())}
    op = draw(st.sampled_from(("max_pool", "avg_pool")))
    if op == "avg_pool":
        more["count_include_pad"] = draw(st.booleans())
    padding = draw(st.sampled_from(("valid", "same", "same_lower")) | pads)
    if isinstance(padding, str):
        more["ceil_mode"] = False
    return layer(name, op, source, size=size, strides=stride, padding=padding, **more)


@st.composite
def _joins(draw, name: str, before: list[Layer], lengths: tuple[int, int]) -> Layer:
    """Join two activations that have as many positions at both lengths, else one with itself."""
    counts = [positions(along(net(*before)), length) for length in lengths]
    first = draw(st.sampled_from([one.name for one in before]))
    if draw(st.integers(0, 3)) == 0:
        second = draw(st.sampled_from([one.name for one in before]))
        return layer(name, "concat", first, second, axis="length")
    fitting = [
        one.name for one in before if all(count[one.name] == count[first] for count in counts)
    ]
    op = draw(st.sampled_from(("add", "subtract", "multiply")))
    return layer(name, op, first, draw(st.sampled_from(fitting)))
