"""TensorFlow 1.x (graph and session) and 2.x (eager): conv2d + bias_add, and the manual reference.

Runs in the interpreter under test, so on Python 3.6 and NumPy 1.16 too.
"""

import inspect
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from .. import cpu, layout
from ..manual import by_rows

Conv = Dict[str, Any]
"""The geometry of a convolution, as the parent sends it."""
MODES = ("graph", "xla")
KEPT = 4
"""Filters and biases kept as tensors; probes bring new ones with every call."""


def open(threads: Optional[int]) -> Any:
    """Import TensorFlow and return its Framework, with `threads` intra-op threads if given."""
    import tensorflow as tf

    if tf.__version__.startswith(("0.", "1.")):
        return Graph(tf, threads)
    return Eager(tf, threads)


class Eager(object):
    """TensorFlow 2: every operation runs as it is called."""

    def __init__(self, tf: Any, threads: Optional[int]) -> None:
        self.tf, self.threads = tf, threads
        # What a device can't do is refused, not quietly done on the CPU under the device's name.
        tf.config.set_soft_device_placement(False)
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.tensors = {}  # type: Dict[Tuple[int, str], Tuple[Any, Any]]
        self.traced = {}  # type: Dict[Tuple[str, str], Callable[[Any, Any], Any]]

    def fingerprint(self) -> Dict[str, Any]:
        """Return what this TensorFlow says it is, as plain values."""
        tf = self.tf
        tf.zeros([1])  # starts the runtime, which then says what it is
        names = {}  # type: Dict[str, str]
        for number, device in enumerate(tf.config.list_physical_devices("GPU")):
            details = tf.config.experimental.get_device_details(device)
            names["gpu:%d" % number] = details.get("device_name", "GPU")
        build = (
            dict(tf.sysconfig.get_build_info()) if hasattr(tf.sysconfig, "get_build_info") else {}
        )
        return cpu.fingerprint(
            "tensorflow",
            tf.__version__,
            names,
            tf.config.threading.get_intra_op_parallelism_threads(),
            isa_not_compiled_in=_unused_isa(cpu.own_log()),
            modes=list(MODES),
            compiler=tf.version.COMPILER_VERSION,
            git=tf.version.GIT_VERSION,
            cuda=str(build["cuda_version"]) if build.get("is_cuda_build") else None,
            onednn=_onednn(),
            tf32=_tf32(tf),
        )

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array; bfloat16 comes and goes as uint16 bits."""
        tf = self.tf
        place, modes = layout.place_and_modes(device)
        with tf.device("/" + place.upper()):
            if op == "manual":
                x, w = self._array(input_nhwc, conv), self._array(filter_hwio, conv)
                y = tf.convert_to_tensor(by_rows(self._rows, conv, x, w))
            else:
                x = self._tensor(input_nhwc, conv)
                w = self._kept(filter_hwio, conv, place)
                y = self._conv2d(conv, modes)(x, w)
            if bias is not None:
                y = tf.nn.bias_add(y, self._kept(bias, conv, place))
            result = y.numpy()
        return np.ascontiguousarray(
            result.view(np.uint16) if conv["dtype"] == "bfloat16" else result
        )

    def _conv2d(self, conv: Conv, modes: List[str]) -> Callable[[Any, Any], Any]:
        """Return the convolution, in graph and xla mode as a function that is traced once."""

        def conv2d(x: Any, w: Any) -> Any:
            return _conv2d(self.tf, self.tf.nn.depthwise_conv2d, conv, x, w)

        if not modes:
            return conv2d
        key = (repr(sorted(conv.items())), modes[-1])
        if key not in self.traced:
            compiled = True if modes[-1] == "xla" else None
            self.traced[key] = self.tf.function(
                conv2d, jit_compile=compiled, reduce_retracing=modes[-1] == "graph"
            )
        return self.traced[key]

    def _rows(self, table: Any, columns: Any) -> Any:
        tf = self.tf
        product = tf.multiply(tf.convert_to_tensor(table), tf.convert_to_tensor(columns))
        return tf.reduce_sum(product, axis=2).numpy()

    def _array(self, array: Any, conv: Conv) -> Any:
        if conv["dtype"] == "bfloat16" and array.dtype == np.uint16:
            return array.view(self.tf.bfloat16.as_numpy_dtype)
        return array

    def _tensor(self, array: Any, conv: Conv) -> Any:
        return self.tf.convert_to_tensor(self._array(array, conv))

    def _kept(self, array: Any, conv: Conv, device: str) -> Any:
        """Return the tensor of an array that many cells share, made once a device."""
        key = (id(array), device)
        found = self.tensors.get(key)
        if found is None or found[0] is not array:
            if len(self.tensors) >= KEPT:
                self.tensors.clear()
            found = self.tensors[key] = (array, self._tensor(array, conv))
        return found[1]


class Graph(object):
    """TensorFlow 1: one graph and session a (operation, device, geometry), fed with arrays."""

    def __init__(self, tf: Any, threads: Optional[int]) -> None:
        self.tf, self.threads = tf, threads
        self.sessions = {}  # type: Dict[Tuple[Any, ...], Tuple[Any, List[Any], Any]]
        from tensorflow.python.client import device_lib

        self.local = device_lib.list_local_devices()

    def fingerprint(self) -> Dict[str, Any]:
        """Return what this TensorFlow says it is, as plain values."""
        tf = self.tf
        names = {}  # type: Dict[str, str]
        for device in self.local:
            if device.device_type == "GPU":
                names["gpu:%d" % len(names)] = device.physical_device_desc or "GPU"
        return cpu.fingerprint(
            "tensorflow",
            tf.__version__,
            names,
            self.threads,
            isa_not_compiled_in=_unused_isa(cpu.own_log()),
            compiler=getattr(tf, "__compiler_version__", None),
            git=str(getattr(tf, "__git_version__", None)),
            cuda="yes" if tf.test.is_built_with_cuda() else None,
            onednn=_onednn(),
            mode="graph",
        )

    def run(
        self, op: str, device: str, conv: Conv, input_nhwc: Any, filter_hwio: Any, bias: Any
    ) -> Any:
        """Return the output as a NumPy array."""
        if conv["dtype"] == "bfloat16" and not hasattr(self.tf, "version"):
            raise ValueError("TensorFlow %s has no bfloat16 convolution" % self.tf.__version__)
        if op == "manual":

            def rows(table: Any, columns: Any) -> Any:
                return self._call("rows", device, conv, [table, columns])

            y = by_rows(rows, conv, input_nhwc, filter_hwio)
            return y if bias is None else self._call("bias", device, conv, [y, bias])
        feed = [input_nhwc, filter_hwio] + ([bias] if bias is not None else [])
        return self._call("conv2d", device, conv, feed)

    def _call(self, name: str, device: str, conv: Conv, arrays: List[Any]) -> Any:
        key = (name, device, repr(sorted(conv.items())), len(arrays), arrays[1].shape)
        if key not in self.sessions:
            self.sessions[key] = self._build(name, device, conv, arrays)
        session, inputs, output = self.sessions[key]
        return np.ascontiguousarray(session.run(output, dict(zip(inputs, arrays))))

    def _build(
        self, name: str, device: str, conv: Conv, arrays: List[Any]
    ) -> Tuple[Any, List[Any], Any]:
        tf = self.tf
        graph = tf.Graph()
        with graph.as_default(), graph.device("/" + device):
            dtype = tf.as_dtype(conv["dtype"])
            # The filter's shape is fixed and the input's is not: the kernel sees real shapes at
            # run time, and one graph serves every length.
            shapes = [[None] * arrays[0].ndim] + [list(array.shape) for array in arrays[1:]]
            if name == "conv2d":
                shapes[0] = [None, None, None, conv["channels_in"]]
            elif name == "bias":
                shapes[0] = [None, None, None, conv["channels_out"]]
            inputs = [tf.placeholder(dtype, shape) for shape in shapes]
            if name == "rows":
                output = tf.reduce_sum(tf.multiply(inputs[0], inputs[1]), 2)
            elif name == "bias":
                output = tf.nn.bias_add(inputs[0], inputs[1])
            else:
                output = _conv2d(tf, tf.nn.depthwise_conv2d_native, conv, inputs[0], inputs[1])
                if len(inputs) == 3:
                    output = tf.nn.bias_add(output, inputs[2])
        config = tf.ConfigProto(
            intra_op_parallelism_threads=self.threads or 0,
            inter_op_parallelism_threads=self.threads or 0,
        )
        return tf.Session(graph=graph, config=config), inputs, output


def _conv2d(tf: Any, depthwise: Callable[..., Any], conv: Conv, x: Any, w: Any) -> Any:
    """Call TensorFlow's own convolution: the depthwise one where every channel is a group."""
    (sh, sw), (dh, dw), groups = conv["strides"], conv["dilations"], conv["groups"]
    options = {}  # type: Dict[str, Any]
    if (dh, dw) != (1, 1):
        options["dilations"] = [1, dh, dw, 1]
    if groups > 1 and groups == conv["channels_in"]:
        kh, kw = conv["kernel"]
        w = tf.reshape(w, [kh, kw, groups, conv["channels_out"] // groups])
        if "dilations" in options and depthwise is tf.nn.depthwise_conv2d:
            options = {"dilations": [dh, dw]}
        return depthwise(x, w, [1, sh, sw, 1], "VALID", **options)
    if groups > 1 and tf.__version__.startswith(("0.", "1.")):
        raise ValueError("TensorFlow %s has no grouped convolution" % tf.__version__)
    if options and "dilations" not in inspect.signature(tf.nn.conv2d).parameters:
        # Before 1.6 dilation was another function's, and not together with strides.
        return tf.nn.convolution(x, w, "VALID", strides=[sh, sw], dilation_rate=[dh, dw])
    return tf.nn.conv2d(x, w, [1, sh, sw, 1], "VALID", **options)


def _tf32(tf: Any) -> Optional[bool]:
    """Return whether TF32 is allowed, or None in versions that know of none."""
    asked = getattr(tf.config.experimental, "tensor_float_32_execution_enabled", None)
    return bool(asked()) if asked else None


def _onednn() -> Optional[bool]:
    """Return whether oneDNN's kernels are in use, or None where TensorFlow can't say."""
    try:
        from tensorflow.python.util import _pywrap_util_port as port
    except ImportError:
        try:
            from tensorflow.python import _pywrap_util_port as port
        except ImportError:
            return None
    return bool(port.IsMklEnabled())


def _unused_isa(log: str) -> List[str]:
    """Return the instruction sets that TensorFlow's log says its own kernels were built without."""
    names = set(re.findall(r"wasn't compiled to use (\S+) instructions", log))
    for line in re.findall(r"To enable the following instructions: ([A-Z0-9_ ]+)", log):
        names.update(line.split())
    return sorted(names)
