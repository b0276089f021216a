"""OpenVINO: a Convolution compiled for the CPU; how precise its inference is, is a mode."""

from typing import Any, Callable, Dict, List, Optional

import numpy as np

from .. import cpu, layout
from ..framework import Device, Framework
from ..ops.conv2d import Convolution

MODES = ("f32", "bf16", "f16")
REFUSED = {
    "bfloat16": "OpenVINO takes no bfloat16 inputs here; +bf16 narrows float32 ones",
    # It gives float64 back, and so would pass for what it is not.
    "float64": "OpenVINO computes float64 in float32 at the most",
}
Graph = Callable[[Any, List[Any], Any], Any]


def open(threads: Optional[int]) -> Framework:
    """Import OpenVINO and return its Framework."""
    import openvino

    return OpenVino(openvino, threads)


class OpenVino(object):
    """One compiled model a (graph, shapes, device); input, filter and bias are fed."""

    def __init__(self, openvino: Any, threads: Optional[int]) -> None:
        self.ov, self.threads = openvino, threads
        self.refused = REFUSED
        self.core = openvino.Core()
        self.compiled = {}  # type: Dict[Any, Any]

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        names = {}  # type: Dict[str, str]
        for device in self.core.available_devices:
            if device.startswith("GPU"):
                names["gpu:%d" % len(names)] = self.core.get_property(device, "FULL_DEVICE_NAME")
        return cpu.fingerprint(
            "openvino",
            self.ov.__version__,
            names,
            self.threads,
            git=self.ov.get_version(),
            mode="compiled",
            modes=list(MODES),
            default_precision=str(self.core.get_property("CPU", "INFERENCE_PRECISION_HINT")),
        )

    def conv2d(
        self, conv: Convolution, device: Device, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """See `Framework`."""
        arrays = [layout.nchw(input_nhwc), layout.oihw(filter_hwio)]
        if bias is not None:
            arrays.append(bias.reshape(1, -1, 1, 1))
        return layout.nhwc(self._call(_convolution, conv, device, arrays))

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return self._call(_multiply_sum, None, device, [table, columns])

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return self._call(_add, None, device, [output, bias])

    def _call(
        self, graph: Graph, conv: Optional[Convolution], device: Device, arrays: List[Any]
    ) -> Any:
        key = (graph, conv, device, tuple((a.shape, a.dtype.name) for a in arrays))
        if key not in self.compiled:
            self.compiled[key] = self._compile(graph, conv, device, arrays)
        feed = [np.ascontiguousarray(array) for array in arrays]
        return np.array(self.compiled[key](feed)[0])

    def _compile(
        self, graph: Graph, conv: Optional[Convolution], device: Device, arrays: List[Any]
    ) -> Any:
        ops = self.ov.opset13
        given = [ops.parameter(list(array.shape), array.dtype.type) for array in arrays]
        settings = {}  # type: Dict[str, Any]
        if device.modes:
            settings["INFERENCE_PRECISION_HINT"] = device.modes[-1]
        if self.threads:
            settings["INFERENCE_NUM_THREADS"] = self.threads
        model = self.ov.Model([graph(ops, given, conv)], given, "convdiff")
        return self.core.compile_model(model, "CPU" if device.name == "cpu" else "GPU", settings)


def _convolution(ops: Any, given: List[Any], conv: Convolution) -> Any:
    """Return the node that these inputs end in."""
    zero, w = [0, 0], given[1]
    if conv.groups == 1:
        y = ops.convolution(given[0], w, conv.strides, zero, zero, conv.dilations)
    else:
        kh, kw, width, channels_out = conv.filter_shape
        shape = [conv.groups, channels_out // conv.groups, width, kh, kw]
        w = ops.reshape(w, np.array(shape, np.int64), False)
        y = ops.group_convolution(given[0], w, conv.strides, zero, zero, conv.dilations)
    return y if len(given) == 2 else ops.add(y, given[2])


def _multiply_sum(ops: Any, given: List[Any], conv: None) -> Any:
    return ops.reduce_sum(ops.multiply(given[0], given[1]), np.array([2]))


def _add(ops: Any, given: List[Any], conv: None) -> Any:
    return ops.add(given[0], given[1])
