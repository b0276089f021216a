"""ONNX Runtime: a node in a session; the level of graph optimisation is a mode."""

from typing import Any, Callable, Dict, List, Optional

import numpy as np

from .. import cpu, layout
from ..framework import Device, Framework
from ..ops.convolution import Convolution

MODES = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
TYPES = {"float16": "FLOAT16", "float32": "FLOAT", "float64": "DOUBLE"}
AUTO_PAD = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}
"""What ONNX computes from the input's extents itself."""
KEPT = 64
"""Sessions that are kept: each has threads of its own."""
Nodes = Callable[[Any, List[str], Any], List[Any]]


def open(threads: Optional[int]) -> Framework:
    """Import ONNX Runtime and onnx and return its Framework."""
    import onnx
    import onnxruntime

    return OnnxRuntime(onnxruntime, onnx, threads)


class OnnxRuntime(object):
    """A session a (graph, dtype, device); input, filter and bias are fed."""

    def __init__(self, runtime: Any, onnx: Any, threads: Optional[int]) -> None:
        self.runtime, self.onnx, self.threads = runtime, onnx, threads
        self.refused = {"bfloat16": "ONNX Runtime has no bfloat16 convolution"}
        self.sessions = {}  # type: Dict[Any, Any]

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        names = {}  # type: Dict[str, str]
        if "CUDAExecutionProvider" in self.runtime.get_available_providers():
            names["gpu:0"] = "CUDA execution provider"
        return cpu.fingerprint(
            "onnxruntime",
            self.runtime.__version__,
            names,
            self.threads,
            git="onnx " + self.onnx.__version__,
            cuda="yes" if names else None,
            mode="session",
            modes=list(MODES),
        )

    def conv2d(
        self, conv: Convolution, device: Device, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """See `Framework`."""
        return self._spatial(_conv, conv, device, input_nhwc, layout.oihw(filter_hwio), bias)

    def conv2d_transpose(
        self, conv: Convolution, device: Device, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """See `Framework`."""
        w = layout.iohw(filter_hwio, conv.groups)
        return self._spatial(_conv_transpose, conv, device, input_nhwc, w, bias)

    def dense(
        self, conv: Convolution, device: Device, input_nlc: Any, filter_lio: Any, bias: Any
    ) -> Any:
        """See `Framework`."""
        arrays = _given(input_nlc, filter_lio[0], bias)
        return self._call(_matmul, conv, conv.dtype, device, arrays)

    conv1d = conv3d = conv2d
    conv1d_transpose = conv3d_transpose = conv2d_transpose

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return self._call(_multiply_sum, None, dtype, device, [table, columns])

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return self._call(_add, None, dtype, device, [output, bias])

    def open_file(self, data: bytes, optimise: bool, save_to: str) -> Any:
        """Return the session of a model's bytes; save_to: where its optimised graph goes, or ""."""
        options = self._options()
        if not optimise:
            options.graph_optimization_level = self.runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if save_to:
            options.optimized_model_filepath = save_to
            options.log_severity_level = 3  # that it is for this machine alone is known
        return self.runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def _spatial(
        self, nodes: Nodes, conv: Convolution, device: Device, input_nhwc: Any, w: Any, bias: Any
    ) -> Any:
        """Return the output (N, …, C) of nodes that take data (N, C, …)."""
        x = input_nhwc
        if not conv.transposed:
            x, _ = layout.cropped(input_nhwc, conv.own_pads(input_nhwc))
        arrays = _given(layout.nchw(x), w, bias)
        return layout.nhwc(self._call(nodes, conv, conv.dtype, device, arrays))

    def _call(
        self,
        nodes: Nodes,
        conv: Optional[Convolution],
        dtype: str,
        device: Device,
        arrays: List[Any],
    ) -> Any:
        names = "abc"[: len(arrays)]
        key = (nodes, conv, dtype, device, names, arrays[0].ndim)
        if key not in self.sessions:
            if len(self.sessions) == KEPT:
                self.sessions.clear()
            ranks = dict(zip(names, [array.ndim for array in arrays]))
            made = nodes(self.onnx, list(names), conv)
            self.sessions[key] = self._session(made, ranks, dtype, device)
        feed = dict(zip(names, map(np.ascontiguousarray, arrays)))
        return self.sessions[key].run(None, feed)[0]

    def _session(self, nodes: List[Any], ranks: Dict[str, int], dtype: str, device: Device) -> Any:
        helper = self.onnx.helper
        kind = getattr(self.onnx.TensorProto, TYPES[dtype])
        inputs = []
        for name, rank in ranks.items():
            extents = ["%s%d" % (name, axis) for axis in range(rank)]
            inputs.append(helper.make_tensor_value_info(name, kind, extents))
        output = helper.make_tensor_value_info("y", kind, None)
        graph = helper.make_graph(nodes, "convdiff", inputs, [output])
        opset = helper.make_opsetid("", 13)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        options = self._options()
        if device.modes:
            level = getattr(self.runtime.GraphOptimizationLevel, MODES[device.modes[-1]])
            options.graph_optimization_level = level
        provider = "CPU" if device.name == "cpu" else "CUDA"
        return self.runtime.InferenceSession(
            model.SerializeToString(), options, providers=[provider + "ExecutionProvider"]
        )

    def _options(self) -> Any:
        options = self.runtime.SessionOptions()
        if self.threads:
            options.intra_op_num_threads = self.threads
        return options


def _given(*arrays: Any) -> List[Any]:
    return [array for array in arrays if array is not None]


def _conv(onnx: Any, names: List[str], conv: Convolution) -> List[Any]:
    """Return the nodes that make `y` of these inputs."""
    padding = {}  # type: Dict[str, Any]
    if conv.padding in AUTO_PAD:
        padding = {"auto_pad": AUTO_PAD[conv.padding]}
    elif conv.padding != "valid":
        padding = {"pads": [max(0, pad) for pad in _pads(conv)]}
    return [onnx.helper.make_node("Conv", names, ["y"], **dict(_moves(conv), **padding))]


def _conv_transpose(onnx: Any, names: List[str], conv: Convolution) -> List[Any]:
    attributes = _moves(conv)
    if conv.padding in AUTO_PAD:
        attributes["auto_pad"] = AUTO_PAD[conv.padding]
    elif conv.padding != "valid":
        attributes["pads"] = _pads(conv)
    if any(conv.output_padding):
        attributes["output_padding"] = list(conv.own(conv.output_padding))
    return [onnx.helper.make_node("ConvTranspose", names, ["y"], **attributes)]


def _moves(conv: Convolution) -> Dict[str, Any]:
    """Return how the filter moves, as attributes."""
    return {
        "kernel_shape": list(conv.own(conv.kernel)),
        "strides": list(conv.own(conv.strides)),
        "dilations": list(conv.own(conv.dilations)),
        "group": conv.groups,
    }


def _pads(conv: Convolution) -> List[int]:
    """Return what is added before all axes, then what after, where no extent decides it."""
    pads = conv.own(tuple(axis.pad(axis.least) for axis in conv.axes))
    return [before for before, _ in pads] + [after for _, after in pads]


def _matmul(onnx: Any, names: List[str], conv: Convolution) -> List[Any]:
    if len(names) == 2:
        return [onnx.helper.make_node("MatMul", names, ["y"])]
    product = onnx.helper.make_node("MatMul", names[:2], ["product"])
    return [product, onnx.helper.make_node("Add", ["product", names[2]], ["y"])]


def _multiply_sum(onnx: Any, names: List[str], conv: None) -> List[Any]:
    axes = onnx.helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [2])
    return [
        onnx.helper.make_node("Constant", [], ["axes"], value=axes),
        onnx.helper.make_node("Mul", names, ["product"]),
        onnx.helper.make_node("ReduceSum", ["product", "axes"], ["y"], keepdims=0),
    ]


def _add(onnx: Any, names: List[str], conv: None) -> List[Any]:
    return [onnx.helper.make_node("Add", names, ["y"])]
