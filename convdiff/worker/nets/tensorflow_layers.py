"""What TensorFlow computes for each kind of layer, on activations N[[D]H]WC.

Runs in the interpreter under test, so on Python 3.6 and NumPy 1.16 too.
"""

from functools import partial
from typing import Any, Dict, List, Tuple

import numpy as np

from .. import layout, tensorflow_ops
from ..ops.axis import Axis, moves_of, pads_of
from ..ops.net import Layer
from . import pools
from .context import Context
from .steps import Build, Call, joined


def needs_sizes(layer: Layer) -> bool:
    """Return whether a layer is built for one length: TensorFlow pads otherwise by itself."""
    if layer.kind.family == "pool":
        return not _own_word(layer)
    return bool(layer.settings.get("padding") == "same_lower")


def _own_word(layer: Layer) -> str:
    """Return the word of TensorFlow's that a pool pads by; it never counts what SAME adds."""
    padding = layer.settings["padding"]
    counted = padding != "valid" and layer.settings.get("count_include_pad")
    if not isinstance(padding, str) or counted or layer.settings["ceil_mode"]:
        return ""
    return tensorflow_ops.WORDS.get(padding, "")


def _op(tf: Any, context: Context) -> Call:
    conv, w, bias = context.conv, context.arrays["filter"], context.arrays.get("bias")
    extents = (1,) * conv.rank if context.sizes is None else context.own
    pads = pads_of(conv.own(conv.axes), extents)

    def call(x: Any) -> Any:
        resolved = conv
        if not conv.transposed:
            resolved, x = tensorflow_ops.resolved(conv, x, pads)
        return tensorflow_ops.biased(tf, tensorflow_ops.compute(tf, resolved, x, w), bias)

    return call


def _pool(kind: str, tf: Any, context: Context) -> Call:
    axes, word = context.rest(context.layer.axes), _own_word(context.layer)
    if word:
        return partial(_pooled, tf, kind, axes, word)
    pads, value = context.pads, -np.inf if kind == "MAX" else 0

    def call(x: Any) -> Any:
        return _pooled(tf, kind, axes, "VALID", _padded(tf, x, pads, value))

    if kind == "MAX":
        return call
    share = pools.share(context)[..., None]
    return call if np.all(share == 1) else partial(_divided, tf, call, share)


def _pooled(tf: Any, kind: str, axes: Any, word: str, x: Any) -> Any:
    """Return what TensorFlow's own pool makes; one of one dimension is one of two there."""
    size, strides, dilations = moves_of(axes)
    if set(dilations) != {1}:
        rates = "dilation_rate" if tensorflow_ops.is_old(tf) else "dilations"
        return tf.nn.pool(x, size, kind, padding=word, strides=strides, **{rates: dilations})
    if len(axes) == 1:
        y = _pooled(tf, kind, (Axis(1, 1, 1),) + tuple(axes), word, tf.expand_dims(x, 1))
        return tf.squeeze(y, [1])
    function = getattr(tf.nn, "%s_pool%s" % (kind.lower(), "" if len(axes) == 2 else "3d"))
    return function(x, [1] + size + [1], [1] + strides + [1], word)


def _divided(tf: Any, pool: Call, share: Any, x: Any) -> Any:
    """Return what a pool makes, divided by the share of each window that counts."""
    y = pool(x)
    return tf.divide(y, tf.cast(share, y.dtype))


def _padded(tf: Any, x: Any, pads: Any, value: float) -> Any:
    """Return data with a value around it; TensorFlow 1.0 has no other than zero."""
    ends = tensorflow_ops.ends(pads)
    return tf.pad(x, ends, constant_values=value) if value else tf.pad(x, ends)


def _global(name: str, tf: Any, context: Context) -> Call:
    axes = list(range(1, context.net.rank + 1))
    return lambda x: getattr(tf, name)(x, axes, True)


def _named(path: str, tf: Any, context: Context) -> Call:
    """Return a function of TensorFlow's by its path; the first of several that it has."""
    return _function(tf, path)


def _function(tf: Any, paths: str) -> Call:
    for path in paths.split():
        function = tf
        for name in path.split("."):
            function = getattr(function, name, None)
        if function is not None:
            return function  # type: ignore[no-any-return]
    raise ValueError("TensorFlow %s has no %s" % (tf.__version__, paths))


def _set(path: str, names: Tuple[str, ...], tf: Any, context: Context) -> Call:
    """Return a function by its path, given settings of the layer after its input."""
    function, values = _function(tf, path), [context.settings[name] for name in names]
    return lambda x: function(x, *values)


def _elu(tf: Any, context: Context) -> Call:
    alpha = context.settings["alpha"]
    if alpha == 1:
        return tf.nn.elu  # type: ignore[no-any-return]
    return lambda x: tf.where(x > 0, x, alpha * tf.nn.elu(x))


def _hard_sigmoid(tf: Any, context: Context) -> Call:
    settings = context.settings
    return lambda x: tf.clip_by_value(settings["alpha"] * x + settings["beta"], 0, 1)


def _hard_swish(tf: Any, context: Context) -> Call:
    return lambda x: x * tf.nn.relu6(x + 3) / 6


def _prelu(tf: Any, context: Context) -> Call:
    return lambda x: tf.nn.relu(x) - context.arrays["slope"] * tf.nn.relu(-x)


def _batch_norm(tf: Any, context: Context) -> Call:
    """Return TensorFlow's fused one where it has it, which no function of tf.nn gives as it is."""
    scale, shift, mean, variance = context.given("scale", "shift", "mean", "variance")
    epsilon = context.settings["epsilon"]
    fused = getattr(getattr(tf, "raw_ops", None), "FusedBatchNormV3", None)
    if fused and context.net.rank == 2 and context.net.dtype == "float32" and not context.flat:
        named = {"scale": scale, "offset": shift, "mean": mean, "variance": variance}
        return lambda x: fused(x=x, epsilon=epsilon, is_training=False, **named).y
    return lambda x: tf.nn.batch_normalization(x, mean, variance, shift, scale, epsilon)


def _join(name: str, tf: Any, context: Context) -> Call:
    return joined(getattr(tf, name), context)


def _concat(tf: Any, context: Context) -> Call:
    return lambda *given: tf.concat(list(given), 1 if context.flat else context.joined)


def _pad(tf: Any, context: Context) -> Call:
    settings = context.settings

    def call(x: Any) -> Any:
        kept, pads = layout.cropped(x, context.rest(settings["padding"]))
        return _padded(tf, kept, pads, settings["value"])

    return call


def _flatten(tf: Any, context: Context) -> Call:
    rank, channels_first = context.net.rank, context.settings["order"] == "chw"

    def call(x: Any) -> Any:
        if channels_first:
            x = tf.transpose(x, [0, rank + 1] + list(range(1, rank + 1)))
        return _shaped(tf, x, [-1])

    return call


def _reshape(tf: Any, context: Context) -> Call:
    shape = list(context.fixed)
    return lambda x: _shaped(tf, x, shape)


def _lift(tf: Any, context: Context) -> Call:
    rank = context.net.rank
    return lambda x: _shaped(tf, x, [1] * rank + [x.get_shape().as_list()[-1] or -1])


def _shaped(tf: Any, x: Any, shape: List[int]) -> Any:
    return tf.reshape(x, tf.stack([tf.shape(x)[0]] + shape))


def _identity(tf: Any, context: Context) -> Call:
    return tf.identity  # type: ignore[no-any-return]


LAYERS: Dict[str, Build] = {
    "op": _op,
    "max_pool": partial(_pool, "MAX"),
    "avg_pool": partial(_pool, "AVG"),
    "global_max_pool": partial(_global, "reduce_max"),
    "global_avg_pool": partial(_global, "reduce_mean"),
    "leaky_relu": partial(_set, "nn.leaky_relu", ("alpha",)),
    "gelu": partial(_set, "nn.gelu", ("approximate",)),
    "clip": partial(_set, "clip_by_value", ("low", "high")),
    "elu": _elu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "prelu": _prelu,
    "batch_norm": _batch_norm,
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "lift": _lift,
    "identity": _identity,
}
for _name in ("relu", "relu6", "selu", "silu", "softplus", "softsign", "softmax"):
    LAYERS[_name] = partial(_named, "nn." + _name)
for _name in ("sigmoid", "tanh", "exp", "sqrt", "abs", "negative"):
    LAYERS[_name] = partial(_named, _name)
LAYERS["log"] = partial(_named, "math.log log")
for _name in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
    LAYERS[_name] = partial(_join, _name)
