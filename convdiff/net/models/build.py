"""Makes a net of a file's operations: one method a family of layers, shared by all formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np

from convdiff.case.layout import Order
from convdiff.net.models.axes import FIRST, Tensor, window
from convdiff.net.models.limits import Budget
from convdiff.net.models.model import FOLLOWS, Array, Model, Node
from convdiff.worker.ops.convolution import OPS, Convolution
from convdiff.worker.ops.net import INPUT, KINDS, Layer, Net
from convdiff.worker.ops.net_shapes import BY_FAMILY, BY_OP, Extents, NothingLeftError

DTYPES = ("float32", "float64", "float16", "bfloat16")
DENSE = "dense"
FLAT = (DENSE,)
"""Ops that have no spatial axes of their own."""
CONV = {1: "conv1d", 2: "conv2d", 3: "conv3d"}
CONV_TRANSPOSE = {rank: f"{op}_transpose" for rank, op in CONV.items()}
NOMINAL = (32, 128, 512, 2048)
"""Extents of a spatial axis that a file leaves open: the first that leaves something of it."""
QUANTISED = "quantised; save or convert the model in floating point"
TRAINING = "as in training; export it after model.eval()"
FURTHER = "a further input of the model; a net here has one"
JOINED = {"C": "channels", "W": "length", "H": "height", "D": "depth"}
"""What `concat` calls an axis."""
_Value = TypeVar("_Value")
Pads = str | tuple[tuple[int, int], ...]


class UnreadError(Exception):
    """Why an operation is no layer here, in a few words.

    is_too_small: its window is larger than what it moves over.
    """

    def __init__(self, reason: str, *, is_too_small: bool = False) -> None:
        super().__init__(reason)
        self.is_too_small = is_too_small


@dataclass(frozen=True)
class Moves:
    """How a window moves, with an entry for each spatial axis of the file; empty is 1."""

    strides: Sequence[int] = ()
    dilations: Sequence[int] = ()
    padding: Pads = "valid"
    output_padding: Sequence[int] = ()

    def filled(self, rank: int) -> dict[str, Any]:
        """Return them as a `Convolution` has them, of at least two axes."""
        padding = self.padding
        if not isinstance(padding, str):
            own = tuple((int(before), int(after)) for before, after in padding)
            padding = ((0, 0),) * (2 - rank) + own if any(map(any, own)) else "valid"
        return {
            "strides": window(tuple(self.strides) or (1,) * rank),
            "dilations": window(tuple(self.dilations) or (1,) * rank),
            "padding": padding,
            "output_padding": window(tuple(self.output_padding) or (0,) * rank, 0),
        }

    def ordered(self, spatial: str) -> Moves:
        """Return them in the order D, H, W; spatial: the letters in the order that they have."""
        padding = self.padding
        if not isinstance(padding, str):
            padding = _ordered(padding, spatial)
        rest = (self.strides, self.dilations, self.output_padding)
        strides, dilations, output_padding = (_ordered(one, spatial) for one in rest)
        return Moves(strides, dilations, padding, output_padding)


def _ordered(values: Sequence[_Value], spatial: str) -> tuple[_Value, ...]:
    """Return what is said of each spatial axis in the order D, H, W; nothing where that is said."""
    if not values:
        return ()
    return tuple(value for _, value in sorted(zip(spatial, values, strict=True), key=itemgetter(0)))


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

    def feed_open(self, name: str, given: Sequence[int | None], axes: str = "") -> str:
        """Make the net's input of a shape with open extents; return the axes of those.

        Raises UnreadError where the channels are open.
        """
        letters = axes or self.named(len(given))
        pairs = list(zip(letters, given, strict=True))
        free = "".join(letter for letter, extent in pairs if extent is None or extent < 1)
        if "C" in free:
            raise UnreadError("the number of its channels is open")
        extents = [self.nominal if letter in free else extent or 1 for letter, extent in pairs]
        if letters[:1] == "N" and "N" in free:
            extents[0] = 1
        shape = self.budget.take(name, extents, 8)
        self.feed(name, shape, letters)
        return free

    def feed(self, name: str, shape: Sequence[int], axes: str = "") -> Tensor:
        """Make the net's input. Raises UnreadError for a shape that has no layout here."""
        self.values[name] = made = Tensor(INPUT, axes or self.named(len(shape)), tuple(shape))
        return made

    def named(self, count: int) -> str:
        """Return the letters of so many axes. Raises UnreadError."""
        if count not in self.axes:
            raise UnreadError(f"{count} axes")
        return self.axes[count]

    def tensor(self, name: str) -> Tensor:
        """Return an activation. Raises UnreadError where it is a constant or not known."""
        value = self.values.get(name)
        if not isinstance(value, Tensor):
            is_constant = name in self.values
            what = "a constant where data is expected" if is_constant else self.why_not(name)
            raise UnreadError(what)
        return value

    def further(self, names: Iterable[str]) -> None:
        """Say of inputs beside the one that is fed why what reads them is no layer."""
        self.reasons.update((name, FURTHER) for name in names if name not in self.values)

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

    def model(
        self,
        file: str,
        kind: str,
        nodes: tuple[Node, ...],
        inputs: tuple[str, ...],
        outputs: Sequence[str],
        open_axes: str = "",
        notes: Sequence[str] = (),
    ) -> Model:
        """Return what was read; outputs: the file's names of them."""
        tensors = {n: value for n, value in self.values.items() if isinstance(value, Tensor)}
        fed = [(n, one) for n, one in tensors.items() if one.layer == INPUT]
        source, read = fed[0] if fed else ("", Tensor(INPUT, "", ()))
        answers: dict[str, str] = {}
        for name in outputs:
            value = self.values.get(name)
            if isinstance(value, Tensor) and value.layer != INPUT:
                answers.setdefault(value.layer, name)
        return Model(
            file=file,
            format=kind,
            nodes=nodes,
            net=self._net(tuple(answers), read.extents["D"]),
            arrays=self.arrays,
            inputs=inputs,
            source=source,
            outputs=tuple(answers.values()),
            fed=read,
            open_axes=open_axes,
            activations={one.layer: one for one in tensors.values()},
            notes=tuple(notes),
        )

    def _net(self, outputs: tuple[str, ...], depth: int) -> Net:
        """Return the net with these outputs, or its last layer's where there is none."""
        last = tuple(layer.name for layer in self.layers[-1:])
        ranks = {OPS[layer.op] for layer in self.layers if layer.op in OPS and layer.op not in FLAT}
        rank = 3 if depth > 1 else max(ranks, default=2)
        layers = tuple(_of_rank(layer, rank) for layer in self.layers)
        return Net(layers, outputs or last, self.dtype, rank, depth)

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
        size, moves = _ordered(size, x.spatial), moves.ordered(x.spatial)
        filled = moves.filled(rank)
        filled.pop("output_padding")
        settings = {"size": window(size), **filled, **more}
        return self.add(name, op, [x], x.axes, settings)

    def pool_all(self, name: str, op: str, x: Tensor, *, keep: bool) -> Tensor:
        """Add a pool of all positions; keep: whether their axes are kept, with one element."""
        axes = x.axes if keep else "".join(letter for letter in x.axes if letter not in "DHW")
        return self.add(name, op, [x], axes)

    def batch_norm(self, name: str, x: Tensor, arrays: Sequence[Array], epsilon: float) -> Tensor:
        """Add a batch_norm; arrays: scale, shift, mean and variance, one value a channel."""
        if any(array.shape != (x.extents["C"],) for array in arrays):
            raise UnreadError("its arrays are not of the channels")
        named = dict(zip(KINDS["batch_norm"].arrays, arrays, strict=True))
        return self.add(name, "batch_norm", [x], x.axes, {"epsilon": float(epsilon)}, named)

    def prelu(self, name: str, x: Tensor, slope: Array) -> Tensor:
        """Add a prelu; slope: one value, or one a channel. Raises UnreadError."""
        return self.add(name, "prelu", [x], x.axes, arrays={"slope": _a_channel(x, slope)})

    def softmax(self, name: str, x: Tensor, axis: int) -> Tensor:
        """Add a softmax over an axis of the file, the channels. Raises UnreadError."""
        letter = x.axes[axis]
        if letter != "C":
            raise UnreadError(f"softmax over {letter} of {x.axes}")
        return self.same(name, "softmax", x)

    def join(self, name: str, op: str, operands: Sequence[Tensor | Array]) -> Tensor:
        """Add a join of activations, or of one and a constant. Raises UnreadError."""
        tensors = [one for one in operands if isinstance(one, Tensor)]
        constants = [one for one in operands if not isinstance(one, Tensor)]
        x = max(tensors, key=lambda one: len(one.axes))
        if not constants:
            if any(not x.axes.endswith(one.axes) for one in tensors):
                raise UnreadError("joins activations of unlike axes")
            return self.add(name, op, tensors, x.axes)
        if len(operands) != 2:
            raise UnreadError("joins more than one activation and a constant")
        constant = _a_channel(x, constants[0])
        if not isinstance(operands[0], Tensor) and op in ("subtract", "divide"):
            if op == "divide":
                raise UnreadError("divides a constant")
            x, op = self.same(f"{name}.negative", "negative", x), "add"  # c − x is (−x) + c
        return self.add(name, op, [x], x.axes, arrays={"constant": constant})

    def concat(self, name: str, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """Add a concatenation along an axis of the file. Raises UnreadError."""
        x, letter = tensors[0], tensors[0].axes[axis]
        if letter not in JOINED or {t.axes for t in tensors} != {x.axes}:
            raise UnreadError(f"joins along {letter} of {x.axes}")
        return self.add(name, "concat", tensors, x.axes, {"axis": JOINED[letter]})

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

    def reshaped(self, name: str, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Add what gives the elements, in the file's order, another shape. Raises UnreadError."""
        target = Tensor(name, self._named_as(x, shape), tuple(shape))
        if target.extents["N"] != x.extents["N"] or np.prod(shape) != np.prod(x.shape):
            raise UnreadError(f"reshapes {x.axes} across images")
        own = x.runs("DHWC") and target.runs("DHWC")
        if target.ours == x.ours and (own or x.varying == target.varying):
            return self.add(name, "identity", [x], target.axes)
        if target.varying in ("C", "") and (x.runs("CDHW") or x.runs("DHWC")):
            order = "hwc" if x.runs("DHWC") else "chw"
            return self.add(name, "flatten", [x], target.axes, {"order": order})
        if own:
            return self.add(name, "reshape", [x], target.axes, {"shape": target.ours})
        raise UnreadError(f"reshapes {x.axes} to {'×'.join(map(str, shape))}")

    def _named_as(self, x: Tensor, shape: Sequence[int]) -> str:
        """Return the letters of a new shape: those of the axes that it keeps, where all stay."""
        letters = self.named(len(shape))
        kept = [extent for extent in shape[1:] if extent > 1]
        if kept == [x.extents[letter] for letter in x.varying] and set(x.varying) <= set(letters):
            free = [letter for letter in letters if letter not in x.varying and letter != "N"]
            varying = list(x.varying)
            rest = [varying.pop(0) if extent > 1 else free.pop(0) for extent in shape[1:]]
            return "".join(("N", *rest)) if len(shape) > 1 else letters
        return letters


def _refuse_integers(arrays: Iterable[Array]) -> None:
    """Raise UnreadError for numbers that stand for others: their scale is not known here."""
    whole = [array.dtype.name for array in arrays if array.dtype.kind in "biu"]
    if whole:
        raise UnreadError(f"its numbers are {whole[0]}: {QUANTISED}")


def _size(x: Tensor) -> Extents:
    """Return (depth, height, length, channels) of one image."""
    extents = x.extents
    return extents["D"], extents["H"], extents["W"], extents["C"]


def _a_channel(x: Tensor, constant: Array) -> Array:
    """Return a constant as one value a channel, or one for all. Raises UnreadError."""
    axes = x.axes[len(x.axes) - constant.ndim :]
    if constant.ndim > len(x.axes):
        raise UnreadError("a constant with more axes than the activation")
    varying = {letter for letter, n in zip(axes, constant.shape, strict=True) if n != 1}
    if not varying <= {"C"} or constant.size not in (1, x.extents["C"]):
        raise UnreadError("a constant that is no value a channel")
    return np.ascontiguousarray(constant.reshape(-1))


def _of_rank(layer: Layer, rank: int) -> Layer:
    """Return a layer of a net of two axes: a convolution of one has a height of 1 there."""
    if rank != 2 or layer.op not in OPS or OPS[layer.op] != 1 or layer.op in FLAT:
        return layer
    op = layer.op.replace("1d", "2d")
    return layer._replace(op=op, settings={**layer.settings, "op": op})
