"""Makes a net of a file's operations: one method a family of layers, shared by all formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convdiff.case.layout import Order
from convdiff.net.models.axes import FIRST, Tensor, window
from convdiff.net.models.limits import Budget
from convdiff.net.models.model import FOLLOWS, Array, UnreadError
from convdiff.net.models.moves import Moves, ordered
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.net import INPUT, KINDS, Layer
from convdiff.worker.ops.net_shapes import BY_FAMILY, BY_OP, Extents, NothingLeftError

DTYPES = ("float32", "float64", "float16", "bfloat16")
DENSE = "dense"
NOMINAL = (32, 128, 512, 2048)
"""Extents of a spatial axis that a file leaves open: the first that leaves something of it."""
QUANTISED = "quantised; save or convert the model in floating point"
TRAINING = "as in training; export it after model.eval()"
FURTHER = "a further input of the model; a net here has one"


@dataclass
class Building:
    """The layers made so far, and what each value of the file is."""

    axes: Mapping[int, str] = field(default_factory=lambda: FIRST)
    """What the file's axes are called by how many there are."""
    values: dict[str, Tensor | Array] = field(default_factory=dict)
    """By the file's names: activations, and constants as arrays."""
    layers: list[Layer] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    dtype: str = "float32"
    budget: Budget = field(default_factory=lambda: Budget(""))
    reasons: dict[str, str] = field(default_factory=dict)
    """Why values are not known, by the file's names, where that is more than what they follow."""
    nominal: int = NOMINAL[0]
    """The extent of a spatial axis that the file leaves open."""
    source: str = ""
    """What the file calls the net's input."""
    fed: Tensor = field(default_factory=lambda: Tensor(INPUT, "", ()))
    open_axes: str = ""
    """Axes of the input whose extents the file leaves open."""
    notes: list[str] = field(default_factory=list)

    def begin(self, feed: Callable[[], str], names: Iterable[str]) -> None:
        """Make the net's input, or note why there is none; names: of all that the model is fed.

        feed: makes it, and returns the axes that are left open.
        """
        try:
            self.open_axes = feed()
        except UnreadError as error:
            self.notes.append(f"its input is not read: {error}")
        for name in names:
            if name not in self.values:
                self.reasons[name] = FURTHER

    def feed_open(self, name: str, given: Sequence[int | None]) -> str:
        """Make the net's input of a shape with open extents; return the axes of those.

        Raises UnreadError where the channels are open.
        """
        letters, free = self.named(len(given)), ""
        extents = []
        for letter, extent in zip(letters, given, strict=True):
            if extent is None or extent < 1:
                free += letter
                extents.append(1 if letter == "N" else self.nominal)
            else:
                extents.append(extent)
        if "C" in free:
            raise UnreadError("the number of its channels is open")
        shape = self.budget.take(name, extents, 8)
        self.source, self.fed = name, Tensor(INPUT, letters, shape)
        self.values[name] = self.fed
        return free

    def named(self, count: int) -> str:
        """Return the letters of so many axes. Raises UnreadError."""
        if count not in self.axes:
            raise UnreadError(f"{count} axes")
        return self.axes[count]

    def tensor(self, name: str) -> Tensor:
        """Return an activation. Raises UnreadError where it is a constant or not known."""
        value = self.values.get(name)
        if isinstance(value, Tensor):
            return value
        if name in self.values:
            raise UnreadError("a constant where data is expected")
        raise UnreadError(self.why_not(name))

    def why_not(self, name: str) -> str:
        """Say why a value is not known."""
        return self.reasons.get(name, FOLLOWS)

    def constant(self, name: str) -> Array:
        """Return a constant. Raises UnreadError where it is computed from the input."""
        value = self.values.get(name)
        if value is None or isinstance(value, Tensor):
            computed = "a computed value where a constant is expected"
            raise UnreadError(self.reasons.get(name, computed))
        return value

    def add(
        self,
        name: str,
        op: str,
        sources: Sequence[Tensor],
        axes: str,
        settings: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Array] | None = None,
    ) -> Tensor:
        """Add a layer and return its activation; axes: those that it has in the file.

        Settings that are not given are the kind's defaults. Raises UnreadError where the layer
        does not fit.
        """
        arrays = arrays or {}
        held = {kind: f"{name}.{kind}" for kind in arrays}
        _refuse_integers(arrays.values())
        plain = dict(KINDS[op].settings) | dict(settings or {})
        layer = Layer(name, op, tuple(x.layer for x in sources), plain, held)
        grow = BY_OP.get(op) or BY_FAMILY[layer.kind.family]
        try:
            size = grow(layer, [_size(x) for x in sources])
        except ValueError as error:
            is_too_small = isinstance(error, NothingLeftError)
            raise UnreadError(str(error), is_too_small=is_too_small) from None
        extents = dict(zip("DHWC", size, strict=True)) | {"N": sources[0].extents["N"]}
        made = Tensor(name, axes, tuple(extents[letter] for letter in axes))
        if _size(made) != size:
            raise UnreadError(f"no axis of {axes} for its extents")
        self.arrays.update((held[kind], array) for kind, array in arrays.items())
        self.layers.append(layer)
        return made

    def same(self, name: str, op: str, x: Tensor, **settings: Any) -> Tensor:
        """Add a layer whose activation has its input's shape."""
        return self.add(name, op, [x], x.axes, settings)

    def relabelled(self, name: str, x: Tensor, axes: str) -> Tensor:
        """Return an activation whose axes stand in another order; the net keeps its own."""
        return self.add(name, "identity", [x], axes)

    def conv(
        self,
        name: str,
        x: Tensor,
        weights: Array,
        order: Order,
        bias: Array | None,
        conv: Convolution,
    ) -> Tensor:
        """Add an op; weights: as `order` has them; conv: all but the depth.

        Raises UnreadError where the data does not fit.
        """
        if x.spatial != "DHW"[-conv.rank :]:
            raise UnreadError(f"{conv.op} of {x.axes}")
        return self._op(name, x, weights, order, bias, conv)

    def _op(
        self,
        name: str,
        x: Tensor,
        weights: Array,
        order: Order,
        bias: Array | None,
        conv: Convolution,
    ) -> Tensor:
        extents = x.extents
        if extents["C"] != conv.channels_in:
            raise UnreadError(f"{conv.channels_in} channels are expected of {extents['C']}")
        conv = conv._replace(depth=extents["D"], dtype=self.dtype)
        given, axes = order.lying(tuple(weights.shape))
        turned = np.ascontiguousarray(weights.reshape(given).transpose(axes))
        arrays = {"filter": turned.reshape(conv.filter_shape)}
        if bias is not None:
            arrays["bias"] = np.ascontiguousarray(bias.reshape(-1))
        return self.add(name, conv.op, [x], x.axes, conv._asdict(), arrays)

    def dense(self, name: str, x: Tensor, weights_io: Array, bias: Array | None) -> Tensor:
        """Add a product with (I, O) weights along the last axis. Raises UnreadError."""
        if not x.axes.endswith("C") or x.ours[0] != 1 or weights_io.ndim != 2:
            raise UnreadError(f"a product of {x.axes} along its last axis")
        conv = Convolution((1, 1), weights_io.shape[0], weights_io.shape[1], op=DENSE)
        return self._op(name, x, weights_io, Order("IO", "IO"), bias, conv)

    def pool(
        self, name: str, op: str, x: Tensor, size: Sequence[int], moves: Moves, **more: Any
    ) -> Tensor:
        """Add a pool over the spatial axes. Raises UnreadError."""
        rank = len(size)
        if len(x.spatial) != rank:
            raise UnreadError(f"a pool of {rank} axes over {x.axes}")
        size, moves = ordered(size, x.spatial), moves.ordered(x.spatial)
        filled = moves.filled(rank)
        filled.pop("output_padding")
        settings = {"size": window(size), **filled, **more}
        return self.add(name, op, [x], x.axes, settings)

    def pool_all(self, name: str, op: str, x: Tensor, *, keep: bool) -> Tensor:
        """Add a pool of all positions; keep: whether their axes are kept, with one element."""
        axes = x.axes
        if not keep:
            axes = "".join(letter for letter in axes if letter not in "DHW")
        return self.add(name, op, [x], axes)

    def batch_norm(self, name: str, x: Tensor, arrays: Sequence[Array], epsilon: float) -> Tensor:
        """Add a batch_norm; arrays: scale, shift, mean and variance, one value a channel."""
        if any(array.shape != (x.extents["C"],) for array in arrays):
            raise UnreadError("its arrays are not of the channels")
        named = dict(zip(KINDS["batch_norm"].arrays, arrays, strict=True))
        return self.add(name, "batch_norm", [x], x.axes, {"epsilon": float(epsilon)}, named)

    def softmax(self, name: str, x: Tensor, axis: int) -> Tensor:
        """Add a softmax over an axis of the file, the channels. Raises UnreadError."""
        letter = x.axes[axis]
        if letter != "C":
            raise UnreadError(f"softmax over {letter} of {x.axes}")
        return self.same(name, "softmax", x)

    def pad(
        self, name: str, x: Tensor, pads: Mapping[str, tuple[int, int]], value: float
    ) -> Tensor:
        """Add a padding by a value; pads: by letter. Raises UnreadError."""
        if any(pads.get(letter, (0, 0)) != (0, 0) for letter in "NC"):
            raise UnreadError("pads images or channels")
        letters = "DHW" if "D" in x.axes else "HW"
        pairs = tuple(pads.get(letter, (0, 0)) for letter in letters)
        settings = {"padding": pairs, "value": float(value)}
        return self.add(name, "pad", [x], x.axes, settings)


def _refuse_integers(arrays: Iterable[Array]) -> None:
    """Raise UnreadError for numbers that stand for others: their scale is not known here."""
    whole = [array.dtype.name for array in arrays if array.dtype.kind in "biu"]
    if whole:
        raise UnreadError(f"its numbers are {whole[0]}: {QUANTISED}")


def _size(x: Tensor) -> Extents:
    """Return (depth, height, length, channels) of one image."""
    extents = x.extents
    return extents["D"], extents["H"], extents["W"], extents["C"]
