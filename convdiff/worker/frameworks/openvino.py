"""OpenVINO: a model of one op, compiled; how precise it is, and what is constant, are modes."""

from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np

from .. import cpu, layout
from ..framework import CONSTANT, Arrays, Device, Framework, present
from ..kept import Kept, digest, size_of
from ..ops.axis import extents_of
from ..ops.convolution import Convolution
from ..ops.net import Net
from ..ops.then import LIMITS

MODES = ("f32", "bf16", "f16")
REFUSED = {
    "bfloat16": "OpenVINO takes no bfloat16 inputs here; +bf16 narrows float32 ones",
    # It gives float64 back, and so would pass for what it is not.
    "float64": "OpenVINO computes float64 in float32 at the most",
}
AUTO_PAD = {"same": "same_upper", "same_lower": "same_lower"}
"""What OpenVINO computes from the input's extents itself."""
AUTO_CUT = {"same": "same_lower", "same_lower": "same_upper"}
"""The same of a transposed convolution, as OpenVINO's own reader of TensorFlow's models has it."""
KEPT = 64
"""Compiled models that are kept."""
KEPT_CONSTANT = 8
"""Those with a filter in them that are kept: probes bring new ones with every call."""
Graph = Callable[[Any, List[Any], Any], Any]


STEPS = {
    "relu": lambda ops, y, *added: ops.relu(y),
    "relu6": lambda ops, y, *added: ops.clamp(y, *LIMITS["relu6"]),
    "add": lambda ops, y, *added: ops.add(y, *added),
}
"""What follows an op, of its output and of what is added."""


def open(threads: Optional[int]) -> Framework:
    """Import OpenVINO and return its Framework."""
    import openvino

    return OpenVino(openvino, threads)


class OpenVino(object):
    """A compiled model a (graph, shapes, device), and a filter and bias that are constants."""

    steps = tuple(STEPS)

    def __init__(self, openvino: Any, threads: Optional[int]) -> None:
        self.ov, self.threads = openvino, threads
        self.refused = REFUSED
        self.core = openvino.Core()
        self.compiled, self.constant = Kept(KEPT), Kept(KEPT_CONSTANT)

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
            modes=list(MODES) + [CONSTANT],
            default_precision=str(self.core.get_property("CPU", "INFERENCE_PRECISION_HINT")),
        )

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        x, _ = layout.cropped(arrays.x, conv.own_pads(arrays.x))
        arrays = arrays._replace(x=x, w=layout.oihw(arrays.w))
        return self._spatial(_convolution, conv, device, arrays)

    def conv2d_transpose(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        arrays = arrays._replace(w=layout.iohw(arrays.w, conv.groups))
        return self._spatial(_backprop, conv, device, arrays)

    def dense(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        return self._op(_matmul, conv, device, arrays._replace(w=arrays.w[0]))

    conv1d = conv3d = conv2d
    conv1d_transpose = conv3d_transpose = conv2d_transpose

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return self._call(_multiply_sum, None, device, [table, columns])

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return self._call(_add, None, device, [output, bias])

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        conv = Convolution((1, 1), 1, 1, then=then)
        return self._call(_step, conv, device, present((output, added)))

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`; a net is read as an ONNX model and compiled for one length."""
        import onnx

        from ..nets.onnx import SessionNet

        def opened(model: bytes) -> Callable[[Any], List[Any]]:
            compiled = self._compiled(self.core.read_model(model, b""), device)
            return lambda x: list(compiled([x]).values())

        return SessionNet(onnx, net, arrays, opened, static=True)

    def _spatial(self, graph: Graph, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        """Return the output (N, …, C) of a graph that takes data (N, C, …)."""
        arrays = arrays.channels_first()
        if arrays.bias is not None:
            bias = arrays.bias.reshape((1, -1) + (1,) * conv.rank)
            arrays = arrays._replace(bias=bias)
        return layout.nhwc(self._op(graph, conv, device, arrays))

    def _op(self, graph: Graph, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        """Return what a graph makes of an input, with filter and bias fed, or constants."""
        held = len(present(arrays[1:3])) if CONSTANT in device.modes else 0
        return self._call(graph, conv, device, present(arrays), held)

    def _call(
        self,
        graph: Graph,
        conv: Optional[Convolution],
        device: Device,
        arrays: List[Any],
        held: int = 0,
    ) -> Any:
        """held: how many arrays after the first are constants."""
        constants = arrays[1 : 1 + held]
        fed = arrays[:1] + arrays[1 + held :]
        types = tuple((array.shape, array.dtype.name) for array in fed)
        key = (graph, conv, device, types, digest(constants))
        kept = self.constant if held else self.compiled
        made = partial(self._compile, graph, conv, device, arrays, held)
        compiled = kept.get(key, made, size_of(constants))
        return np.array(compiled(list(map(np.ascontiguousarray, fed)))[0])

    def _compile(
        self,
        graph: Graph,
        conv: Optional[Convolution],
        device: Device,
        arrays: List[Any],
        held: int,
    ) -> Any:
        ops = self.ov.opset13
        given, fed = [], []
        for number, array in enumerate(arrays):
            if 1 <= number <= held:
                given.append(ops.constant(np.ascontiguousarray(array)))
            else:
                given.append(ops.parameter(list(array.shape), array.dtype.type))
                fed.append(given[-1])
        model = self.ov.Model([_whole(ops, graph, given, conv)], fed, "convdiff")
        return self._compiled(model, device)

    def _compiled(self, model: Any, device: Device) -> Any:
        """Compile a model for a device."""
        settings = {}  # type: Dict[str, Any]
        for mode in device.modes:
            if mode in MODES:
                settings["INFERENCE_PRECISION_HINT"] = mode
        if self.threads:
            settings["INFERENCE_NUM_THREADS"] = self.threads
        return self.core.compile_model(model, "CPU" if device.name == "cpu" else "GPU", settings)


def _whole(ops: Any, graph: Graph, given: List[Any], conv: Optional[Convolution]) -> Any:
    """Return the node that these inputs end in, with the step that follows a graph, if any."""
    if conv is None or not conv.then or graph is _step:
        return graph(ops, given, conv)
    own = len(given) - (conv.then == "add")
    return STEPS[conv.then](ops, graph(ops, given[:own], conv), *given[own:])


def _step(ops: Any, given: List[Any], conv: Convolution) -> Any:
    return STEPS[conv.then](ops, *given)


def _convolution(ops: Any, given: List[Any], conv: Convolution) -> Any:
    """Return the node that these inputs end in."""
    before, after = _ends(layout.added(conv.own(conv.least_pads)))
    rest = before, after, conv.own(conv.dilations), AUTO_PAD.get(conv.padding, "explicit")
    return _by_groups(ops, "convolution", given, conv, rest)


def _backprop(ops: Any, given: List[Any], conv: Convolution) -> Any:
    shape = None
    if conv.padding in AUTO_CUT:
        outputs = extents_of(conv.own(conv.axes), list(given[0].shape)[2:])
        shape = ops.constant(np.array(outputs, np.int64))
    dilations, auto_pad = conv.own(conv.dilations), AUTO_CUT.get(conv.padding, "explicit")
    longer = list(conv.own(conv.output_padding))
    rest = (shape,) + _ends(conv.own(conv.least_pads)) + (dilations, auto_pad, longer)
    return _by_groups(ops, "convolution_backprop_data", given, conv, rest)


def _by_groups(ops: Any, name: str, given: List[Any], conv: Convolution, rest: Any) -> Any:
    """Return the op of this name, or the one for groups, whose filters' first axis is they."""
    w, strides = given[1], conv.own(conv.strides)
    if conv.groups > 1:
        name = "group_" + name
        shape = [conv.groups, w.shape[0] // conv.groups] + list(w.shape)[1:]
        w = ops.reshape(w, np.array(shape, np.int64), False)
    return _biased(ops, getattr(ops, name)(given[0], w, strides, *rest), given)


def _ends(pads: Iterable[Tuple[int, int]]) -> Tuple[List[int], List[int]]:
    """Return what is added before each axis, and what after."""
    before, after = zip(*pads)
    return list(before), list(after)


def _matmul(ops: Any, given: List[Any], conv: Convolution) -> Any:
    return _biased(ops, ops.matmul(given[0], given[1], False, False), given)


def _biased(ops: Any, y: Any, given: List[Any]) -> Any:
    return y if len(given) == 2 else ops.add(y, given[2])


def _multiply_sum(ops: Any, given: List[Any], conv: None) -> Any:
    return ops.reduce_sum(ops.multiply(given[0], given[1]), np.array([2]))


def _add(ops: Any, given: List[Any], conv: None) -> Any:
    return ops.add(given[0], given[1])
