"""TensorFlow 1.x (graph and session) and 2.x (eager): an op + bias_add, and the manual reference.

Runs in the interpreter under test, so on Python 3.6 and NumPy 1.16 too.
"""

import re
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from .. import cpu, layout, tensorflow_ops
from ..framework import Arrays, Device, Framework, mapped, present
from ..imports import without
from ..ops.convolution import Convolution
from ..ops.net import Net

MODES = ("graph", "xla")
UNUSED = ("jax", "keras")
"""What it imports where it is there."""
KEPT = 4
"""Filters and biases kept as tensors; probes bring new ones with every call."""
Make = Callable[[Any, List[Any], Any], Any]


def open(threads: Optional[int]) -> Framework:
    """Import TensorFlow and return its Framework, with `threads` intra-op threads if given."""
    with without(*UNUSED):
        import tensorflow as tf

    if tensorflow_ops.is_old(tf):
        return Graph(tf, threads)
    return Eager(tf, threads)


class Ops(object):
    """The ops, as both TensorFlows are asked for them; how one is computed differs."""

    tf = None  # type: Any
    steps = tuple(tensorflow_ops.STEPS)

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        conv, x = tensorflow_ops.resolved(conv, arrays.x)
        return self._compute(conv, device, arrays._replace(x=x))

    def conv2d_transpose(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        w = tensorflow_ops.transposed_filter(conv, arrays.w)
        return self._compute(conv, device, arrays._replace(w=w))

    conv1d = conv3d = dense = conv2d
    conv1d_transpose = conv3d_transpose = conv2d_transpose

    def pads_itself(self, conv: Convolution) -> bool:
        """See `Framework`."""
        return tensorflow_ops.pads_itself(self.tf, conv)

    def _compute(self, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        raise NotImplementedError


class Eager(Ops):
    """TensorFlow 2: every operation runs as it is called."""

    def __init__(self, tf: Any, threads: Optional[int]) -> None:
        self.tf, self.threads = tf, threads
        # What a device can't do is refused, not quietly done on the CPU under the device's name.
        tf.config.set_soft_device_placement(False)
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.refused = {}  # type: Dict[str, str]
        self.tensors = {}  # type: Dict[Tuple[int, str], Tuple[Any, Any]]
        self.traced = {}  # type: Dict[Tuple[Convolution, str], Callable[..., Any]]

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        tf = self.tf
        tf.zeros([1])  # starts the runtime, which then says what it is
        names = {}  # type: Dict[str, str]
        config = tf.config
        if not hasattr(config, "list_physical_devices"):
            config = config.experimental  # TensorFlow 2.0 has it among what is not settled yet
        for number, device in enumerate(config.list_physical_devices("GPU")):
            details = tf.config.experimental.get_device_details(device)
            names["gpu:%d" % number] = details.get("device_name", "GPU")
        build = dict(getattr(tf.sysconfig, "get_build_info", dict)())
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

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        tf = self.tf
        with self._on(device):
            product = tf.multiply(self._tensor(table, dtype), self._tensor(columns, dtype))
            return layout.bits(tf.reduce_sum(product, axis=2).numpy(), dtype)

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        with self._on(device):
            y = self.tf.nn.bias_add(self._tensor(output, dtype), self._kept(bias, dtype, device))
            return layout.bits(y.numpy(), dtype)

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        with self._on(device):
            y, beside = mapped(partial(self._tensor, dtype=dtype), (output, added))
            return layout.bits(tensorflow_ops.STEPS[then](self.tf, y, beside).numpy(), dtype)

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`."""
        from ..nets.tensorflow import EagerNet

        return EagerNet(
            self.tf,
            net,
            arrays,
            partial(self._on, device),
            lambda array: self._tensor(array, net.dtype),
            lambda tensor: layout.bits(tensor.numpy(), net.dtype),
            device.modes[-1] if device.modes else "",
        )

    def _on(self, device: Device) -> Any:
        return self.tf.device("/" + device.name.upper())

    def _compute(self, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        tensor = partial(self._tensor, dtype=conv.dtype)
        kept = partial(self._kept, dtype=conv.dtype, device=device)
        with self._on(device):
            x, added = mapped(tensor, (arrays.x, arrays.added))
            w, b = mapped(kept, (arrays.w, arrays.bias))
            beside = (b, added) if conv.then else ()
            try:
                y = self._traced(conv, device.modes)(x, w, *beside)
            except self.tf.errors.OpError as error:
                raise type(error)(None, None, _own_words(error.message)) from None
            if b is not None and not conv.then:  # added by itself, whatever the mode
                y = self.tf.nn.bias_add(y, b)
            return layout.bits(y.numpy(), conv.dtype)

    def _traced(self, conv: Convolution, modes: Tuple[str, ...]) -> Callable[..., Any]:
        """Return the op of (x, w), in graph and xla mode as a function that is traced once.

        With a step, it is all of (x, w, bias or None, added or None).
        """
        compute = partial(tensorflow_ops.whole, self.tf, conv)
        if not modes:
            return compute
        key = (conv, modes[-1])
        if key not in self.traced:
            self.traced[key] = self.tf.function(
                compute,
                jit_compile=tensorflow_ops.compiled(modes[-1]),
                reduce_retracing=modes[-1] == "graph",
                autograph=False,  # it would put where it was in our code before what is wrong
            )
        return self.traced[key]

    def _tensor(self, array: Any, dtype: str) -> Any:
        if dtype == "bfloat16":
            array = array.view(self.tf.bfloat16.as_numpy_dtype)
        return self.tf.convert_to_tensor(array)

    def _kept(self, array: Any, dtype: str, device: Device) -> Any:
        """Return the tensor of an array that many cells share, made once a device."""
        key = (id(array), device.name)
        kept = self.tensors.get(key)
        if kept is None or kept[0] is not array:
            if len(self.tensors) >= KEPT:
                self.tensors.clear()
            kept = self.tensors[key] = (array, self._tensor(array, dtype))
        return kept[1]


class Graph(Ops):
    """TensorFlow 1: one graph and session a (operation, device, geometry), fed with arrays."""

    def __init__(self, tf: Any, threads: Optional[int]) -> None:
        self.tf, self.threads = tf, threads
        self.refused = {}  # type: Dict[str, str]
        if not hasattr(tf, "version"):
            reason = "TensorFlow %s has no bfloat16 convolution" % tf.__version__
            self.refused["bfloat16"] = reason
        self.sessions = {}  # type: Dict[Tuple[Any, ...], Tuple[Any, List[Any], Any]]
        from tensorflow.python.client import device_lib

        self.local = device_lib.list_local_devices()

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
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

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return self._call(_multiply_sum, None, dtype, device, [table, columns])

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return self._call(_bias_add, None, dtype, device, [output, bias])

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        return self._call(_STEPS[then], None, dtype, device, present((output, added)))

    def net(self, net: Net, device: Device, arrays: Dict[str, Any]) -> Any:
        """See `Framework`."""
        from ..nets.tensorflow import GraphNet

        return GraphNet(self.tf, net, arrays, "/" + device.name, self._session)

    def _compute(self, conv: Convolution, device: Device, arrays: Arrays) -> Any:
        return self._call(_op, conv, conv.dtype, device, present(arrays))

    def _call(
        self,
        make: Make,
        conv: Optional[Convolution],
        dtype: str,
        device: Device,
        arrays: List[Any],
    ) -> Any:
        # The filter's shape is fixed and the input's is not: the kernel sees real shapes at run
        # time, and one graph serves every length.
        shapes = [[None] * (arrays[0].ndim - 1) + [arrays[0].shape[-1]]]  # type: List[Any]
        shapes += [list(array.shape) for array in arrays[1:]]
        key = (make, conv, dtype, device, repr(shapes))
        if key not in self.sessions:
            graph = self.tf.Graph()
            with graph.as_default(), graph.device("/" + device.name):
                kind = self.tf.as_dtype(dtype)
                inputs = [self.tf.placeholder(kind, shape) for shape in shapes]
                self.sessions[key] = self._session(graph), inputs, make(self.tf, inputs, conv)
        session, inputs, output = self.sessions[key]
        return np.ascontiguousarray(session.run(output, dict(zip(inputs, arrays))))

    def _session(self, graph: Any) -> Any:
        config = self.tf.ConfigProto(
            intra_op_parallelism_threads=self.threads or 0,
            inter_op_parallelism_threads=self.threads or 0,
        )
        return self.tf.Session(graph=graph, config=config)


def _op(tf: Any, inputs: List[Any], conv: Convolution) -> Any:
    added = None
    if conv.then == "add":
        *inputs, added = inputs
    bias = inputs[2] if len(inputs) > 2 else None
    return tensorflow_ops.whole(tf, conv, inputs[0], inputs[1], bias, added)


def _multiply_sum(tf: Any, inputs: List[Any], conv: None) -> Any:
    return tf.reduce_sum(tf.multiply(inputs[0], inputs[1]), 2)


def _bias_add(tf: Any, inputs: List[Any], conv: None) -> Any:
    return tf.nn.bias_add(inputs[0], inputs[1])


def _step(then: str) -> Make:
    """Return what makes a step of an output, and of what is added, if anything."""
    return lambda tf, inputs, conv: tensorflow_ops.STEPS[then](tf, inputs[0], inputs[-1])


_STEPS = {then: _step(then) for then in tensorflow_ops.STEPS}


def _own_words(message: str) -> str:
    """Return what TensorFlow says of an op, without where in our code a graph got it from."""
    lines = [line for line in message.splitlines() if line[:1].strip()]
    return lines[-1] if message.startswith("Graph execution error") else message


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
