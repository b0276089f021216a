"""Nets in TensorFlow: eager, as a traced function, and as one graph and session of TensorFlow 1.

Runs in the interpreter under test, so on Python 3.6 and NumPy 1.16 too.
"""

from functools import lru_cache, partial
from typing import Any, Callable, Container, Dict, Iterator, List, Tuple

import numpy as np

from .. import layout, tensorflow_ops
from ..ops.axis import Axis
from ..ops.net import Layer, Net
from ..ops.net_shapes import moves
from . import pools
from .steps import (
    KEPT,
    Build,
    Call,
    Place,
    Step,
    build,
    constant,
    flat,
    folded,
    joined,
    named,
    sizes_of,
    unfolded,
    walk,
)

Tensor = Callable[[Any], Any]
"""Makes a tensor of an array in the net's dtype."""


class EagerNet(object):
    """Layer by layer as it is called, or all as one function that is traced."""

    def __init__(
        self,
        tf: Any,
        net: Net,
        arrays: Dict[str, Any],
        on: Callable[[], Any],
        tensor: Tensor,
        array: Callable[[Any], Any],
        mode: str,
    ) -> None:
        """on: the context of the device; tensor, array: to the framework and back."""
        self.tf, self.net, self.on, self.tensor, self.array = tf, net, on, tensor, array
        self.mode = mode
        self.static = mode == "xla" or any(map(needs_sizes, net.layers))
        with on():
            self.tensors = _tensors(net, arrays, tensor)
        self.sizes = lru_cache(KEPT)(partial(sizes_of, net))
        self.steps = lru_cache(KEPT)(self._steps)
        self.functions = lru_cache(KEPT)(self._function)

    def run(self, input_nhwc: Any, fetched: Container[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the fetched activations, NHWC, each as soon as it is there."""
        with self.on():
            x = self.tensor(unfolded(self.net, input_nhwc))
            if self.mode:
                names = named(self.net, fetched)
                activations = self._traced(input_nhwc, names)(x)
                found = iter([(name, activations[name]) for name in names])
            else:
                found = walk(self.net, self.steps(input_nhwc.shape), x, fetched)
            for name, y in found:
                yield name, folded(self.array(y))

    def _steps(self, shape: Any) -> List[Step]:
        sizes = None if shape is None else self.sizes(shape)
        return build(LAYERS, self.tf, self.net, self.tensors, sizes)

    def _traced(self, input_nhwc: Any, names: Tuple[str, ...]) -> Any:
        """Return the net as a function, traced once where it serves every length."""
        self.sizes(input_nhwc.shape)  # so that what does not fit is told by name
        own = unfolded(self.net, input_nhwc).shape
        if self.static:
            return self.functions(names, input_nhwc.shape, own)
        return self.functions(names, None, open_shape(own))

    def _function(self, names: Tuple[str, ...], shape: Any, own: Any) -> Any:
        """own: the input's shape with the net's own axes, None where it is open."""
        steps = self._steps(shape)
        return self.tf.function(
            lambda x: dict(walk(self.net, steps, x, names)),
            input_signature=[self.tf.TensorSpec(own, self.net.dtype)],
            jit_compile=True if self.mode == "xla" else None,
            autograph=False,
        )


class GraphNet(object):
    """One graph and session for all lengths; for each where a layer is built for one length."""

    def __init__(
        self, tf: Any, net: Net, arrays: Dict[str, Any], device: str, session: Callable[[Any], Any]
    ) -> None:
        """device: as tf.device takes it; session: makes one of a graph."""
        self.tf, self.net, self.device, self.opened = tf, net, device, session
        self.arrays = arrays
        self.static = any(map(needs_sizes, net.layers))
        self.sizes = lru_cache(KEPT)(partial(sizes_of, net))
        self.sessions = lru_cache(KEPT)(self._session)

    def run(self, input_nhwc: Any, fetched: Container[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the fetched activations, NHWC."""
        x = unfolded(self.net, input_nhwc)
        self.sizes(input_nhwc.shape)  # so that what does not fit is told by name
        if self.static:
            session, placeholder, activations = self.sessions(input_nhwc.shape, x.shape)
        else:
            session, placeholder, activations = self.sessions(None, open_shape(x.shape))
        names = named(self.net, fetched)
        found = session.run([activations[name] for name in names], {placeholder: x})
        for name, y in zip(names, found):
            yield name, folded(y)

    def _session(self, shape: Any, own: Any) -> Tuple[Any, Any, Dict[str, Any]]:
        """Return a session, its input, and all activations; the weights are variables.

        shape, own: as of `EagerNet`.
        """
        tf, graph, feeds = self.tf, self.tf.Graph(), {}  # type: Any, Any, Dict[Any, Any]
        kind = tf.as_dtype(self.net.dtype)

        def variable(array: Any) -> Any:
            value = tf.placeholder(kind, array.shape)
            feeds[value] = array
            return tf.Variable(value, trainable=False)

        with graph.as_default(), graph.device(self.device):
            placeholder = tf.placeholder(kind, own)
            tensors = _tensors(self.net, self.arrays, variable)
            sizes = None if shape is None else self.sizes(shape)
            steps = build(LAYERS, tf, self.net, tensors, sizes)
            names = [layer.name for layer in self.net.layers]
            activations = dict(walk(self.net, steps, placeholder, names))
            session = self.opened(graph)
            session.run(tf.global_variables_initializer(), feeds)
        return session, placeholder, activations


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


def open_shape(shape: Tuple[int, ...]) -> Tuple[Any, ...]:
    """Return a shape whose images and columns may be as many as they like."""
    return (None,) + shape[1:-2] + (None, shape[-1])


def _tensors(net: Net, arrays: Dict[str, Any], tensor: Tensor) -> Dict[str, Dict[str, Any]]:
    """Return each layer's arrays as TensorFlow takes them."""
    made, flats = {}, flat(net)  # type: Dict[str, Dict[str, Any]], Any
    for layer in net.layers:
        given = {role: arrays[key] for role, key in layer.arrays.items()}
        if layer.kind.family == "op":
            conv = layer.conv
            w = conv.own_filter(given["filter"])
            given["filter"] = tensorflow_ops.transposed_filter(conv, w) if conv.transposed else w
        if "constant" in given:
            rank = 0 if layer.name in flats else net.rank
            given["constant"] = constant(given["constant"], rank)
        made[layer.name] = {role: tensor(array) for role, array in given.items()}
    return made


def _op(tf: Any, place: Place) -> Call:
    conv, w, bias = place.conv, place.arrays["filter"], place.arrays.get("bias")
    extents = (1,) * conv.rank if place.sizes is None else place.own
    pads = tuple(axis.pad(n) for axis, n in zip(conv.own(conv.axes), extents))

    def call(x: Any) -> Any:
        resolved = conv
        if not conv.transposed:
            resolved, x = tensorflow_ops.resolved(conv, x, pads)
        y = tensorflow_ops.compute(tf, resolved, x, w)
        return y if bias is None else tf.nn.bias_add(y, bias)

    return call


def _pool(kind: str, tf: Any, place: Place) -> Call:
    axes, word = place.rest(place.layer.axes), _own_word(place.layer)
    if word:
        return partial(_pooled, tf, kind, axes, word)
    pads = [axis.padding for axis in place.rest(moves(place.layer, place.size))]
    value = -np.inf if kind == "MAX" else 0
    divisor = _divisor(tf, place) if kind == "AVG" else None

    def call(x: Any) -> Any:
        y = _pooled(tf, kind, axes, "VALID", _padded(tf, x, pads, value))
        return y if divisor is None else tf.divide(y, tf.cast(divisor, y.dtype))

    return call


def _pooled(tf: Any, kind: str, axes: Any, word: str, x: Any) -> Any:
    """Return what TensorFlow's own pool makes; one of one dimension is one of two there."""
    size, strides, dilations = ([getattr(axis, name) for axis in axes] for name in Axis._fields[:3])
    if set(dilations) != {1}:
        rates = "dilation_rate" if tensorflow_ops.is_old(tf) else "dilations"
        return tf.nn.pool(x, size, kind, padding=word, strides=strides, **{rates: dilations})
    if len(axes) == 1:
        y = _pooled(tf, kind, (Axis(1, 1, 1),) + tuple(axes), word, tf.expand_dims(x, 1))
        return tf.squeeze(y, [1])
    function = getattr(tf.nn, "%s_pool%s" % (kind.lower(), "" if len(axes) == 2 else "3d"))
    return function(x, [1] + size + [1], [1] + strides + [1], word)


def _divisor(tf: Any, place: Place) -> Any:
    """Return what share of each window counts, (…, 1), or None where all of it does everywhere."""
    share = pools.share(place.layer, place.size)
    if np.all(share == 1):
        return None
    return share.reshape(share.shape[-place.net.rank :] + (1,))


def _padded(tf: Any, x: Any, pads: Any, value: float) -> Any:
    """Return data with a value around it; TensorFlow 1.0 has no other than zero."""
    ends = [[0, 0]] + [list(pair) for pair in pads] + [[0, 0]]
    return tf.pad(x, ends, **({"constant_values": value} if value else {}))


def _global(name: str, tf: Any, place: Place) -> Call:
    axes = list(range(1, place.net.rank + 1))
    return lambda x: getattr(tf, name)(x, axes, True)


def _named(path: str, tf: Any, place: Place) -> Call:
    """Return a function of TensorFlow's by its path; the first of several that it has."""
    return _function(tf, path)


def _function(tf: Any, paths: str) -> Call:
    for path in paths.split():
        found = tf
        for name in path.split("."):
            found = getattr(found, name, None)
        if found is not None:
            return found  # type: ignore[no-any-return]
    raise ValueError("TensorFlow %s has no %s" % (tf.__version__, paths))


def _set(path: str, names: Tuple[str, ...], tf: Any, place: Place) -> Call:
    """Return a function by its path, given settings of the layer after its input."""
    function, values = _function(tf, path), [place.layer.settings[name] for name in names]
    return lambda x: function(x, *values)


def _elu(tf: Any, place: Place) -> Call:
    alpha = place.layer.settings["alpha"]
    if alpha == 1:
        return tf.nn.elu  # type: ignore[no-any-return]
    return lambda x: tf.where(x > 0, x, alpha * tf.nn.elu(x))


def _hard_sigmoid(tf: Any, place: Place) -> Call:
    settings = place.layer.settings
    return lambda x: tf.clip_by_value(settings["alpha"] * x + settings["beta"], 0, 1)


def _hard_swish(tf: Any, place: Place) -> Call:
    return lambda x: x * tf.nn.relu6(x + 3) / 6


def _prelu(tf: Any, place: Place) -> Call:
    return lambda x: tf.nn.relu(x) - place.arrays["slope"] * tf.nn.relu(-x)


def _batch_norm(tf: Any, place: Place) -> Call:
    """Return TensorFlow's fused one where it has it, which no function of tf.nn gives as it is."""
    given = [place.arrays[role] for role in ("scale", "shift", "mean", "variance")]
    epsilon = place.layer.settings["epsilon"]
    fused = getattr(getattr(tf, "raw_ops", None), "FusedBatchNormV3", None)
    if fused and place.net.rank == 2 and place.net.dtype == "float32" and not place.flat:
        scale, shift, mean, variance = given
        return lambda x: (
            fused(
                x=x,
                scale=scale,
                offset=shift,
                mean=mean,
                variance=variance,
                epsilon=epsilon,
                is_training=False,
            ).y
        )
    scale, shift, mean, variance = given
    return lambda x: tf.nn.batch_normalization(x, mean, variance, shift, scale, epsilon)


def _join(name: str, tf: Any, place: Place) -> Call:
    return joined(getattr(tf, name), place)


def _concat(tf: Any, place: Place) -> Call:
    return lambda *given: tf.concat(list(given), 1 if place.flat else place.joined)


def _pad(tf: Any, place: Place) -> Call:
    settings = place.layer.settings
    pads = place.rest(settings["padding"])
    cut = [(min(0, before), min(0, after)) for before, after in pads]
    added = [(max(0, before), max(0, after)) for before, after in pads]
    return lambda x: _padded(tf, layout.cropped(x, cut)[0], added, settings["value"])


def _flatten(tf: Any, place: Place) -> Call:
    rank, channels_first = place.net.rank, place.layer.settings["order"] == "chw"

    def call(x: Any) -> Any:
        if channels_first:
            x = tf.transpose(x, [0, rank + 1] + list(range(1, rank + 1)))
        return _shaped(tf, x, [-1])

    return call


def _reshape(tf: Any, place: Place) -> Call:
    shape = list(place.fixed)
    return lambda x: _shaped(tf, x, shape)


def _lift(tf: Any, place: Place) -> Call:
    rank = place.net.rank
    return lambda x: _shaped(tf, x, [1] * rank + [x.get_shape().as_list()[-1] or -1])


def _shaped(tf: Any, x: Any, shape: List[int]) -> Any:
    return tf.reshape(x, tf.stack([tf.shape(x)[0]] + shape))


def _identity(tf: Any, place: Place) -> Call:
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
