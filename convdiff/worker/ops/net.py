"""A net: layers in a graph, each an op of this project or something elementwise, pooling, joining.

Activations are NHWC as everywhere behind the reader: of one dimension with a height of 1, of three
with rows = depth · height; a layer's (rows, length, channels) is its `Shape`. Both sides of the
pipe use this file; it runs on Python 3.6. What is here counts; it computes nothing.
"""

from typing import Any, Dict, NamedTuple, Sequence, Tuple

from .axis import Axis
from .convolution import OPS, Convolution, with_tuples

INPUT = "input"
"""The source that is the net's own input."""
Shape = Tuple[int, int, int]
"""(rows, length, channels) of an activation of one image."""


class Kind(NamedTuple):
    """What layers of one kind take."""

    family: str
    """op, pool, global, elementwise, normalisation, join, or move."""
    arrays: Tuple[str, ...] = ()
    """Names of the arrays that it may have, in order."""
    needed: int = 0
    """How many of them it must have."""
    settings: Tuple[Tuple[str, Any], ...] = ()
    """Names and defaults of what else it may be told; None is what must be given."""


_POOL = (("size", None), ("strides", ()), ("padding", "valid"), ("dilations", ()))
_AVERAGE = _POOL + (("ceil_mode", False), ("count_include_pad", False))

KINDS = {
    "max_pool": Kind("pool", settings=_POOL + (("ceil_mode", False),)),
    "avg_pool": Kind("pool", settings=_AVERAGE),
    "global_max_pool": Kind("global"),
    "global_avg_pool": Kind("global"),
    "relu": Kind("elementwise"),
    "relu6": Kind("elementwise"),
    "leaky_relu": Kind("elementwise", settings=(("alpha", 0.01),)),
    "elu": Kind("elementwise", settings=(("alpha", 1.0),)),
    "selu": Kind("elementwise"),
    "gelu": Kind("elementwise", settings=(("approximate", False),)),
    "silu": Kind("elementwise"),
    "hard_sigmoid": Kind("elementwise", settings=(("alpha", 0.2), ("beta", 0.5))),
    "hard_swish": Kind("elementwise"),
    "softplus": Kind("elementwise"),
    "softsign": Kind("elementwise"),
    "sigmoid": Kind("elementwise"),
    "tanh": Kind("elementwise"),
    "exp": Kind("elementwise"),
    "log": Kind("elementwise"),
    "sqrt": Kind("elementwise"),
    "abs": Kind("elementwise"),
    "negative": Kind("elementwise"),
    "clip": Kind("elementwise", settings=(("low", None), ("high", None))),
    "prelu": Kind("elementwise", ("slope",), 1),
    "softmax": Kind("normalisation"),
    "batch_norm": Kind(
        "normalisation", ("scale", "shift", "mean", "variance"), 4, (("epsilon", 1e-3),)
    ),
    "add": Kind("join", ("constant",)),
    "subtract": Kind("join", ("constant",)),
    "multiply": Kind("join", ("constant",)),
    "divide": Kind("join", ("constant",)),
    "maximum": Kind("join", ("constant",)),
    "minimum": Kind("join", ("constant",)),
    "concat": Kind("join", settings=(("axis", "channels"),)),
    "pad": Kind("move", settings=(("padding", None), ("value", 0.0))),
    "flatten": Kind("move", settings=(("order", "hwc"),)),
    "reshape": Kind("move", settings=(("shape", None),)),
    "identity": Kind("move"),
}  # type: Dict[str, Kind]
"""Layers that are no op of `convolution.OPS`, and what they take.

`softmax` is over the channels; `flatten` gives (1, 1, rows · length · channels), its elements in
that order or channels first; `reshape` the `Shape` that it is told. A join reads two sources or
more, or one and its constant.
"""
KINDS.update((op, Kind("op", ("filter", "bias"), 1)) for op in OPS)


class Layer(NamedTuple):
    """One step of a net."""

    name: str
    op: str
    """A row of KINDS."""
    sources: Tuple[str, ...]
    """The layers that it reads, in order, or INPUT."""
    settings: Dict[str, Any]
    """What `Kind.settings` names, all of it, as plain values; for an op, the geometry: what
    `Convolution._asdict` gives. Sizes have an entry for each axis of `Convolution.kernel`."""
    arrays: Dict[str, str]
    """From the names in `Kind.arrays` to keys of the net's arrays."""

    @classmethod
    def parsed(cls, plain: Sequence[Any]) -> "Layer":
        """Return the layer that travelled as JSON, which knows no tuples."""
        name, op, sources, settings, arrays = plain
        settings = {key: with_tuples(value) for key, value in settings.items()}
        return cls(name, op, tuple(sources), settings, arrays)

    @property
    def kind(self) -> Kind:
        """What layers like this take."""
        return KINDS[self.op]

    @property
    def conv(self) -> Convolution:
        """The geometry of an op; its `depth` is that of this layer's input."""
        return Convolution.parsed(self.settings)

    @property
    def axes(self) -> Tuple[Axis, ...]:
        """How an op or a pool moves along each spatial axis, the length last."""
        if self.kind.family == "op":
            return self.conv.axes
        size = tuple(self.settings["size"])
        strides = tuple(self.settings["strides"]) or size
        dilations = tuple(self.settings["dilations"]) or (1,) * len(size)
        padding = self.settings["padding"]
        pads = (padding,) * len(size) if isinstance(padding, str) else map(tuple, padding)
        whole = tuple(map(Axis, size, strides, dilations, pads))
        return tuple(axis._replace(ceil_mode=self.settings["ceil_mode"]) for axis in whole)


class Net(NamedTuple):
    """Layers, each after those that it reads."""

    layers: Tuple[Layer, ...]
    outputs: Tuple[str, ...]
    """Names of the layers whose activations are the net's answer."""
    dtype: str = "float32"
    rank: int = 2
    """How many spatial axes its ops have, so that frameworks are asked for their own."""
    depth: int = 1
    """Its input's depth, of a net of rank 3: rows = depth · height."""

    @classmethod
    def parsed(cls, plain: Dict[str, Any]) -> "Net":
        """Return the net that travelled as `plain()`."""
        layers = tuple(map(Layer.parsed, plain["layers"]))
        return cls(layers, tuple(plain["outputs"]), plain["dtype"], plain["rank"], plain["depth"])

    def plain(self) -> Dict[str, Any]:
        """Return it as plain values, as it travels."""
        return self._asdict()

    def layer(self, name: str) -> Layer:
        """Return a layer by its name. Raises KeyError."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)
