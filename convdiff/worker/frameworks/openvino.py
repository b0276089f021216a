"""OpenVINO: a Convolution compiled for the CPU; how precise its inference is, is a mode."""

from typing import Any, Dict, List, Optional

import numpy as np

from .. import cpu, layout
from ..manual import by_rows

Conv = Dict[str, Any]
MODES = ("f32", "bf16", "f16")


def open(threads: Optional[int]) -> Any:
    """Import OpenVINO and return its Framework."""
    import openvino

    return OpenVino(openvino, threads)


class OpenVino(object):
    """One compiled model a (operation, geometry, shapes, mode); input, filter and bias are fed."""

    def __init__(self, openvino: Any, threads: Optional[int]) -> None:
        self.ov, self.threads = openvino, threads
        self.core = openvino.Core()
        self.compiled = {}  # type: Dict[Any, Any]

    def fingerprint(self) -> Dict[str, Any]:
        """Return what this OpenVINO says it is, as plain values."""
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

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array."""
        if conv["dtype"] == "bfloat16":
            raise ValueError("OpenVINO takes no bfloat16 inputs here; +bf16 narrows float32 ones")
        if conv["dtype"] == "float64":
            # It gives float64 back, and so would pass for what it is not.
            raise ValueError("OpenVINO computes float64 in float32 at the most")
        if op == "manual":

            def rows(table: Any, columns: Any) -> Any:
                return self._call("rows", device, conv, [table, columns])

            y = by_rows(rows, conv, input_nhwc, filter_hwio)
            return y if bias is None else self._call("bias", device, conv, [y, bias])
        arrays = [layout.nchw(input_nhwc), layout.oihw(filter_hwio)]
        arrays += [bias.reshape(1, -1, 1, 1)] if bias is not None else []
        return layout.nhwc(self._call("conv2d", device, conv, arrays))

    def _call(self, op: str, device: str, conv: Conv, arrays: List[Any]) -> Any:
        key = (op, device, repr(sorted(conv.items())), tuple(array.shape for array in arrays))
        if key not in self.compiled:
            self.compiled[key] = self._compile(op, device, conv, arrays)
        feed = [np.ascontiguousarray(array) for array in arrays]
        return np.array(self.compiled[key](feed)[0])

    def _compile(self, op: str, device: str, conv: Conv, arrays: List[Any]) -> Any:
        ops = self.ov.opset13
        given = [ops.parameter(list(array.shape), array.dtype.type) for array in arrays]
        if op == "conv2d":
            y = self._conv2d(ops, conv, given, arrays)
            if len(given) == 3:
                y = ops.add(y, given[2])
        elif op == "bias":
            y = ops.add(given[0], given[1])
        else:
            y = ops.reduce_sum(ops.multiply(given[0], given[1]), np.array([2]))
        place, modes = layout.place_and_modes(device)
        settings = {}  # type: Dict[str, Any]
        if modes:
            settings["INFERENCE_PRECISION_HINT"] = modes[-1]
        if self.threads:
            settings["INFERENCE_NUM_THREADS"] = self.threads
        model = self.ov.Model([y], given, op)
        return self.core.compile_model(model, "CPU" if place == "cpu" else "GPU", settings)

    def _conv2d(self, ops: Any, conv: Conv, given: List[Any], arrays: List[Any]) -> Any:
        zero = [0, 0]
        strides, dilations, groups = conv["strides"], conv["dilations"], conv["groups"]
        if groups == 1:
            return ops.convolution(given[0], given[1], strides, zero, zero, dilations)
        shape = arrays[1].shape
        split = np.array((groups, shape[0] // groups) + shape[1:], np.int64)
        w = ops.reshape(given[1], split, False)
        return ops.group_convolution(given[0], w, strides, zero, zero, dilations)
