"""Nets in TensorFlow: eager, as a traced function, and as one graph and session of TensorFlow 1.

Runs in the interpreter under test, so on Python 3.6 and NumPy 1.16 too.
"""

from functools import lru_cache, partial
from typing import Any, Callable, Container, Dict, Iterator, List, Tuple

from .. import tensorflow_ops
from ..ops.net import Layer, Net
from .steps import (
    KEPT,
    Step,
    build,
    flat,
    folded,
    in_order,
    named,
    sizes_of,
    tensors,
    unfolded,
    walk,
)
from .tensorflow_layers import LAYERS, needs_sizes

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
                activations = in_order(self._traced(input_nhwc, names)(x), names)
            else:
                activations = walk(self.net, self.steps(input_nhwc.shape), x, fetched)
            for name, y in activations:
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
            jit_compile=tensorflow_ops.compiled(self.mode),
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
        outputs = session.run([activations[name] for name in names], {placeholder: x})
        for name, y in zip(names, outputs):
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


def open_shape(shape: Tuple[int, ...]) -> Tuple[Any, ...]:
    """Return a shape whose images and columns may be as many as they like."""
    return (None,) + shape[1:-2] + (None, shape[-1])


def _tensors(net: Net, arrays: Dict[str, Any], tensor: Tensor) -> Dict[str, Dict[str, Any]]:
    """Return each layer's arrays as TensorFlow takes them."""

    def taken(layer: Layer, role: str, array: Any) -> Any:
        if role == "filter" and layer.conv.transposed:
            array = tensorflow_ops.transposed_filter(layer.conv, array)
        return tensor(array)

    return tensors(net, arrays, taken, flat(net))
