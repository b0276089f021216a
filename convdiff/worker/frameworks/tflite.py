"""TensorFlow Lite: a model of one operator in an interpreter; kernels and weights are modes."""

from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from .. import cpu, layout
from ..framework import Arrays, Device, Framework, mapped, present
from ..imports import without
from ..ops.axis import pads_of
from ..ops.convolution import Convolution
from ..ops.then import LIMITS
from ..tflite_model import Model
from ..tflite_ops import STEPS, STORED, Layer, laid, pads_itself, with_axes, written
from ..tflite_scales import calibrated
from .tensorflow import UNUSED

KERNELS = {
    "xnnpack": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
"""Which kernels compute, each with the interpreter's name for it; the first where none is asked."""
KEPT = 4
"""Models kept: a filter is part of one, and probes bring new ones with every call."""


def open(threads: Optional[int]) -> Framework:
    """Import TensorFlow Lite, TensorFlow's own or else LiteRT's, and return its Framework."""
    try:
        with without(*UNUSED):
            import tensorflow as tf
            from tensorflow.lite.python import interpreter, schema_py_generated

        package, version = "TensorFlow's own", tf.__version__
    except ModuleNotFoundError:
        import ai_edge_litert
        from ai_edge_litert import interpreter, schema_py_generated

        package, version = "LiteRT's", ai_edge_litert.__version__
    return TfLite(interpreter, schema_py_generated, package, version, threads)


class TfLite(object):
    """One interpreter a model; only its input is fed, the rest is constant."""

    steps = tuple(STEPS)

    def __init__(
        self, interpreter: Any, schema: Any, package: str, version: str, threads: Optional[int]
    ) -> None:
        self.interpreter, self.schema, self.threads = interpreter, schema, threads or 1
        self.package, self.version = package, version
        self.refused = {
            "float64": "TensorFlow Lite has no float64 convolution",
            "bfloat16": "TensorFlow Lite has no bfloat16 convolution",
        }
        self.kept = {}  # type: Dict[Any, Any]

    def fingerprint(self) -> Dict[str, Any]:
        """See `Framework`."""
        return cpu.fingerprint(
            "tflite",
            self.version,
            {},
            self.threads,
            git=self.package,
            mode="interpreter",
            modes=list(KERNELS) + list(STORED),
        )

    def pads_itself(self, conv: Convolution) -> bool:
        """See `Framework`."""
        return pads_itself(conv)

    def conv2d(self, conv: Convolution, device: Device, *given: Any) -> Any:
        """See `Framework`."""
        arrays = Arrays(*given)
        kernels = _chosen(device.modes, tuple(KERNELS))
        stored = _chosen(device.modes, ("",) + STORED)
        x, kernel = laid(conv, arrays.x, arrays.w)
        ends = list(pads_of(conv.axes[2 - x.ndim :], x.shape[1:-1]))
        if not conv.transposed:
            x, ends = layout.cropped(x, ends)
        bias, added, fed = arrays.bias, arrays.added, [x]
        if added is not None:
            fed.append(with_axes(added, x.ndim))
        shapes = tuple(array.shape for array in fed)
        held = tuple(mapped(np.ndarray.tobytes, (kernel, bias)))
        layer = Layer(conv, stored, shapes, ends, kernel, bias)
        if stored == "int8":
            own = conv if added is None else conv._replace(then="")
            plain = layer._replace(conv=own, stored="")
            key = (own, x.shape) + held + ("",)
            whole = self._run(key, lambda: written(self.schema, plain), [x], kernels)
            layer = layer._replace(calibrated=calibrated(x, kernel, whole))
            y = _called(self._interpreter(written(self.schema, layer), kernels), fed)
        else:
            key = (conv, shapes) + held + (stored,)
            y = self._run(key, lambda: written(self.schema, layer), fed, kernels)
        return y if x.ndim == arrays.x.ndim else y[:, 0]

    conv1d = conv3d = conv2d
    conv1d_transpose = conv2d_transpose = conv3d_transpose = conv2d
    dense = conv2d

    def multiply_sum(self, dtype: str, device: Device, table: Any, columns: Any) -> Any:
        """See `Framework`."""
        return self._elementwise(_multiply_sum, dtype, [table, columns])

    def add(self, dtype: str, device: Device, output: Any, bias: Any) -> Any:
        """See `Framework`."""
        return self._elementwise(_add, dtype, [output, bias])

    def then(self, then: str, dtype: str, device: Device, output: Any, added: Any) -> Any:
        """See `Framework`."""
        return self._elementwise(_MAKES[then], dtype, present((output, added)))

    def _elementwise(self, make: Any, dtype: str, arrays: List[Any]) -> Any:
        shapes = tuple(array.shape for array in arrays)
        return self._run((make, dtype, shapes), lambda: make(self.schema, dtype, shapes), arrays)

    def _run(
        self, key: Any, make: Callable[[], bytes], arrays: List[Any], kernels: str = "xnnpack"
    ) -> Any:
        """Return what a model makes of arrays; it is kept for the next time."""
        key += (kernels,)
        if key not in self.kept:
            made = self._interpreter(make(), kernels)
            if len(self.kept) >= KEPT:
                self.kept.clear()
            self.kept[key] = made
        return _called(self.kept[key], arrays)

    def _interpreter(self, model: bytes, kernels: str) -> Any:
        resolver = getattr(self.interpreter.OpResolverType, KERNELS[kernels])
        made = self.interpreter.Interpreter(
            model_content=model,
            num_threads=self.threads,
            experimental_op_resolver_type=resolver,
        )
        made.allocate_tensors()
        return made


def _called(interpreter: Any, arrays: List[Any]) -> Any:
    for given, array in zip(interpreter.get_input_details(), arrays):
        interpreter.set_tensor(given["index"], np.ascontiguousarray(array))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _chosen(modes: Sequence[str], wanted: Sequence[str]) -> str:
    """Return the last of the modes that is one of these, or the first of these."""
    for mode in reversed(modes):
        if mode in wanted:
            return mode
    return wanted[0]


def _multiply_sum(schema: Any, dtype: str, shapes: Any) -> bytes:
    model = Model(schema)
    table, columns = (model.tensor(shape, dtype) for shape in shapes)
    (rows, _, taps), (_, channels, _) = shapes
    product = model.tensor((rows, channels, taps), dtype)
    model.node("MUL", [table, columns], product, "MulOptions")
    axis = model.constant(np.array([2], np.int32))
    sums = model.tensor((rows, channels), dtype)
    model.node("SUM", [product, axis], sums, "ReducerOptions", keepDims=False)
    return model.finished([table, columns], sums)


def _add(schema: Any, dtype: str, shapes: Any) -> bytes:
    model = Model(schema)
    given = [model.tensor(shape, dtype) for shape in shapes]
    sums = model.node("ADD", given, model.tensor(shapes[0], dtype), "AddOptions")
    return model.finished(given, sums)


def _clamp(then: str) -> Callable[[Any, str, Any], bytes]:
    def make(schema: Any, dtype: str, shapes: Any) -> bytes:
        model = Model(schema)
        given, output = model.tensor(shapes[0], dtype), model.tensor(shapes[0], dtype)
        return model.finished([given], model.node(STEPS[then], [given], output))

    return make


_MAKES = dict({then: _clamp(then) for then in LIMITS}, add=_add)
