"""Small nets of random numbers that have every kind of layer, with branches and odd geometries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convdiff.case.arrays import numpy_dtype
from convdiff.lab.nets import Subject
from convdiff.worker.ops import OPS
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.net import INPUT, KINDS, Layer, Net
from convdiff.worker.ops.net_shapes import extents

EXACT = {"relu", "relu6", "abs", "negative", "clip", "max_pool", "global_max_pool", "add"}
EXACT |= {"subtract", "multiply", "maximum", "minimum", "concat", "pad", "flatten", "reshape"}
EXACT |= {"identity", "prelu", "leaky_relu", *OPS}
"""Kinds that round nothing where numbers are small integers, and slopes powers of two."""
SHAPES = {1: (1, 11, 4), 2: (7, 11, 4), 3: (21, 11, 4)}
"""Rows, length and channels of the input, by rank."""
DEPTHS = {1: 1, 2: 1, 3: 3}


class Builder:
    """Adds layers to a net and makes their arrays: small integers, or else normal numbers."""

    def __init__(self, rank: int, integers: bool = True, seed: int = 1) -> None:
        self.rank, self.integers = rank, integers
        self.rng = np.random.default_rng(seed)
        self.shape, self.depth = SHAPES[rank], DEPTHS[rank]
        self.layers: list[Layer] = []
        self.arrays: dict[str, np.ndarray] = {}

    @property
    def last(self) -> str:
        return self.layers[-1].name if self.layers else INPUT

    def numbers(self, shape: Any, positive: bool = False) -> np.ndarray:
        if self.integers:
            return self.rng.integers(1 if positive else -4, 5, shape).astype(np.float64)
        return self.rng.uniform(0.5, 2, shape) if positive else self.rng.normal(0, 1, shape)

    def net(self, dtype: str = "float32") -> Net:
        return Net(tuple(self.layers), (self.last,), dtype, self.rank, self.depth)

    def size(self, name: str) -> tuple[int, int, int, int]:
        return extents(self.net(), *self.shape, self.depth)[name]

    def add(
        self, kind: str, /, *sources: str, arrays: Mapping[str, Any] | None = None, **settings: Any
    ) -> str:
        """Add a layer that reads the last one, or these."""
        name, keys = f"{kind}_{len(self.layers)}", {}
        for role, array in (arrays or {}).items():
            keys[role] = f"{name}/{role}"
            self.arrays[keys[role]] = np.asarray(array, np.float64)
        whole = settings if kind in OPS else {**dict(KINDS[kind].settings), **settings}
        self.layers.append(Layer(name, kind, sources or (self.last,), whole, keys))
        return name

    def conv(self, op: str = "", source: str = "", channels: int = 3, **more: Any) -> str:
        """Add an op of the net's rank, or this one. more: fields of Convolution, kernel first."""
        op, source = op or f"conv{self.rank}d", source or self.last
        depth, _, _, cin = self.size(source)
        kernel = around(more.pop("kernel", (3, 2, 2)[: OPS[op]]))
        ones = (1,) * len(kernel)
        conv = Convolution(kernel, cin, channels, ones, ones, op=op, depth=depth)
        conv = conv._replace(output_padding=(0,) * len(kernel))._replace(**more)
        arrays = {"filter": self.numbers(conv.filter_shape), "bias": self.numbers((channels,))}
        return self.add(op, source, arrays=arrays, **conv._asdict())

    def subject(self, dtype: str = "float32", batch: int = 2) -> Subject:
        """Return the net, whose layers that none reads are its outputs, with its arrays."""
        read = {source for layer in self.layers for source in layer.sources}
        outputs = tuple(layer.name for layer in self.layers if layer.name not in read)
        return typed(
            Subject(
                "small",
                self.net()._replace(outputs=outputs),
                self.arrays,
                self.numbers((batch, *self.shape)),
            ),
            dtype,
        )


def typed(subject: Subject, dtype: str) -> Subject:
    """Return a subject in another dtype, its numbers rounded."""
    kind = numpy_dtype(dtype)
    return replace(
        subject,
        net=subject.net._replace(dtype=dtype),
        arrays={key: array.astype(kind) for key, array in subject.arrays.items()},
        input_nhwc=subject.input_nhwc.astype(kind),
    )


def around(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return an entry for each axis of a kernel of an op's own ones."""
    return (1,) * (2 - len(values)) + tuple(values)


def paired(padding: Any, rank: int) -> Any:
    """Return a padding of all own axes: a word as it is, a pair for each."""
    if isinstance(padding, str):
        return padding
    return ((0, 0),) * (rank == 1) + (tuple(padding),) * rank


WITH = {"leaky_relu": {"alpha": 0.5}, "clip": {"low": -1.0, "high": 2.0}}
WITH["hard_sigmoid"] = {"alpha": 0.25, "beta": 0.5}


def elementwise(rank: int, integers: bool, without: Sequence[str] = ()) -> Builder:
    """Return a net with every elementwise kind and normalisation beside each other."""
    b = Builder(rank, integers)
    apart = b.add("add", b.add("abs", INPUT), arrays={"constant": np.ones(4)})
    channels = {role: b.numbers((4,), True) for role in ("scale", "shift", "mean", "variance")}
    given = {"prelu": {"slope": [0.5, 0.25, 2, 1]}, "batch_norm": channels}
    for kind, row in KINDS.items():
        if row.family in ("elementwise", "normalisation") and kind not in without:
            source = apart if kind in ("log", "sqrt") else INPUT
            b.add(kind, source, arrays=given.get(kind), **WITH.get(kind, {}))
    if "gelu" not in without:
        b.add("gelu", INPUT, approximate=True)
    b.add("elu", INPUT, alpha=0.5)
    b.add("hard_sigmoid", INPUT, alpha=1 / 6, beta=0.5)
    return b


def joins(rank: int, integers: bool) -> Builder:
    """Return a net in which branches meet in every kind of join, global pools among them."""
    b = Builder(rank, integers)
    left, right = b.conv(source=INPUT), b.conv(source=INPUT)
    far = b.add("add", b.add("abs", right), arrays={"constant": np.ones(())})
    for kind in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        b.add(kind, left, far)
        b.add(kind, left, arrays={"constant": b.numbers((3,), positive=True)})
    b.add("add", left, right, left)
    b.add("multiply", left, b.add("global_max_pool", right))
    b.add("multiply", left, b.add("global_avg_pool", right))
    for axis in ("channels", "length") + (() if rank == 1 else ("height",)):
        b.add("concat", left, right, axis=axis)
    b.conv(kernel=(1,) * rank)
    return b


POOLS = (
    ((2, 2), {"strides": (2, 2)}),
    ((2, 3), {"strides": (1, 2), "padding": "same"}),
    ((3, 3), {"strides": (2, 2), "padding": (1, 1)}),
    ((3, 3), {"strides": (2, 2), "padding": (1, 0), "ceil_mode": True}),
    ((2, 4), {"strides": (3, 3), "padding": (1, 1), "ceil_mode": True}),
    ((3, 4), {"strides": (2, 3), "padding": "same_lower"}),
    ((2, 2), {}),
)
"""Window and settings of the last two axes; the first of three has 2 and the same stride."""


def pools(rank: int, integers: bool) -> Builder:
    """Return a net with pools of every padding and rounding beside each other."""
    b = Builder(rank, integers)
    for size, settings in POOLS:
        own = {"size": _spread(size, rank), **settings}
        if "strides" in own:
            own["strides"] = _spread(settings["strides"], rank)
        own["padding"] = paired(own.get("padding", "valid"), rank)
        b.add("max_pool", INPUT, **own)
        for counting in (False, True):
            b.add("avg_pool", INPUT, **own, count_include_pad=counting)
    return b


def _spread(values: tuple[int, int], rank: int) -> tuple[int, ...]:
    return {1: (1, values[1]), 2: values, 3: (2, *values)}[rank]


def convolutions(rank: int, integers: bool, transposed: bool) -> Builder:
    """Return a net with convolutions, or transposed ones, of every padding beside each other."""
    b = Builder(rank, integers)
    op = f"conv{rank}d{'_transpose' * transposed}"
    for padding in ("valid", "same", (1, 0), (0, 2)):
        b.conv(op, INPUT, padding=paired(padding, rank), kernel=(3,) * rank)
    b.conv(op, INPUT, strides=around((2,) * rank), kernel=(2,) * rank)
    if not transposed:
        b.conv(op, INPUT, padding="causal")
        b.conv(op, INPUT, padding=paired((-1, 1), rank))
        b.conv(op, INPUT, dilations=around((2,) * rank), kernel=(2,) * rank)
        b.conv(op, INPUT, padding="same_lower", kernel=(2,) * rank)
        strides = around((3,) * rank)  # what is added depends on the length
        b.conv(op, INPUT, padding="same_lower", kernel=(3,) * rank, strides=strides)
    return b


def flattened(rank: int, order: str, integers: bool) -> Builder:
    """Return a net that is flat for a while: products, a join, and back through a reshape."""
    b = Builder(rank, integers)
    b.conv()
    b.add("flatten", order=order)
    first = b.conv("dense", kernel=(1,), channels=8)
    b.add("relu")
    b.add("add", b.last, first, arrays={"constant": b.numbers((8,))})
    b.add("flatten", order=order)
    b.add("concat", b.last, first)
    b.add("reshape", shape=(1, 4, 4))
    b.conv(channels=2, kernel=(1,) * rank)
    b.conv("dense", kernel=(1,), channels=5)
    return b


def squeezed(rank: int, order: str, integers: bool) -> Builder:
    """Return a net whose channels are scaled by what was flat, and cut and padded."""
    b = Builder(rank, integers)
    whole = b.conv()
    b.add("flatten", b.add("global_max_pool"), order=order)
    b.conv("dense", kernel=(1,), channels=3)
    b.add("identity")
    b.add("multiply", whole, b.last)
    b.add("pad", padding=paired((1, 2), rank), value=3.0)
    b.add("pad", padding=paired((-1, 1), rank), value=0.0)
    return b


def folding(what: str) -> Builder:
    """Return a net of three blocks with what optimisers fold together: see `FOLDED`."""
    b = Builder(2, integers=False)
    b.shape = (8, 24, 16)
    for _ in range(3):
        b.conv(channels=16, kernel=(3, 3), padding="same")
        FOLDED[what](b)
        b.add("relu")
        b.add("max_pool", size=(1, 2))
    return b


def _batch_norm(b: Builder) -> None:
    roles = {"scale": True, "shift": False, "mean": False, "variance": True}
    b.add("batch_norm", arrays={role: b.numbers((16,), sign) for role, sign in roles.items()})


def _residual(b: Builder) -> None:
    source = b.add("relu")
    b.add("add", b.conv(channels=16, kernel=(3, 3), padding="same"), source)


def _scaled(b: Builder) -> None:
    b.conv(channels=16, kernel=(1, 1))
    for kind in ("multiply", "add"):
        b.add(kind, arrays={"constant": b.numbers((16,))})


def _activated(b: Builder) -> None:
    for kind in ("sigmoid", "silu", "hard_swish"):
        b.add(kind)
        b.conv(channels=16, kernel=(1, 1))


FOLDED = {
    "batch_norm": _batch_norm,
    "residual": _residual,
    "scaled": _scaled,
    "activated": _activated,
}
"""What stands between a block's convolution and its relu."""


def exact_layers(net: Net) -> set[str]:
    """Return the layers whose values are exact in any dtype where the input is small integers."""
    exact = {INPUT}
    for layer in net.layers:
        if layer.op in EXACT and exact.issuperset(layer.sources):
            exact.add(layer.name)
    return exact
