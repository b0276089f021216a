"""ONNX Runtime: a node in a session; how it is optimised, and what is constant, are modes."""

from functools import partial
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np

from .. import cpu, layout, onnx_nodes
from ..framework import CONSTANT, Arrays, Device, Framework, present
from ..kept import Kept, digest, size_of
from ..ops.convolution import Convolution
from ..ops.net import Net
from ..ops.then import LIMITS

MODES = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
TYPES = {"float16": "FLOAT16", "float32": "FLOAT", "float64": "DOUBLE"}
BESIDE = {"initializers_file_name": "arrays", "initializers_min_size_in_bytes": "1024"}
"""Where the arrays of an optimised graph go: not into it, where that is known."""
KEPT = 64
"""Sessions that are kept: each has threads of its own."""
KEPT_CONSTANT = 8
"""Sessions with a filter in them that are kept: probes bring new ones with every call."""
Nodes = Callable[[Any, List[str], Any], List[Any]]


def _relu(onnx: Any, names: List[str], conv: Convolution) -> List[Any]:
    """Return the nodes that make `y` of these inputs."""
    return [onnx.helper.make_node("Relu", names, ["y"])]


def _relu6(onnx: Any, names: List[str], conv: Convolution) -> List[Any]:
    kind, made = getattr(onnx.TensorProto, TYPES[conv.dtype]), []
    for name, limit in zip(("low", "high"), LIMITS["relu6"]):
        value = onnx.helper.make_tensor(name, kind, [], [limit])
        made.append(onnx.helper.make_node("Constant", [], [name], value=value))
    return made + [onnx.helper.make_node("Clip", names + ["low", "high"], ["y"])]


def _add(onnx: Any, names: List[str], conv: Any) -> List[Any]:
    return [onnx.helper.make_node("Add", names, ["y"])]


STEPS = {"relu": _relu, "relu6": _relu6, "add": _add}
"""What follows an op, of its output and of what is added."""


def open(threads: Optional[int]) -> Framework:
    """Import ONNX Runtime and onnx and return its Framework."""
    import onnx
    import onnxruntime

    return OnnxRuntime(onnxruntime, onnx, threads)


class OnnxRuntime(object):
    """A session a (graph, dtype, device), and a filter and bias that are constants."""

    steps = tuple(STEPS)

    def __init__(self, runtime: Any, onnx: Any, threads: Optional[int]) -> None:
        self.runtime, self.onnx, self.threads = runtime, onnx, threads
        self.refused = {"bfloat16": "ONNX Runtime has no bfloat16 convolution"}
        self.sessions, self.constant = Kept(KEPT), Kept(KEPT_CONSTANT)

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
            modes=list(MODES) + [CONSTANT],
        )

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        x, _ = layout.cropped(arrays.x, conv.own_pads(arrays.x))
        arrays = arrays._replace(x=x, w=layout.oihw(arrays.w))
        return self._spatial(onnx_nodes.conv, conv, device, arrays)

    def conv2d_transpose(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        arrays = arrays._replace(w=layout.iohw(arrays.w, conv.groups))
        return self._spatial(onnx_nodes.conv_transpose, conv, device, arrays)

    def dense(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        return self._op(onnx_nodes.matmul, conv, device, arrays._replace(w=arrays.w[0]))

    conv1d = conv3d = conv2d
    conv1d_transpose = conv3d_transpose = conv2d_transpose

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return self._call(_multiply_sum, None, dtype, device, [table, columns])

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return self._call(_add, None, dtype, device, [output, bias])

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        conv = Convolution((1, 1), 1, 1, dtype=dtype)
        return self._call(STEPS[then], conv, dtype, device, present((output, added)))

    def open_file(
        self, model: Union[bytes, str], optimise: bool, save_to: str, beside: bool = False
    ) -> Any:
        """Return the session of a model's bytes or path.

        save_to: where its optimised graph goes, or ""; beside: its arrays go into a file of their
        own there, where this version can.
        """
        options = self._options()
        if not optimise:
            options.graph_optimization_level = self.runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if save_to:
            options.optimized_model_filepath = save_to
            options.log_severity_level = 3  # that it is for this machine alone is known
        if save_to and beside:
            for key, value in BESIDE.items():
                options.add_session_config_entry("session.optimized_model_external_" + key, value)
        return self.runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`."""
        from ..nets.onnx import SessionNet

        def opened(model: bytes) -> Callable[[Any], List[Any]]:
            session = self._opened(model, device, arena=False)
            return lambda x: session.run(None, {"input": x})  # type: ignore[no-any-return]

        return SessionNet(self.onnx, net, arrays, opened)

    def _spatial(self, nodes: Nodes, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        """Return the output (N, …, C) of nodes that take data (N, C, …)."""
        return layout.nhwc(self._op(nodes, conv, device, arrays.channels_first()))

    def _op(self, nodes: Nodes, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        """Return what nodes make of an input, with filter and bias fed, or constants."""
        held = len(present(arrays[1:3])) if CONSTANT in device.modes else 0
        return self._call(nodes, conv, conv.dtype, device, present(arrays), held)

    def _call(
        self,
        nodes: Nodes,
        conv: Optional[Convolution],
        dtype: str,
        device: Device,
        arrays: List[Any],
        held: int = 0,
    ) -> Any:
        """held: how many arrays after the first are constants."""
        named = dict(zip("abcd", map(np.ascontiguousarray, arrays)))
        constants = {name: named[name] for name in "bcd"[:held]}
        key = (nodes, conv, dtype, device, tuple(named), arrays[0].ndim)  # type: Any
        if constants:
            key += (arrays[0].shape[1:], digest(constants.values()))
        kept = self.constant if constants else self.sessions
        made = partial(self._session, nodes, conv, dtype, device, named, constants)
        feed = {name: array for name, array in named.items() if name not in constants}
        return kept.get(key, made, size_of(constants.values())).run(None, feed)[0]

    def _session(
        self,
        nodes: Nodes,
        conv: Optional[Convolution],
        dtype: str,
        device: Device,
        named: Dict[str, Any],
        constants: Dict[str, Any],
    ) -> Any:
        helper = self.onnx.helper
        kind = getattr(self.onnx.TensorProto, TYPES[dtype])
        inputs = []
        for name, array in named.items():
            extents = ["%s%d" % (name, axis) for axis in range(array.ndim)]  # type: List[Any]
            if constants and name == "a":  # as in most models, all is known but how many images
                extents[1:] = array.shape[1:]
            if name not in constants:
                inputs.append(helper.make_tensor_value_info(name, kind, extents))
        output = helper.make_tensor_value_info("y", kind, None)
        held = [self.onnx.numpy_helper.from_array(one, name) for name, one in constants.items()]
        made = _whole(self.onnx, nodes, list(named), conv)
        graph = helper.make_graph(made, "convdiff", inputs, [output], held)
        opset = helper.make_opsetid("", 13)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        return self._opened(model.SerializeToString(), device)

    def _opened(self, model: bytes, device: Device, arena: bool = True) -> Any:
        """Return a session of a model; arena: it keeps the memory of what it gave for the next."""
        options = self._options()
        options.enable_cpu_mem_arena = arena
        for mode in device.modes:
            if mode in MODES:
                level = getattr(self.runtime.GraphOptimizationLevel, MODES[mode])
                options.graph_optimization_level = level
        provider = "CPU" if device.name == "cpu" else "CUDA"
        providers = [provider + "ExecutionProvider"]
        return self.runtime.InferenceSession(model, options, providers=providers)

    def _options(self) -> Any:
        options = self.runtime.SessionOptions()
        # Threads that wait for work sleep: a worker waits for most of its time.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self.threads:
            options.intra_op_num_threads = self.threads
        return options


def _whole(onnx: Any, nodes: Nodes, names: List[str], conv: Optional[Convolution]) -> List[Any]:
    """Return the nodes that make `y` of these inputs, with the step that follows, if any."""
    if conv is None or not conv.then:
        return nodes(onnx, names, conv)
    own = len(names) - (conv.then == "add")
    made = nodes(onnx, names[:own], conv)
    made[-1].output[0] = "before"
    return made + STEPS[conv.then](onnx, ["before"] + names[own:], conv)


def _multiply_sum(onnx: Any, names: List[str], conv: None) -> List[Any]:
    axes = onnx.helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [2])
    return [
        onnx.helper.make_node("Constant", [], ["axes"], value=axes),
        onnx.helper.make_node("Mul", names, ["product"]),
        onnx.helper.make_node("ReduceSum", ["product", "axes"], ["y"], keepdims=0),
    ]
