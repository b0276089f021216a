"""A net as an ONNX model, for those who run one: ONNX Runtime and OpenVINO. Built once.

Activations are N, C, …; weights are initializers, as in a model that was exported. What
`ceil_mode` adds is written as numbers, since versions differ in it: such a net has one model a
length.
"""

from functools import lru_cache, partial
from typing import Any, Container, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .. import layout, onnx_nodes
from ..heap import give_back
from ..ops.net import Layer, Net
from ..ops.net_shapes import moves
from .steps import (
    KEPT,
    Build,
    Call,
    Place,
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

HELD = 128 * 2**20
"""Bytes of weights that sessions which are kept hold together, or one alone: each has its own."""
WORDS = tuple(onnx_nodes.AUTO_PAD)
OPSET = 13
NEWER = {"Gelu": 20, "HardSwish": 14}
"""Of which version of ONNX what is not in OPSET is; a dilated AveragePool is of 19."""


class Model(object):
    """Collects nodes and initializers; a tensor is its name."""

    def __init__(self, onnx: Any, kind: int) -> None:
        self.onnx, self.kind = onnx, kind
        self.nodes, self.initializers = [], []  # type: List[Any], List[Any]
        self.opset = OPSET

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = "%s_%d" % (op, len(self.nodes))
        self.nodes.append(self.onnx.helper.make_node(op, list(inputs), [name], **attributes))
        self.opset = max(self.opset, NEWER.get(op, 0))
        return name

    def tensor(self, array: Any) -> str:
        """Add an initializer and return its name."""
        name = "array_%d" % len(self.initializers)
        array = np.ascontiguousarray(array)
        self.initializers.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def taken(self, nodes: Sequence[Any], inputs: Sequence[str]) -> str:
        """Add nodes that others made of the inputs a, b, … and return the name of their output."""
        names = dict(zip("abc", inputs))
        for node in nodes:
            for tensor in node.output:
                names[tensor] = "%s_%d" % (tensor, len(self.nodes))
            node.input[:] = [names[tensor] for tensor in node.input]
            node.output[:] = [names[tensor] for tensor in node.output]
            self.nodes.append(node)
        return names["y"]


def exported(
    onnx: Any,
    net: Net,
    arrays: Dict[str, Any],
    shape: Sequence[Optional[int]],
    sizes: Any,
    names: Any,
) -> bytes:
    """Return the model whose outputs are the activations of these names, in order.

    shape: of its input, N, C, …, None where it is open; sizes: of all activations, or None.
    """
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(net.dtype))
    model = Model(onnx, kind)
    flats = flat(net)
    tensors = {layer.name: _tensors(model, net, layer, arrays, flats) for layer in net.layers}
    steps = build(LAYERS, model, net, tensors, sizes)
    found = dict(walk(net, steps, "input", names))
    info = onnx.helper.make_tensor_value_info
    extents = ["n%d" % axis if n is None else n for axis, n in enumerate(shape)]
    outputs = [info(found[name], kind, None) for name in names]
    graph = onnx.helper.make_graph(model.nodes, "net", [info("input", kind, extents)], outputs)
    opset = onnx.helper.make_opsetid("", model.opset)
    made = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    while model.initializers:  # onnx copies what it is given, and weights are large
        made.graph.initializer.append(model.initializers.pop(0))
    return made.SerializeToString()  # type: ignore[no-any-return]


def needs_sizes(layer: Layer) -> bool:
    """Return whether a layer is written for one length.

    A pool is with ceil_mode, and where a word pads a dilated one, which ONNX Runtime gets wrong.
    """
    if layer.kind.family != "pool":
        return False
    dilated = any(n != 1 for n in layer.settings["dilations"])
    return layer.settings["ceil_mode"] or (dilated and layer.settings["padding"] in WORDS)


def _tensors(
    model: Model, net: Net, layer: Layer, arrays: Dict[str, Any], flats: Any
) -> Dict[str, Any]:
    """Return the initializers of a layer's arrays."""
    rank = 0 if layer.name in flats else net.rank
    made = {}
    for role, key in layer.arrays.items():
        array = arrays[key]
        if role == "filter":
            array = _filter(layer, array)
        elif role in ("constant", "slope"):
            array = np.moveaxis(constant(array, rank), -1, 0)
        made[role] = model.tensor(array)
    return made


def _filter(layer: Layer, array: Any) -> Any:
    conv = layer.conv
    w = conv.own_filter(array)
    return WEIGHTS.get(layer.op, _oihw)(conv, w)


def _oihw(conv: Any, w: Any) -> Any:
    return layout.iohw(w, conv.groups) if conv.transposed else layout.oihw(w)


WEIGHTS = {"dense": lambda conv, w: w[0]}


def _op(model: Model, place: Place) -> Call:
    conv = place.conv
    nodes = onnx_nodes.conv_transpose if conv.transposed else onnx_nodes.conv
    given = [place.arrays[role] for role in ("filter", "bias") if role in place.arrays]

    def call(x: str) -> str:
        if not conv.transposed and not isinstance(conv.padding, str):
            cut = [(min(0, before), min(0, after)) for before, after in conv.own(conv.padding)]
            x = _padded(model, x, cut, 0.0) if np.any(cut) else x
        names = list("abc"[: 1 + len(given)])
        return model.taken(nodes(model.onnx, names, conv), [x] + given)

    return call


def _dense(model: Model, place: Place) -> Call:
    given = [place.arrays[role] for role in ("filter", "bias") if role in place.arrays]
    last = _channels_last(place.net.rank)

    def call(x: str) -> str:
        names = list("abc"[: 1 + len(given)])
        nodes = onnx_nodes.matmul(model.onnx, names, place.conv)
        if place.flat:
            return model.taken(nodes, [x] + given)
        y = model.taken(nodes, [model.node("Transpose", x, perm=last)] + given)
        return model.node("Transpose", y, perm=_channels_first(place.net.rank))

    return call


def _channels_last(rank: int) -> List[int]:
    return [0] + list(range(2, rank + 2)) + [1]


def _channels_first(rank: int) -> List[int]:
    return [0, rank + 1] + list(range(1, rank + 1))


def _pool(kind: str, model: Model, place: Place) -> Call:
    settings = place.layer.settings
    axes = place.rest(place.layer.axes)
    size, strides, dilations = ([axis[n] for axis in axes] for n in range(3))
    attributes = {"kernel_shape": size, "strides": strides}  # type: Dict[str, Any]
    if set(dilations) != {1} or kind == "MaxPool":
        attributes["dilations"] = dilations
    if kind == "AveragePool":
        attributes["count_include_pad"] = int(settings["count_include_pad"])
        model.opset = max(model.opset, 19 if "dilations" in attributes else 0)
    ahead, padding = _pool_pads(place, axes)
    attributes.update(padding)
    if not ahead:
        return lambda x: model.node(kind, x, **attributes)
    return lambda x: model.node(kind, _padded(model, x, ahead, 0.0), **attributes)


def _pool_pads(place: Place, axes: Any) -> Tuple[Any, Dict[str, Any]]:
    """Return how a pool pads: what a node ahead of it adds, and its own attributes."""
    settings = place.layer.settings
    padding = settings["padding"]
    if not needs_sizes(place.layer):
        if isinstance(padding, str):
            return (), {"auto_pad": onnx_nodes.AUTO_PAD.get(padding, "VALID")}
        return (), {"pads": _ends(place.rest(padding))}
    asked = [axis.pad(n) for axis, n in zip(axes, place.own)]
    pads = [axis.padding for axis in place.rest(moves(place.layer, place.size))]
    if not settings.get("count_include_pad"):
        return (), {"pads": _ends(pads)}
    rest = [(0, after - own) for (_, after), (_, own) in zip(pads, asked)]
    # What was asked for is counted, and what ceil_mode adds is not.
    return asked, {"pads": _ends(rest), "count_include_pad": 0}


def _ends(pads: Any) -> List[int]:
    """Return what is added before all axes, then what after."""
    return [before for before, _ in pads] + [after for _, after in pads]


def _padded(model: Model, x: str, pads: Any, value: float) -> str:
    """Return data with a value around it; negative pads cut."""
    ends = _ends([(0, 0), (0, 0)] + list(pads))
    dtype = model.onnx.helper.tensor_dtype_to_np_dtype(model.kind)
    fill = model.tensor(np.array(value, dtype))
    return model.node("Pad", x, model.tensor(np.array(ends, np.int64)), fill)


def _node(kind: str, model: Model, place: Place) -> Call:
    """Return a node that has the layer's numbers for attributes."""
    settings = {name: float(value) for name, value in place.layer.settings.items()}

    def call(x: str) -> str:
        return model.node(kind, x, **settings)

    return call


def _clip(low: Any, high: Any, model: Model, place: Place) -> Call:
    settings = place.layer.settings
    dtype = np.dtype(place.net.dtype)
    limits = [settings.get("low", low), settings.get("high", high)]
    tensors = [model.tensor(np.array(limit, dtype)) for limit in limits]
    return lambda x: model.node("Clip", x, *tensors)


def _gelu(model: Model, place: Place) -> Call:
    approximate = "tanh" if place.layer.settings["approximate"] else "none"
    return lambda x: model.node("Gelu", x, approximate=approximate)


def _silu(model: Model, place: Place) -> Call:
    return lambda x: model.node("Mul", x, model.node("Sigmoid", x))


def _prelu(model: Model, place: Place) -> Call:
    return lambda x: model.node("PRelu", x, place.arrays["slope"])


def _softmax(model: Model, place: Place) -> Call:
    return lambda x: model.node("Softmax", x, axis=1)


def _batch_norm(model: Model, place: Place) -> Call:
    given = [place.arrays[role] for role in ("scale", "shift", "mean", "variance")]
    epsilon = place.layer.settings["epsilon"]
    return lambda x: model.node("BatchNormalization", x, *given, epsilon=epsilon)


def _join(kind: str, model: Model, place: Place) -> Call:
    return joined(partial(model.node, kind), place)


def _concat(model: Model, place: Place) -> Call:
    axis = place.joined
    axis = 1 if axis > place.net.rank else axis + 1
    return lambda *given: model.node("Concat", *given, axis=axis)


def _pad(model: Model, place: Place) -> Call:
    settings = place.layer.settings
    return lambda x: _padded(model, x, place.rest(settings["padding"]), settings["value"])


def _flatten(model: Model, place: Place) -> Call:
    def call(x: str) -> str:
        if place.layer.settings["order"] == "hwc":
            x = model.node("Transpose", x, perm=_channels_last(place.net.rank))
        return model.node("Flatten", x, axis=1)

    return call


def _reshape(model: Model, place: Place) -> Call:
    rank = place.net.rank
    shape = np.array([0] + list(place.fixed), np.int64)

    def call(x: str) -> str:
        y = model.node("Transpose", x, perm=_channels_last(rank))
        y = model.node("Reshape", y, model.tensor(shape))
        return model.node("Transpose", y, perm=_channels_first(rank))

    return call


def _lift(model: Model, place: Place) -> Call:
    axes = model.tensor(np.arange(2, place.net.rank + 2, dtype=np.int64))
    return lambda x: model.node("Unsqueeze", x, axes)


LAYERS: Dict[str, Build] = {
    "op": _op,
    "dense": _dense,
    "max_pool": partial(_pool, "MaxPool"),
    "avg_pool": partial(_pool, "AveragePool"),
    "relu6": partial(_clip, 0, 6),
    "clip": partial(_clip, None, None),
    "gelu": _gelu,
    "silu": _silu,
    "prelu": _prelu,
    "softmax": _softmax,
    "batch_norm": _batch_norm,
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "lift": _lift,
}
NODES = {
    "global_max_pool": "GlobalMaxPool",
    "global_avg_pool": "GlobalAveragePool",
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "selu": "Selu",
    "hard_sigmoid": "HardSigmoid",
    "hard_swish": "HardSwish",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "negative": "Neg",
    "identity": "Identity",
}
JOINS = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div"}
JOINS.update({"maximum": "Max", "minimum": "Min"})
LAYERS.update((name, partial(_node, kind)) for name, kind in NODES.items())
LAYERS.update((name, partial(_join, kind)) for name, kind in JOINS.items())


class SessionNet(object):
    """A model a set of fetched activations, opened by who runs it; a length where it must be."""

    def __init__(
        self, onnx: Any, net: Net, arrays: Dict[str, Any], opened: Any, static: bool = False
    ) -> None:
        """opened(model): a function of the input, N, C, …, that returns all outputs in order."""
        self.onnx, self.net, self.arrays, self.opened = onnx, net, arrays, opened
        self.static = static or any(map(needs_sizes, net.layers))
        self.sizes = lru_cache(KEPT)(partial(sizes_of, net))
        weights = sum(array.nbytes for array in arrays.values())
        self.most = max(1, min(KEPT, HELD // max(1, weights)))
        self.sessions = {}  # type: Dict[Any, Any]

    def run(self, input_nhwc: Any, fetched: Container[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the fetched activations, NHWC."""
        self.sizes(input_nhwc.shape)  # so that what does not fit is told by name
        x, names = layout.nchw(unfolded(self.net, input_nhwc)), named(self.net, fetched)
        if self.static:
            session = self._kept(names, input_nhwc.shape, x.shape)
        else:
            session = self._kept(names, None, (None,) + x.shape[1:-1] + (None,))
        outputs = list(session(x))
        for name in names:
            yield name, folded(layout.nhwc(outputs.pop(0)))

    def _kept(self, *key: Any) -> Any:
        """Return a session that is open, or open it; others are closed before that, where many."""
        if key not in self.sessions:
            if len(self.sessions) >= self.most:
                self.sessions.clear()
                give_back()
            self.sessions[key] = self._session(*key)
        return self.sessions[key]

    def _session(self, names: Tuple[str, ...], shape: Any, own: Any) -> Any:
        """own: the input's shape as the model has it, None where it is open."""
        sizes = None if shape is None else self.sizes(shape)
        session = self.opened(exported(self.onnx, self.net, self.arrays, own, sizes, names))
        give_back()
        return session
