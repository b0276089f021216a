"""How TensorFlow Lite is asked for each op: which of its operators, and how a filter lies there.

What an operator has no word for is refused here, in ours; what it can't do, it refuses itself.
Runs on Python 3.6.
"""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .ops.axis import Axis, Pad, extents_of
from .ops.convolution import Convolution
from .ops.then import LIMITS
from .tflite_model import Model, Scales
from .tflite_scales import Calibrated, normal, symmetric

STORED = ("fp16_weights", "int8_weights", "int8")
"""How constants are stored other than in the op's dtype; with int8 all is computed in it."""


EMPTY = "nothing is left of the output; TensorFlow Lite dies of a tensor without elements"
LONGER = "TensorFlow Lite lengthens a transposed output at its end only, by less than a stride"
"""Of another length asked for it gives what other frameworks don't, or refuses it."""


class Operator(NamedTuple):
    """One of TensorFlow Lite's operators."""

    name: str
    options: str
    order: Tuple[int, ...]
    """Its filter's axes, of [[D]H]WIO."""
    lacks: Tuple[str, ...] = ()
    """What it has no word for."""

    @property
    def outputs_axis(self) -> int:
        """The filter's axis of output channels, along which int8 weights have scales."""
        return self.order.index(len(self.order) - 1)


FLAT = Operator("CONV_2D", "Conv2DOptions", (3, 0, 1, 2))
DEPTHWISE = Operator("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (2, 0, 1, 3))
FLAT_TRANSPOSED = Operator(
    "TRANSPOSE_CONV", "TransposeConvOptions", (3, 0, 1, 2), ("dilations", "groups")
)
DEEP = Operator("CONV_3D", "Conv3DOptions", (0, 1, 2, 3, 4))
DEEP_TRANSPOSED = Operator("CONV_3D_TRANSPOSE", "Conv3DOptions", (0, 1, 2, 4, 3), ("groups",))
DENSE = Operator("FULLY_CONNECTED", "FullyConnectedOptions", (1, 0))
OPERATORS = {
    "conv1d": FLAT,
    "conv2d": FLAT,
    "conv3d": DEEP,
    "conv1d_transpose": FLAT_TRANSPOSED,
    "conv2d_transpose": FLAT_TRANSPOSED,
    "conv3d_transpose": DEEP_TRANSPOSED,
    "dense": DENSE,
}


STEPS = {"relu": "RELU", "relu6": "RELU6", "add": "ADD"}
"""Operators that follow; all but the last are an operator's own activation, too."""


def operator(conv: Convolution) -> Operator:
    """Return what computes a convolution. Raises ValueError where nothing can."""
    row = OPERATORS[conv.op]
    if row is FLAT and 1 < conv.groups == conv.channels_in:
        return DEPTHWISE
    for name in row.lacks:
        if np.any(np.array(getattr(conv, name)) != 1):
            raise ValueError("TensorFlow Lite's %s has no %s" % (row.name, name))
    return row


def laid(conv: Convolution, array: Any, kernel: Any) -> Tuple[Any, Any]:
    """Return an op's own input and filter with the axes that its operator has.

    A dense product's filter has no spatial axis; a convolution of one dimension has a height of 1.
    """
    count = len(OPERATORS[conv.op].order)
    filled = kernel.reshape(((1,) * count + kernel.shape)[-count:])
    return with_axes(array, count), filled


def with_axes(array: Any, count: int) -> Any:
    """Return data (N, …, C) of this many axes: a height of 1 is added where one is missing."""
    return array if array.ndim >= count else array[:, None]


class Layer(NamedTuple):
    """A convolution as a model has it."""

    conv: Convolution
    stored: str
    """How its weights are; empty for the op's own dtype."""
    shapes: Sequence[Sequence[int]]
    """Of its input, (N, [D, ]H, W, C), of `dense` (N, L, C), and of what the step `add` adds."""
    ends: List[Pad]
    """The zeros before and after each axis between N and C."""
    kernel: Any
    """The filter, of `dense` (I, O)."""
    bias: Any
    calibrated: Optional[Calibrated] = None


def written(schema: Any, layer: Layer) -> bytes:
    """Return the flatbuffer of a model of one convolution.

    Where there is no bias, one of zeros is written, as TensorFlow Lite's converter does: XNNPACK's
    depthwise convolution dies without one.
    """
    conv, shape, bias = layer.conv, layer.shapes[0], layer.bias
    parts = _Parts(Model(schema), conv, operator(conv), layer.ends, layer.stored, layer.calibrated)
    given = parts.model.tensor(shape, conv.dtype)
    if bias is None:
        bias = np.zeros(conv.channels_out, layer.kernel.dtype)
    output = parts.computed(given, tuple(shape), layer.kernel, bias)
    if conv.then != "add":
        return parts.model.finished([given], output)
    other = parts.model.tensor(layer.shapes[-1], conv.dtype)
    whole = parts.model.tensor(parts.model.graph.tensors[output].shape, conv.dtype)
    sums = parts.model.node("ADD", [output, other], whole, "AddOptions")
    return parts.model.finished([given, other], sums)


class _Parts(NamedTuple):
    """A model that is being written."""

    model: Model
    conv: Convolution
    operator: Operator
    ends: List[Pad]
    stored: str
    calibrated: Optional[Calibrated]

    def computed(self, given: int, shape: Tuple[int, ...], kernel: Any, bias: Any) -> int:
        """Return the output of the input `given`, in the op's dtype."""
        x = given
        if self.calibrated is not None:
            x = self.model.node("QUANTIZE", [given], self.inner(shape, "input"), "QuantizeOptions")
        constants = [self.weights(kernel), self.bias(kernel, bias)]
        if self.conv.transposed:
            y, shape = self.spread(x, shape, constants)
        else:
            y, shape = self.gathered(x, shape, constants)
        if self.calibrated is None:
            return y
        whole = self.model.tensor(shape, self.conv.dtype)
        return self.model.node("DEQUANTIZE", [y], whole, "DequantizeOptions")

    def inner(self, shape: Sequence[int], side: str) -> int:
        """Return a tensor between the operators, on the input's or the output's side."""
        if self.calibrated is None:
            return self.model.tensor(shape, self.conv.dtype)
        return self.model.tensor(shape, "int8", getattr(self.calibrated, side))

    def weights(self, kernel: Any) -> int:
        """Return the filter as it is stored."""
        laid = kernel.transpose(self.operator.order)
        if not self.stored:
            return self.model.constant(laid)
        if self.stored == "fp16_weights":
            half = self.model.constant(laid.astype(np.float16))
            whole = self.model.tensor(laid.shape, self.conv.dtype)
            return self.model.node("DEQUANTIZE", [half], whole, "DequantizeOptions")
        if not np.isfinite(kernel).all():
            raise ValueError("weights that are not finite have no int8")
        scales = symmetric(kernel)
        laid = np.rint(kernel / scales).astype(np.int8).transpose(self.operator.order)
        zeros = np.zeros(len(scales))
        return self.model.constant(laid, Scales(scales, zeros, self.operator.outputs_axis))

    def bias(self, kernel: Any, bias: Any) -> int:
        """Return the bias; int8 operators take int32, in units of a product."""
        if self.calibrated is None:
            return self.model.constant(bias)
        scales = normal(self.calibrated.input.scales * symmetric(kernel))
        whole = np.rint(bias / scales.astype(np.float64)).clip(-(2**31), 2**31 - 1)
        whole = np.nan_to_num(whole).astype(np.int32)
        return self.model.constant(whole, Scales(scales, np.zeros(len(scales))))

    def options(self, padding: str) -> Any:
        """Return the values of the operator's options, by their fields in the schema."""
        conv, values = self.conv, {}
        if conv.then in LIMITS:
            kinds = self.model.schema.ActivationFunctionType
            values["fusedActivationFunction"] = getattr(kinds, STEPS[conv.then])
        if self.operator is DENSE:
            return dict(values, keepNumDims=True)
        values["padding"] = getattr(self.model.schema.Padding, padding)
        for axis, name in zip("WHD", range(-1, -1 - len(conv.kernel), -1)):
            values["stride" + axis] = conv.strides[name]
            if "dilations" not in self.operator.lacks:
                values["dilation%sFactor" % axis] = conv.dilations[name]
        if self.operator is DEPTHWISE:
            values["depthMultiplier"] = conv.channels_out // conv.channels_in
        return values

    def called(self, inputs: List[int], output: int, padding: str) -> int:
        """Return the output of the operator itself."""
        name, options = self.operator.name, self.operator.options
        return self.model.node(name, inputs, output, options, **self.options(padding))

    def gathered(
        self, x: int, shape: Tuple[int, ...], constants: List[int]
    ) -> Tuple[int, Tuple[int, ...]]:
        """Return the output, and its shape, of what is no transposed convolution."""
        conv = self.conv
        ends = [(0, 0)] + self.ends + [(0, 0)]
        padded = tuple(n + sum(end) for n, end in zip(shape, ends))
        if padded != shape and not pads_itself(conv):
            table = self.model.constant(np.array(ends, np.int32))
            x = self.model.node("PAD", [x, table], self.inner(padded, "input"), "PadOptions")
        axes = [axis._replace(padding="valid") for axis in conv.axes[-len(self.ends) :]]
        outputs = extents_of(axes, padded[1:-1])
        if min(outputs) < 1 and conv.padding != "same":
            raise ValueError(EMPTY)
        made = shape[:1] + outputs + (conv.channels_out,)
        padding = "SAME" if conv.padding == "same" else "VALID"
        return self.called([x] + constants, self.inner(made, "output"), padding), made

    def spread(
        self, x: int, shape: Tuple[int, ...], constants: List[int]
    ) -> Tuple[int, Tuple[int, ...]]:
        """Return the output, and its shape, of a transposed convolution.

        Its operator is told how long the output is; what padding cuts at the front is cut after it.
        """
        conv, padding = self.conv, "SAME" if self.conv.padding == "same" else "VALID"
        made = extents_of(conv.axes, shape[1:-1])
        if min(made) < 1:
            raise ValueError(EMPTY)
        cuts = (0,) * len(made)
        asked = made
        if padding == "VALID":
            cuts = tuple(before for before, _ in self.ends)
            asked = tuple(map(_asked, conv.axes, shape[1:-1], cuts, made))
        whole = shape[:1] + asked + (conv.channels_out,)
        final = shape[:1] + made + (conv.channels_out,)
        inputs = [self.model.constant(np.array(whole, np.int32)), constants[0], x, constants[1]]
        y = self.called(inputs, self.inner(whole, "output"), padding)
        if final == whole:
            return y, final
        start = self.model.constant(np.array((0,) + cuts + (0,), np.int32))
        size = self.model.constant(np.array(final, np.int32))
        output = self.inner(final, "output")
        return self.model.node("SLICE", [y, start, size], output, "SliceOptions"), final


def _asked(axis: Axis, extent: int, cut: int, outputs: int) -> int:
    """Return how long an output is asked for, of which `outputs` are left after the first `cut`."""
    natural = (extent - 1) * axis.stride + axis.reach
    asked = max(natural, cut + outputs)
    if cut < 0 or natural < asked >= natural + axis.stride:
        raise ValueError(LONGER)
    return asked


def pads_itself(conv: Convolution) -> bool:
    """Whether padding is the operator's own, and none of a PAD before it."""
    return conv.transposed or conv.padding in ("valid", "same")
