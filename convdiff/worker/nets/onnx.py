"""A net as an ONNX model, for those who run one: ONNX Runtime and OpenVINO. Built once.

Activations are N, C, …; weights are initializers, as in a model that was exported. What
`ceil_mode` adds is written as numbers, since versions differ in it: such a net has one model a
length.
"""

from functools import lru_cache, partial
from typing import Any, Container, Dict, Iterator, Optional, Sequence, Tuple

import numpy as np

from .. import layout
from ..heap import give_back
from ..kept import size_of
from ..ops.net import Layer, Net
from .onnx_layers import LAYERS
from .onnx_model import Model
from .onnx_pools import needs_sizes
from .steps import (
    KEPT,
    build,
    constant,
    flat,
    folded,
    named,
    sizes_of,
    tensors,
    unfolded,
    walk,
)

HELD = 128 * 2**20
"""Bytes of weights that sessions which are kept hold together, or one alone: each has its own."""


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
    held = tensors(net, arrays, partial(_tensor, model, net, flats), flats)
    steps = build(LAYERS, model, net, held, sizes)
    made = dict(walk(net, steps, "input", names))
    info = onnx.helper.make_tensor_value_info
    extents = ["n%d" % axis if n is None else n for axis, n in enumerate(shape)]
    outputs = [info(made[name], kind, None) for name in names]
    graph = onnx.helper.make_graph(model.nodes, "net", [info("input", kind, extents)], outputs)
    opset = onnx.helper.make_opsetid("", model.opset)
    whole = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    while model.initializers:  # onnx copies what it is given, and weights are large
        whole.graph.initializer.append(model.initializers.pop(0))
    return whole.SerializeToString()  # type: ignore[no-any-return]


def _tensor(
    model: Model, net: Net, flats: Container[str], layer: Layer, role: str, array: Any
) -> str:
    """Return the initializer of a layer's array."""
    if role == "filter":
        array = WEIGHTS.get(layer.op, _oihw)(layer.conv, array)
    elif role in ("constant", "slope"):
        rank = 0 if layer.name in flats else net.rank
        array = np.moveaxis(constant(array, rank), -1, 0)
    return model.tensor(array)


def _oihw(conv: Any, w: Any) -> Any:
    return layout.iohw(w, conv.groups) if conv.transposed else layout.oihw(w)


WEIGHTS = {"dense": lambda conv, w: w[0]}


class SessionNet(object):
    """A model a set of fetched activations, opened by who runs it; a length where it must be."""

    def __init__(
        self, onnx: Any, net: Net, arrays: Dict[str, Any], opened: Any, static: bool = False
    ) -> None:
        """opened(model): a function of the input, N, C, …, that returns all outputs in order."""
        self.onnx, self.net, self.arrays, self.opened = onnx, net, arrays, opened
        self.static = static or any(map(needs_sizes, net.layers))
        self.sizes = lru_cache(KEPT)(partial(sizes_of, net))
        self.most = max(1, min(KEPT, HELD // max(1, size_of(arrays.values()))))
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
