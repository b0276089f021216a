"""A net as steps: each layer a function of its sources' activations. Runs on Python 3.6.

Activations are the framework's own, N[[D]H]WC or NC[[D]H]W with as many spatial axes as the net's
rank; what comes out at the end is NumPy's, NHWC as everywhere.
"""

from typing import Any, Callable, Container, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

import numpy as np

from ..ops.net import INPUT, Layer, Net
from ..ops.net_shapes import Extents, extents, spatial
from .context import Context

Call = Callable[..., Any]


class LayerError(Exception):
    """What a framework said of one layer, which is named."""


class Step(NamedTuple):
    """One layer, and what computes it."""

    layer: Layer
    call: Call
    """Of its sources' activations, in order."""


KEPT = 64
"""Shapes of inputs for which what was built is kept."""
FLATTENING = ("flatten",)
FLAT_KINDS = ("dense", "identity")
FLAT_FAMILIES = ("elementwise", "normalisation", "join")
"""What leaves flat what is flat."""
Build = Callable[[Any, Context], Call]
"""Of the framework's module and a layer's context; a ValueError is its refusal."""


def build(
    table: Dict[str, Build], library: Any, net: Net, arrays: Dict[str, Dict[str, Any]], sizes: Any
) -> List[Step]:
    """Return a net's steps. table: by kind, or by family for all of its kinds.

    sizes: of all activations, or None. Raises LayerError.
    """
    steps, flats = [], flat(net)
    for layer in net.layers:
        context = Context(layer, net, arrays[layer.name], sizes, layer.name in flats)
        maker = table.get(layer.op) or table.get(layer.kind.family)
        if maker is None:
            raise LayerError("%s: it has no %s here" % (layer.name, layer.op))
        with _named(layer):
            call = maker(library, context)
            spread = layer.op in FLATTENING or not context.flat
            if spread and flats & set(layer.sources):
                call = _lifted(call, table["lift"](library, context), layer.sources, flats)
            steps.append(Step(layer, call))
    return steps


def flat(net: Net) -> Set[str]:
    """Return the layers whose activations are (N, channels) in frameworks that have such.

    From a flatten on, through products, what is elementwise, and joins of nothing else.
    """
    flats = set()  # type: Set[str]
    for layer in net.layers:
        keeps = layer.kind.family in FLAT_FAMILIES or layer.op in FLAT_KINDS
        if layer.settings.get("axis", "channels") != "channels":
            keeps = False  # a concat along an axis that is gone
        if layer.op in FLATTENING or (keeps and flats.issuperset(layer.sources)):
            flats.add(layer.name)
    return flats


def _lifted(call: Call, lift: Call, sources: Tuple[str, ...], flats: Set[str]) -> Call:
    """Return a call that gets its flat sources with spatial axes of one element."""

    def lifted(*given: Any) -> Any:
        return call(*[lift(x) if name in flats else x for name, x in zip(sources, given)])

    return lifted


def walk(net: Net, steps: List[Step], x: Any, wanted: Container[str]) -> Iterator[Tuple[str, Any]]:
    """Run steps one after the other; yield the wanted activations, each as soon as it is there.

    What no later step reads is let go. Raises LayerError.
    """
    last = {source: layer.name for layer in net.layers for source in layer.sources}
    held = {INPUT: x}
    for layer, call in steps:
        with _named(layer):
            held[layer.name] = call(*[held[source] for source in layer.sources])
        if layer.name in wanted:
            yield layer.name, held[layer.name]
        for name in set(layer.sources) | {layer.name}:
            if last.get(name, layer.name) == layer.name:
                del held[name]


class _named(object):
    """Names the layer in which something fails."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, LayerError):
            text = str(error)
            if not isinstance(error, ValueError):
                text = "%s: %s" % (kind.__name__, text)
            raise LayerError("%s: %s" % (self.layer.name, text)) from None


def joined(function: Call, context: Context) -> Call:
    """Return what joins a layer's sources, and its constant, two by two from the left."""
    constants = context.given(*context.layer.arrays)

    def call(*given: Any) -> Any:
        total, *rest = list(given) + constants
        for other in rest:
            total = function(total, other)
        return total

    return call


def tensors(
    net: Net,
    arrays: Dict[str, Any],
    tensor: Callable[[Layer, str, Any], Any],
    flats: Container[str],
) -> Dict[str, Dict[str, Any]]:
    """Return each layer's arrays, by their names in `Kind.arrays`, as tensor(layer, name, array).

    That is given filters with the op's own axes, and constants with the axes of what they are
    joined with. flats: layers whose activations are (N, channels).
    """
    made = {}  # type: Dict[str, Dict[str, Any]]
    for layer in net.layers:
        rank = 0 if layer.name in flats else net.rank
        own = made[layer.name] = {}
        for role, key in layer.arrays.items():
            array = arrays[key]
            if role == "filter":
                array = layer.conv.own_filter(array)
            elif role == "constant":
                array = constant(array, rank)
            own[role] = tensor(layer, role, array)
    return made


def named(net: Net, names: Container[str]) -> Tuple[str, ...]:
    """Return which of the net's layers have these names, in the net's order."""
    return tuple(layer.name for layer in net.layers if layer.name in names)


def in_order(activations: Dict[str, Any], names: Sequence[str]) -> Iterator[Tuple[str, Any]]:
    """Return what a whole net gave at once as `walk` yields it."""
    return iter([(name, activations[name]) for name in names])


def sizes_of(net: Net, shape: Tuple[int, ...]) -> Dict[str, Extents]:
    """Return the extents of all activations for an input of an NHWC shape.

    Raises ValueError naming the layer.
    """
    return extents(net, shape[1], shape[2], shape[3], net.depth)


def unfolded(net: Net, array_nhwc: Any) -> Any:
    """Return an input with the net's own axes, N[[D]H]WC, C-contiguous."""
    batch, rows, length, channels = array_nhwc.shape
    own = spatial((net.depth, rows // net.depth, length), net.rank)
    return np.ascontiguousarray(array_nhwc).reshape((batch,) + own + (channels,))


def constant(array: Any, rank: int) -> Any:
    """Return what is joined with activations N[[D]H]WC with the axes that follow N.

    array: (channels,), (rows, length, channels), or one number.
    """
    shape = (1,) * (rank + 1 - array.ndim) + array.shape
    return array.reshape(shape[-rank - 1 :])


def folded(array: Any) -> Any:
    """Return an activation N[[D]H]WC, or (N, channels), as NHWC, C-contiguous."""
    length = array.shape[-2] if array.ndim > 2 else 1
    shape = (array.shape[0], -1, length, array.shape[-1])
    return np.ascontiguousarray(array).reshape(shape)
