"""Nets in PyTorch: layer by layer, or compiled as one function a shape."""

from functools import lru_cache, partial
from typing import Any, Container, Dict, Iterator, List, Tuple

import numpy as np

from .. import layout
from ..ops.convolution import Convolution
from ..ops.net import Layer, Net
from ..ops.net_shapes import moves, spatial
from . import pools
from .steps import (
    KEPT,
    Build,
    Call,
    Place,
    Step,
    build,
    constant,
    flat,
    folded,
    joined,
    named,
    sizes_of,
    unfolded,
    walk,
)


class TorchNet(object):
    """Activations are N, C, …, as the functions of torch.nn.functional take them."""

    def __init__(self, framework: Any, net: Net, arrays: Dict[str, Any], ways: Dict[str, Any]):
        """ways: what the framework's file has and this one needs, by name.

        `laid(which, array, axes)`, `tensor(array)` and `array(tensor)` go to torch and back;
        `convolution(conv, x)` and `transposed(conv, pads)` make the call of an op; `switched()`
        switches what is a switch of the process; `compile` is None or compiles a function.
        """
        self.torch, self.eager = framework.torch, framework.eager
        self.net, self.ways = net, ways
        self.tensors = {layer.name: self._tensors(layer, arrays) for layer in net.layers}
        self.steps = lru_cache(KEPT)(self._steps)
        self.functions = lru_cache(KEPT)(self._function)

    def run(self, input_nhwc: Any, fetched: Container[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the fetched activations, NHWC, each as soon as it is there."""
        x = layout.nchw(unfolded(self.net, input_nhwc))
        x = self.ways["laid"]("input", x, "NC" + "DHW"[-self.net.rank :])
        self.ways["switched"]()
        with self.torch.no_grad():
            if self.ways["compile"]:
                names = named(self.net, fetched)
                found = iter(list(zip(names, self.functions(input_nhwc.shape, names)(x))))
            else:
                found = walk(self.net, self.steps(input_nhwc.shape), x, fetched)
            for name, y in found:
                yield name, folded(layout.nhwc(self.ways["array"](y)))

    def _steps(self, shape: Tuple[int, ...]) -> List[Step]:
        return build(LAYERS, self, self.net, self.tensors, sizes_of(self.net, shape))

    def _function(self, shape: Tuple[int, ...], names: Tuple[str, ...]) -> Any:
        """Return the net as one function, compiled for a shape and what is fetched."""
        steps = self.steps(shape)
        rows = [(step.layer.name, step.layer.sources, step.call) for step in steps]
        return self.ways["compile"](partial(_straight, rows, names))

    def _tensors(self, layer: Layer, arrays: Dict[str, Any]) -> Dict[str, Any]:
        """Return a layer's arrays as torch takes them."""
        made, rank = {}, 0 if layer.name in flat(self.net) else self.net.rank
        for role, key in layer.arrays.items():
            array = arrays[key]
            if role == "filter" and layer.op in PRODUCTS:
                made[role] = self.ways["tensor"](layout.oihw(layer.conv.own_filter(array)[0]))
            elif role == "filter":
                made[role] = self.ways["laid"]("weights", *_filter(layer, array))
            else:
                if role == "constant":
                    array = np.moveaxis(constant(array, rank), -1, 0)
                made[role] = self.ways["tensor"](array)
        return made


PRODUCTS = ("dense",)
"""Ops whose weights are a matrix, which no memory format is for."""


def _straight(rows: List[Any], names: Tuple[str, ...], x: Any) -> List[Any]:
    """Run all steps and return what is named: plain enough for a compiler."""
    held = {"input": x}
    for name, sources, call in rows:
        held[name] = call(*[held[source] for source in sources])
    return [held[name] for name in names]


def _filter(layer: Layer, array: Any) -> Tuple[Any, str]:
    """Return a filter as torch takes it, and its axes."""
    conv = layer.conv
    w = conv.own_filter(array)
    axes = "DHW"[-conv.rank :]
    if conv.transposed:
        return layout.iohw(w, conv.groups), "IO" + axes
    return layout.oihw(w), "OI" + axes


def _op(torch: TorchNet, place: Place) -> Call:
    conv, w, bias = _counted(place), place.arrays["filter"], place.arrays.get("bias")
    pads = tuple(axis.pad(n) for axis, n in zip(conv.own(conv.axes), place.own))

    def call(x: Any) -> Any:
        if conv.transposed:
            made = torch.ways["transposed"](conv, pads)
        else:
            made, x = torch.ways["convolution"](conv, x.movedim(1, -1))
            x = x.movedim(-1, 1)
        return torch.eager(x, w, bias, *made)

    return call


def _counted(place: Place) -> Convolution:
    """Return an op's geometry; SAME with strides, which PyTorch refuses, with numbers."""
    conv = place.conv
    if conv.transposed or conv.padding not in ("same", "same_lower") or set(conv.strides) == {1}:
        return conv
    extents = spatial(place.size, len(conv.axes))
    return conv._replace(padding=tuple(a.pad(n) for a, n in zip(conv.axes, extents)))


def _dense(torch: TorchNet, place: Place) -> Call:
    w, bias = place.arrays["filter"], place.arrays.get("bias")
    linear = torch.torch.nn.functional.linear
    if place.flat:
        return lambda x: linear(x, w, bias)
    return lambda x: linear(x.movedim(1, -1), w, bias).movedim(-1, 1)


def _pool(kind: str, torch: TorchNet, place: Place) -> Call:
    """Return torch's own pool, which pads both ends alike, by half of a window at most."""
    settings, functional = place.layer.settings, torch.torch.nn.functional
    function = getattr(functional, "%s_pool%dd" % (kind, place.net.rank))
    axes = place.rest(place.layer.axes)
    size, strides, dilations = ([axis[n] for axis in axes] for n in range(3))
    options = {"dilation": dilations} if set(dilations) != {1} else {}
    pads = [axis.pad(n) for axis, n in zip(axes, place.own)]
    own = {name: settings[name] for name in OWN if name in settings}
    own["padding"] = [before for before, _ in pads]
    if any(not before == after <= k // 2 for (before, after), k in zip(pads, size)):
        return _padded(kind, torch, place, partial(function, **options))
    return lambda x: function(x, size, strides, **own, **options)


OWN = ("ceil_mode", "count_include_pad")
"""Settings that torch's pools have by the same names."""


def _padded(kind: str, torch: TorchNet, place: Place, function: Call) -> Call:
    """Return a pool of what F.pad pads."""
    axes = place.rest(moves(place.layer, place.size))
    size, strides = ([axis[n] for axis in axes] for n in range(2))
    pads, pad = _for_pad([axis.padding for axis in axes]), torch.torch.nn.functional.pad
    if kind == "max":
        return lambda x: function(pad(x, pads, value=-np.inf), size, strides)
    share = pools.share(place.layer, place.size)
    divisor = torch.torch.as_tensor(share.reshape(share.shape[-place.net.rank :]))
    return lambda x: function(pad(x, pads), size, strides) / divisor.to(x)


def _for_pad(pads: Any) -> List[int]:
    """Return (before, after) of each axis as F.pad takes them: the last axis first."""
    return [number for pair in reversed(list(pads)) for number in pair]


def _global(name: str, torch: TorchNet, place: Place) -> Call:
    function = getattr(torch.torch.nn.functional, "%s%dd" % (name, place.net.rank))
    return lambda x: function(x, 1)


def _named(name: str, torch: TorchNet, place: Place) -> Call:
    """Return a function of torch.nn.functional, or else of torch, with the layer's settings."""
    values = list(place.layer.settings.values())
    function = getattr(torch.torch.nn.functional, name, None) or getattr(torch.torch, name)
    return lambda x: function(x, *values)


def _gelu(torch: TorchNet, place: Place) -> Call:
    approximate = "tanh" if place.layer.settings["approximate"] else "none"
    return lambda x: torch.torch.nn.functional.gelu(x, approximate=approximate)


def _hard_sigmoid(torch: TorchNet, place: Place) -> Call:
    alpha, beta = place.layer.settings["alpha"], place.layer.settings["beta"]
    if (alpha, beta) == (1 / 6, 0.5):
        return torch.torch.nn.functional.hardsigmoid  # type: ignore[no-any-return]
    return lambda x: torch.torch.clamp(x * alpha + beta, 0, 1)


def _prelu(torch: TorchNet, place: Place) -> Call:
    return lambda x: torch.torch.nn.functional.prelu(x, place.arrays["slope"])


def _softmax(torch: TorchNet, place: Place) -> Call:
    return lambda x: torch.torch.nn.functional.softmax(x, 1)


def _batch_norm(torch: TorchNet, place: Place) -> Call:
    given = [place.arrays[role] for role in ("mean", "variance", "scale", "shift")]
    epsilon = place.layer.settings["epsilon"]
    return lambda x: torch.torch.nn.functional.batch_norm(x, *given, eps=epsilon)


def _join(name: str, torch: TorchNet, place: Place) -> Call:
    return joined(getattr(torch.torch, name), place)


def _concat(torch: TorchNet, place: Place) -> Call:
    axis = place.joined
    axis = 1 if axis > place.net.rank else axis + 1
    return lambda *given: torch.torch.cat(given, axis)


def _pad(torch: TorchNet, place: Place) -> Call:
    settings = place.layer.settings
    pads = _for_pad(place.rest(settings["padding"]))
    return lambda x: torch.torch.nn.functional.pad(x, pads, value=settings["value"])


def _flatten(torch: TorchNet, place: Place) -> Call:
    if place.layer.settings["order"] == "chw":
        return lambda x: x.flatten(1)
    return lambda x: x.movedim(1, -1).flatten(1)


def _reshape(torch: TorchNet, place: Place) -> Call:
    shape = (-1,) + place.fixed
    return lambda x: x.movedim(1, -1).reshape(shape).movedim(-1, 1).contiguous()


def _lift(torch: TorchNet, place: Place) -> Call:
    ones = (1,) * place.net.rank
    return lambda x: x.reshape(x.shape + ones)


def _identity(torch: TorchNet, place: Place) -> Call:
    return lambda x: x


LAYERS: Dict[str, Build] = {
    "op": _op,
    "dense": _dense,
    "max_pool": partial(_pool, "max"),
    "avg_pool": partial(_pool, "avg"),
    "global_max_pool": partial(_global, "adaptive_max_pool"),
    "global_avg_pool": partial(_global, "adaptive_avg_pool"),
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "prelu": _prelu,
    "softmax": _softmax,
    "batch_norm": _batch_norm,
    "divide": partial(_join, "div"),
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "lift": _lift,
    "identity": _identity,
}
LAYERS.update((name, partial(_join, name)) for name in ("add", "subtract", "multiply"))
LAYERS.update((name, partial(_join, name)) for name in ("maximum", "minimum"))
for _name in ("relu", "relu6", "leaky_relu", "elu", "selu", "silu", "softplus", "softsign"):
    LAYERS[_name] = partial(_named, _name)
for _name in ("sigmoid", "tanh", "exp", "log", "sqrt", "abs", "negative"):
    LAYERS[_name] = partial(_named, _name)
LAYERS["hard_swish"] = partial(_named, "hardswish")
LAYERS["clip"] = partial(_named, "clamp")
