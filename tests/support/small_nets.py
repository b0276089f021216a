"""Small nets, one or more for each kind of layer, of random shapes and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
"""Kinds whose arithmetic rounds nothing where numbers are small integers (and slopes 0.5)."""


@dataclass
class Builder:
    """Adds layers to a net and makes their arrays, small integers or floats."""

    rank: int
    rng: np.random.Generator
    integers: bool
    shape: tuple[int, int, int]
    """Rows, length and channels of the input."""
    depth: int = 1

    def __post_init__(self) -> None:
        self.layers: list[Layer] = []
        self.arrays: dict[str, np.ndarray] = {}

    @property
    def last(self) -> str:
        return self.layers[-1].name if self.layers else INPUT

    def numbers(self, shape: Any, positive: bool = False) -> np.ndarray:
        if self.integers:
            return self.rng.integers(1 if positive else -4, 5, shape).astype(np.float64)
        if positive:
            return self.rng.uniform(0.5, 2, shape)
        return self.rng.normal(0, 1, shape)

    def size(self, name: str) -> tuple[int, int, int, int]:
        net = Net(tuple(self.layers), (), rank=self.rank)
        return extents(net, *self.shape, self.depth)[name]

    def add(
        self, kind: str, /, *sources: str, arrays: Mapping[str, Any] | None = None, **settings: Any
    ) -> str:
        name = f"{kind}_{len(self.layers)}"
        keys = {}
        for role, array in (arrays or {}).items():
            keys[role] = f"{name}/{role}"
            self.arrays[keys[role]] = np.asarray(array, np.float64)
        whole = settings if kind in OPS else {**dict(KINDS[kind].settings), **settings}
        self.layers.append(Layer(name, kind, sources or (self.last,), whole, keys))
        return name

    def conv(self, op: str = "", channels: int = 3, source: str = "", **more: Any) -> str:
        op = op or f"conv{self.rank}d"
        source = source or self.last
        depth, _, _, cin = self.size(source)
        kernel = more.pop("kernel", (2,) * self.rank)
        kernel = (1,) * (2 - len(kernel)) + tuple(kernel)
        ones = (1,) * len(kernel)
        conv = Convolution(
            kernel, cin, channels, ones, ones, op=op, output_padding=(0,) * len(kernel)
        )
        conv = conv._replace(depth=depth, **more)
        bias = self.numbers((channels,))
        arrays = {"filter": self.numbers(conv.filter_shape), "bias": bias}
        return self.add(op, source, arrays=arrays, **conv._asdict())

    def subject(self, dtype: str = "float32", batch: int = 2) -> Subject:
        net = Net(tuple(self.layers), (self.last,), dtype, self.rank, self.depth)
        kind = numpy_dtype(dtype)
        x = self.numbers((batch, *self.shape))
        arrays = {key: array.astype(kind) for key, array in self.arrays.items()}
        return Subject(self.last, net, arrays, x.astype(kind))


def builder(seed: int, rank: int = 2, integers: bool = False) -> Builder:
    rng = np.random.default_rng(seed)
    rows, depth = {1: (1, 1), 2: (5, 1), 3: (12, 3)}[rank]
    return Builder(rank, rng, integers, (rows, 9, 4), depth)


POSITIVE = ("log", "sqrt", "divide")


def of_kind(kind: str, seed: int = 1, rank: int = 2, integers: bool = False) -> Builder:
    """Return a net around one layer of a kind, with the settings that need saying."""
    b = builder(seed, rank, integers)
    family = KINDS[kind].family
    if family == "op":
        b.rank = rank if OPS[kind] == 1 and rank == 1 else max(OPS[kind], rank)
        _op(b, kind)
    elif family == "pool":
        b.add(kind, size=(1,) * (rank == 1) + (2,) * rank, strides=(1,) * (rank == 1) + (2,) * rank)
    elif family == "join":
        _join(b, kind)
    else:
        _plain(b, kind)
    return b


def _op(b: Builder, kind: str) -> None:
    rank = OPS[kind]
    if kind == "dense":
        b.add("flatten", order="hwc")
    else:
        b.rank = rank
        rows, depth = {1: (1, 1), 2: (5, 1), 3: (12, 3)}[rank]
        b.shape, b.depth = (rows, *b.shape[1:]), depth
    b.conv(kind, 6, kernel=(1,) if kind == "dense" else (2,) * rank)


def _join(b: Builder, kind: str) -> None:
    left = b.conv()
    right = b.conv(source=INPUT)
    if kind in POSITIVE:
        right = b.add("abs", right)
        right = b.add("add", right, arrays={"constant": np.ones(3)})
    b.add(kind, left, right)
    if KINDS[kind].arrays:
        b.add(kind, arrays={"constant": b.numbers((3,), positive=True)})


def _plain(b: Builder, kind: str) -> None:
    arrays: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    if kind in POSITIVE:
        b.add("abs")
        b.add("add", arrays={"constant": np.ones(4)})
    if kind == "batch_norm":
        arrays = {
            role: b.numbers((4,), role in ("scale", "variance")) for role in KINDS[kind].arrays
        }
    if kind == "prelu":
        arrays = {"slope": np.array([0.5, 0.25, 2, 1])}
    if kind == "clip":
        settings = {"low": -1.0, "high": 2.0}
    if kind == "leaky_relu":
        settings = {"alpha": 0.5}
    if kind == "pad":
        pads = ((1, 0),) * (b.rank == 3) + ((0, 0) if b.rank == 1 else (1, 2), (2, 1))
        settings = {"padding": pads, "value": 3.0}
    if kind == "reshape":
        rows, length, channels = b.shape
        settings = {"shape": (rows, length * 2, channels // 2)}
    b.add(kind, arrays=arrays, **settings)
