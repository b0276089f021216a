"""ONNX Runtime: a Conv node in a session; the level of graph optimisation is a mode."""

from typing import Any, Dict, List, Optional

import numpy as np

from .. import cpu, layout
from ..manual import by_rows

Conv = Dict[str, Any]
MODES = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


def open(threads: Optional[int]) -> Any:
    """Import ONNX Runtime and onnx and return its Framework."""
    import onnx
    import onnxruntime

    return OnnxRuntime(onnxruntime, onnx, threads)


class OnnxRuntime(object):
    """One session a (operation, geometry, device, level); input, filter and bias are fed."""

    def __init__(self, runtime: Any, onnx: Any, threads: Optional[int]) -> None:
        self.runtime, self.onnx, self.threads = runtime, onnx, threads
        self.sessions = {}  # type: Dict[Any, Any]

    def fingerprint(self) -> Dict[str, Any]:
        """Return what this ONNX Runtime says it is, as plain values."""
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

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array."""
        if conv["dtype"] == "bfloat16":
            raise ValueError("ONNX Runtime has no bfloat16 convolution")
        if op == "manual":

            def rows(table: Any, columns: Any) -> Any:
                return self._call("rows", device, conv, [table, columns])

            y = by_rows(rows, conv, input_nhwc, filter_hwio)
            return y if bias is None else self._call("bias", device, conv, [y, bias])
        arrays = [layout.nchw(input_nhwc), layout.oihw(filter_hwio)]
        arrays += [bias] if bias is not None else []
        return layout.nhwc(self._call("conv2d", device, conv, arrays))

    def _call(self, op: str, device: str, conv: Conv, arrays: List[Any]) -> Any:
        key = (op, device, repr(sorted(conv.items())), len(arrays))
        if key not in self.sessions:
            self.sessions[key] = self._session(op, device, conv, [a.ndim for a in arrays])
        feed = {"abc"[k]: np.ascontiguousarray(array) for k, array in enumerate(arrays)}
        return self.sessions[key].run(None, feed)[0]

    def _session(self, op: str, device: str, conv: Conv, ranks: List[int]) -> Any:
        helper, proto = self.onnx.helper, self.onnx.TensorProto
        kind = {
            "float16": proto.FLOAT16,
            "float32": proto.FLOAT,
            "float64": proto.DOUBLE,
        }[conv["dtype"]]
        names = list("abc"[: len(ranks)])
        if op == "conv2d":
            nodes = [
                helper.make_node(
                    "Conv",
                    names,
                    ["y"],
                    kernel_shape=list(conv["kernel"]),
                    strides=list(conv["strides"]),
                    dilations=list(conv["dilations"]),
                    group=conv["groups"],
                )
            ]
        elif op == "bias":
            nodes = [helper.make_node("Add", names, ["y"])]
        else:
            nodes = [
                helper.make_node("Mul", names, ["product"]),
                helper.make_node("ReduceSum", ["product", "axes"], ["y"], keepdims=0),
            ]
        axes = [helper.make_tensor("axes", proto.INT64, [1], [2])] if op == "rows" else []
        rank = {"rows": 2}.get(op, ranks[0])
        graph = helper.make_graph(
            nodes,
            op,
            [_value(helper, name, kind, n) for name, n in zip(names, ranks)],
            [_value(helper, "y", kind, rank)],
            axes,
        )
        opset = helper.make_opsetid("", 13)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        place, modes = layout.place_and_modes(device)
        options = self.runtime.SessionOptions()
        if self.threads:
            options.intra_op_num_threads = self.threads
        if modes:
            level = getattr(self.runtime.GraphOptimizationLevel, MODES[modes[-1]])
            options.graph_optimization_level = level
        provider = "CPU" if place == "cpu" else "CUDA"
        return self.runtime.InferenceSession(
            model.SerializeToString(), options, providers=[provider + "ExecutionProvider"]
        )


def _value(helper: Any, name: str, kind: int, rank: int) -> Any:
    return helper.make_tensor_value_info(name, kind, ["%s%d" % (name, k) for k in range(rank)])
