"""TensorFlow's own calls of each op, and what each takes. Runs on Python 3.6, TensorFlow 1.0.0."""

import inspect
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from . import layout
from .ops.axis import pads_of
from .ops.convolution import Convolution

WORDS = {"valid": "VALID", "same": "SAME"}
"""Paddings that TensorFlow computes from the input's extents itself."""
TAKES_NUMBERS = ("conv2d", "conv2d_transpose")
"""Ops that take padding as numbers too, in TensorFlow 2."""


def is_old(tf: Any) -> bool:
    """Return whether this is TensorFlow 1, of graphs and sessions."""
    return bool(tf.__version__.startswith(("0.", "1.")))


def pads_itself(tf: Any, conv: Convolution) -> bool:
    """Return whether TensorFlow pads, and cuts a transposed output, by itself."""
    return conv.padding in WORDS or (conv.op in TAKES_NUMBERS and not is_old(tf))


def resolved(conv: Convolution, array: Any, pads: Any = None) -> Tuple[Convolution, Any]:
    """Return the op with padding as a word of TensorFlow's or as numbers, none of them negative.

    array: the input, with the op's own axes; it is returned without what negative numbers cut off.
    pads: of its own axes, for an array that does not know its shape yet.
    """
    if conv.padding in WORDS:
        return conv, array
    if pads is None:
        pads = conv.own_pads(array)
    array, pads = layout.cropped(array, pads)
    others = ((0, 0),) * (len(conv.kernel) - conv.rank)
    return conv._replace(padding=others + tuple(pads)), array


def transposed_filter(conv: Convolution, filter_hwio: Any) -> Any:
    """Return a filter (…, cin / groups, cout) as (…, cout / groups, cin), group after group."""
    iohw = layout.iohw(filter_hwio, conv.groups)
    return np.ascontiguousarray(np.moveaxis(iohw, (0, 1), (-1, -2)))


def whole(tf: Any, conv: Convolution, x: Any, w: Any, b: Any = None, added: Any = None) -> Any:
    """Return the op of tensors with its bias, if any, and the step that follows."""
    y = biased(tf, compute(tf, conv, x, w), b)
    return STEPS[conv.then](tf, y, added) if conv.then else y


def biased(tf: Any, y: Any, b: Any) -> Any:
    """Return an output with its bias, if any."""
    return y if b is None else tf.nn.bias_add(y, b)


STEPS = {
    "relu": lambda tf, y, added: tf.nn.relu(y),
    "relu6": lambda tf, y, added: tf.nn.relu6(y),
    "add": lambda tf, y, added: tf.add(y, added),
}
"""What follows an op, of its output and of what is added."""


def compiled(mode: str) -> Optional[bool]:
    """Return what tf.function is told of XLA in a mode."""
    return True if mode == "xla" else None


def compute(tf: Any, conv: Convolution, x: Any, w: Any) -> Any:
    """Return the op of two tensors, without a bias.

    conv: as `resolved` returns it; w: for a transposed convolution as `transposed_filter` does.
    """
    return OPS[conv.op](tf, conv, x, w)


def _convolution(tf: Any, conv: Convolution, x: Any, w: Any) -> Any:
    """Call the convolution: the depthwise one where every channel is a group."""
    x, padding = _padded(tf, conv, x)
    if conv.rank == 2 and conv.groups > 1 and conv.groups == conv.channels_in:
        return _depthwise(tf, conv, x, w, padding)
    if conv.groups > 1 and is_old(tf):
        raise ValueError("TensorFlow %s has no grouped convolution" % tf.__version__)
    function, options = getattr(tf.nn, conv.op), _dilated(conv)
    if options and "dilations" not in inspect.signature(function).parameters:
        # Before 1.6 dilation was another function's, and not together with strides.
        strides, rates = conv.own(conv.strides), conv.own(conv.dilations)
        return tf.nn.convolution(x, w, padding, strides=strides, dilation_rate=rates)
    return function(x, w, _of_axes(conv, conv.strides), padding, **options)


def _depthwise(tf: Any, conv: Convolution, x: Any, w: Any, padding: Any) -> Any:
    w = tf.reshape(w, list(conv.kernel) + [conv.groups, conv.channels_out // conv.groups])
    strides, options = _around(conv, conv.strides), _dilated(conv)
    if is_old(tf):
        return tf.nn.depthwise_conv2d_native(x, w, strides, padding, **options)
    if options:
        options = {"dilations": list(conv.dilations)}
    return tf.nn.depthwise_conv2d(x, w, strides, padding, **options)


def _padded(tf: Any, conv: Convolution, x: Any) -> Tuple[Any, Any]:
    """Return the input and the padding to ask for: what TensorFlow can't pad, tf.pad does."""
    if conv.padding in WORDS:
        return x, WORDS[conv.padding]
    pads = ends(conv.own(conv.padding))
    if pads_itself(tf, conv):
        return x, pads
    return tf.pad(x, pads), "VALID"


def _transposed(tf: Any, conv: Convolution, x: Any, w: Any) -> Any:
    """Call the transposed convolution; what it can't cut off its output itself is cut behind it."""
    pads = pads_of(conv.own(conv.axes), (1,) * conv.rank)
    padding, cut = "VALID", pads  # type: Any, Any
    if pads_itself(tf, conv) or min(map(min, pads)) < 0:  # which it refuses itself
        padding, cut = WORDS.get(conv.padding) or ends(pads), ()
    strides = _of_axes(conv, conv.strides)
    shape = _output_shape(tf, conv, x, cut or ((0, 0),) * conv.rank)
    y = getattr(tf.nn, conv.op)(x, w, shape, strides, padding, **_dilated(conv))
    if not cut:
        return y
    inside = tuple(slice(before, -after or None) for before, after in cut)
    return y[(slice(None),) + inside]


def _dense(tf: Any, conv: Convolution, x: Any, w: Any) -> Any:
    """Multiply matrices: batch and length are rows."""
    rows = tf.reshape(x, [-1, conv.channels_in])
    y = tf.matmul(rows, tf.reshape(w, [conv.channels_in, conv.channels_out]))
    return tf.reshape(y, _extents(tf, x)[:-1] + [conv.channels_out])


OPS = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "conv1d_transpose": _transposed,
    "conv2d_transpose": _transposed,
    "conv3d_transpose": _transposed,
    "dense": _dense,
}


def _dilated(conv: Convolution) -> Dict[str, Any]:
    """Return the option that dilates a filter; versions without one are asked without."""
    if set(conv.dilations) == {1}:
        return {}
    return {"dilations": _of_axes(conv, conv.dilations)}


def _of_axes(conv: Convolution, values: Any) -> Any:
    """Return what an option takes for all axes: of one dimension a number."""
    return values[-1] if conv.rank == 1 else _around(conv, values)


def _around(conv: Convolution, values: Any) -> List[int]:
    """Return an entry for each of the axes N, …, C."""
    return [1] + list(conv.own(values)) + [1]


def ends(pads: Any) -> List[List[int]]:
    """Return (before, after) for each of the axes N, …, C."""
    return [[0, 0]] + [list(pair) for pair in pads] + [[0, 0]]


def _output_shape(tf: Any, conv: Convolution, x: Any, cut: Any) -> Any:
    """Return the shape of a transposed convolution's output before its ends are cut off."""
    batch, *extents, _ = _extents(tf, x)
    axes = zip(conv.own(conv.axes), extents, cut)
    outputs = [axis.extent(n) + before + after for axis, n, (before, after) in axes]
    return tf.stack([batch] + outputs + [conv.channels_out])


def _extents(tf: Any, x: Any) -> List[Any]:
    """Return a tensor's shape; what a graph does not know of it yet, as tensors."""
    extents, later = x.get_shape().as_list(), tf.shape(x)
    for axis, extent in enumerate(extents):
        if extent is None:
            extents[axis] = later[axis]
    return extents  # type: ignore[no-any-return]
