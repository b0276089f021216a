"""Nets in PyTorch: layer by layer, or compiled as one function a shape."""

from functools import lru_cache, partial
from typing import Any, Container, Dict, Iterator, List, Tuple

import numpy as np

from .. import layout
from ..ops.net import Layer, Net
from .steps import (
    KEPT,
    Step,
    build,
    flat,
    folded,
    named,
    sizes_of,
    tensors,
    unfolded,
    walk,
)
from .torch_layers import LAYERS


class TorchNet(object):
    """Activations are N, C, …, as the functions of torch.nn.functional take them."""

    def __init__(self, framework: Any, net: Net, arrays: Dict[str, Any], ways: Dict[str, Any]):
        """ways: what the framework's file has and this one needs, by name.

        `laid(which, array, axes)`, `tensor(array)` and `array(tensor)` go to torch and back;
        `switched()` switches what is a switch of the process; `compile` is None or compiles a
        function.
        """
        self.torch, self.eager = framework.torch, framework.eager
        self.net, self.ways = net, ways
        self.tensors = tensors(net, arrays, self._tensor, flat(net))
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
                outputs = self.functions(input_nhwc.shape, names)(x)
                activations = iter(list(zip(names, outputs)))
            else:
                activations = walk(self.net, self.steps(input_nhwc.shape), x, fetched)
            for name, y in activations:
                yield name, folded(layout.nhwc(self.ways["array"](y)))

    def _steps(self, shape: Tuple[int, ...]) -> List[Step]:
        return build(LAYERS, self, self.net, self.tensors, sizes_of(self.net, shape))

    def _function(self, shape: Tuple[int, ...], names: Tuple[str, ...]) -> Any:
        """Return the net as one function, compiled for a shape and what is fetched."""
        steps = self.steps(shape)
        rows = [(step.layer.name, step.layer.sources, step.call) for step in steps]
        return self.ways["compile"](partial(_straight, rows, names))

    def _tensor(self, layer: Layer, role: str, array: Any) -> Any:
        """Return a layer's array as torch takes it."""
        if role == "constant":
            array = np.moveaxis(array, -1, 0)
        if role != "filter":
            return self.ways["tensor"](array)
        if layer.op in PRODUCTS:
            return self.ways["tensor"](layout.oihw(array[0]))
        conv = layer.conv
        axes = "DHW"[-conv.rank :]
        if conv.transposed:
            return self.ways["laid"]("weights", layout.iohw(array, conv.groups), "IO" + axes)
        return self.ways["laid"]("weights", layout.oihw(array), "OI" + axes)


PRODUCTS = ("dense",)
"""Ops whose weights are a matrix, which no memory format is for."""


def _straight(rows: List[Any], names: Tuple[str, ...], x: Any) -> List[Any]:
    """Run all steps and return what is named: plain enough for a compiler."""
    held = {"input": x}
    for name, sources, call in rows:
        held[name] = call(*[held[source] for source in sources])
    return [held[name] for name in names]
