"""An ONNX model that is being written: its nodes and initializers. Runs on Python 3.6."""

from typing import Any, List, Sequence

import numpy as np

from .. import onnx_nodes

OPSET = 13
NEWER = {"Gelu": 20, "HardSwish": 14}
"""Of which version of ONNX what is not in OPSET is; a dilated AveragePool is of 19."""


class Model(object):
    """Collects nodes and initializers; a tensor is its name."""

    def __init__(self, onnx: Any, kind: int) -> None:
        self.onnx, self.kind = onnx, kind
        self.nodes: List[Any] = []
        self.initializers: List[Any] = []
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

    def padded(self, x: str, pads: Any, value: float = 0.0) -> str:
        """Return data with a value around it; negative pads cut."""
        ends = onnx_nodes.ends([(0, 0), (0, 0)] + list(pads))
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(self.kind)
        fill = self.tensor(np.array(value, dtype))
        return self.node("Pad", x, self.tensor(np.array(ends, np.int64)), fill)
