"""A case's convolution, filter, bias and input, each held against the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from convdiff.case.array_spec import check_each, read_array, read_shape
from convdiff.case.keys import Addition, CaseKeys
from convdiff.case.layout import LAYOUTS, Layout, Order, Shape, layout_of, written
from convdiff.case.model import ArraySpec
from convdiff.case.moves import moves_of
from convdiff.case.ranges import below
from convdiff.case.volume import AXES_3D, three_d
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError, CaseErrors
from convdiff.worker.ops import OPS
from convdiff.worker.ops.convolution import Convolution


@dataclass(frozen=True)
class Arrays:
    """What is computed on what, in HWIO and NHWC however the file writes it."""

    conv: Convolution
    filter: ArraySpec
    bias: ArraySpec | None
    input: ArraySpec
    """At the longest of the lengths and the largest of the batches, or larger."""
    added: ArraySpec | None
    """What the step `add` adds, of an output's shape then, with 1 along some axes."""
    lengths: tuple[int, ...]
    batches: tuple[int, ...]


class GeometryError(CaseError):
    """Shapes that do not go together."""


SHORT = 2
"""Axes of an array that says nothing of how its channels lie."""


@dataclass(frozen=True)
class _Given:
    """What a file says, and how its arrays are taken to lie."""

    source: Source
    keys: CaseKeys
    folder: Path
    layout: Layout

    @classmethod
    def of(cls, source: Source, keys: CaseKeys, folder: Path, layout: str) -> _Given:
        return cls(source, keys, folder, layout_of(layout, keys.op, keys.groups))

    def fail(self, key: str, message: str) -> NoReturn:
        raise GeometryError(self.source.place((key,)), message)


@dataclass(frozen=True)
class _Extent:
    """How large an input is asked for."""

    own: Shape | None
    """Its shape in the file with all axes, where it gives one."""
    high: tuple[int, ...]
    """The extents of its spatial axes but the length."""
    lengths: tuple[int, ...]
    batches: tuple[int, ...]
    """Those that the file asks for, else the input's own."""


def arrays_of(source: Source, keys: CaseKeys, folder: Path) -> Arrays:
    """Return what a case's keys describe.

    Raises CaseError at its place; where shapes do not go together, and would if the arrays lay the
    other way round, it says so.
    """
    try:
        return _read(_Given.of(source, keys, folder, keys.layout))
    except GeometryError as error:
        looks = _looks(source, keys, folder)
        if looks:  # all that is wrong is the layout
            raise CaseError(error.place, f"{error.message}; {looks}") from None
        raise


def op_of(
    source: Source, keys: CaseKeys, folder: Path
) -> tuple[Convolution, ArraySpec, ArraySpec | None]:
    """Return a net's layer that is an op, its filter and its bias. Raises CaseError at its place.

    source: the layer's settings. Its `depth` is not known yet.
    """
    given = _Given.of(source, keys, folder, keys.layout)
    weights = _filter(given)
    conv = _convolution(given, weights)
    _refuse_groups(given, conv)
    return conv, weights, _bias(given, conv)


def channels_given(source: Source, keys: CaseKeys, folder: Path, op: str) -> int | None:
    """Return how many channels a net's input says that it has, or None. Raises CaseError."""
    given = _Given.of(source, replace(keys, op=op), folder, keys.layout)
    shape = read_shape(source, ("input",), keys.input, folder)
    if shape is None:
        return None
    order = given.layout.input
    return dict(zip(order.name, _whole(given, "input", order, shape), strict=True))["C"]


def input_of(
    source: Source, keys: CaseKeys, folder: Path, conv: Convolution
) -> tuple[ArraySpec, int, tuple[int, ...], tuple[int, ...]]:
    """Return a net's input, its depth, its lengths and its batches.

    conv: what the input would be a case of. Raises CaseError at its place.
    """
    given = _Given.of(source, replace(keys, op=conv.op), folder, keys.layout)
    extent = _extent(given, conv)
    return _input(given, conv, extent), math.prod(extent.high[:-1]), extent.lengths, extent.batches


def _looks(source: Source, keys: CaseKeys, folder: Path) -> str:
    """Say what the arrays look like, if they go together the other way round."""
    other = next(name for name in LAYOUTS if name != keys.layout)
    given = _Given.of(source, keys, folder, other)
    try:
        _read(given)
    except CaseError:
        return ""
    names = []
    for key, order in (("filter", given.layout.filter), ("input", given.layout.input)):
        shape = read_shape(source, (key,), getattr(keys, key), folder)
        if shape and len(shape) > SHORT:
            names.append(order.axes_of(shape))
    if not names:
        return ""
    subject = "these look" if len(names) > 1 else "this looks"
    return f"{subject} like {' and '.join(names)}: `layout: {other}`"


def _read(given: _Given) -> Arrays:
    """Return what the file describes. Raises CaseError with what does not depend on each other."""
    errors = CaseErrors()
    with errors.gathering():
        weights = _filter(given)
    if errors:
        others = {"bias": given.keys.bias, "input": given.keys.input}
        present = {key: one for key, one in others.items() if one is not None}
        check_each(given.source, present, given.folder, errors)
        errors.refuse()
    conv = _convolution(given, weights)
    with errors.gathering():
        _refuse_groups(given, conv)
    with errors.gathering():
        bias = _bias(given, conv)
    with errors.gathering():
        extent = _extent(given, conv)
    errors.refuse()  # what an input needs follows from all of these
    conv = conv._replace(depth=math.prod(extent.high[:-1]))
    with errors.gathering():
        added = _added(given, conv, extent)
    with errors.gathering():
        x = _input(given, conv, extent)
    errors.refuse()
    return Arrays(conv, weights, bias, x, added, extent.lengths, extent.batches)


def _filter(given: _Given) -> ArraySpec:
    spec = read_array(given.source, ("filter",), given.keys.filter, given.folder, None)
    return _turned(given, "filter", given.layout.filter, spec, along=1)


def _convolution(given: _Given, weights: ArraySpec) -> Convolution:
    """Return the convolution with this filter, whether or not its groups divide its channels."""
    keys = given.keys
    rows, width, per_group, channels_out = weights.shape
    kernel: Shape = (rows, width)
    if OPS[keys.op] == AXES_3D - 2:
        depth = dict(zip(given.layout.filter.name, _whole_filter(given), strict=True))["D"]
        kernel = (depth, rows // depth, width)
    return Convolution(
        kernel,
        channels_in=per_group * keys.groups,
        channels_out=channels_out,
        groups=keys.groups,
        dtype=keys.dtype,
        op=keys.op,
        then="add" if isinstance(keys.then, Addition) else keys.then or "",
        **moves_of(given.source, keys, len(kernel)),
    )


def _whole_filter(given: _Given) -> Shape:
    """Return the file's shape of a filter that was read."""
    shape = read_shape(given.source, ("filter",), given.keys.filter, given.folder)
    assert shape is not None, "a filter has a shape"
    return shape


def _turned(given: _Given, key: str, order: Order, spec: ArraySpec, along: int) -> ArraySpec:
    """Return a filter's or an input's spec in HWIO or NHWC; along: where its length stands."""
    whole = _whole(given, key, order, spec.shape)
    values = (order.moved(int(spec.values[0]), whole),) if spec.kind == "delta" else spec.values
    lies, axes = order.lying(whole)
    if axes == tuple(sorted(axes)):
        lies = axes = ()
    return replace(
        spec, shape=order.turned(whole), values=values, axes=axes, given=lies, along=along
    )


def _whole(given: _Given, key: str, order: Order, shape: Shape) -> Shape:
    """Return a shape of the file with all of its axes."""
    whole = order.whole(shape)
    if whole is None and len(shape) == AXES_3D:
        given.fail(key, three_d(key, given.source.value))
    if whole is None:
        text = f"{key} has shape {written(shape)}; expected {order.wanted}"
        given.fail(key, text)
    return whole


def _refuse_groups(given: _Given, conv: Convolution) -> None:
    """Raise GeometryError where a filter has no such groups, or takes other channels."""
    channels, groups = given.keys.channels, conv.groups
    if conv.channels_out % groups:
        text = f"{groups} groups do not divide the filter's {conv.channels_out} output channels"
        given.fail("groups", text)
    if channels in (None, conv.channels_in):
        return
    if channels % groups:
        given.fail("groups", f"{groups} groups do not divide {channels} channels")
    given.fail(
        "channels",
        f"channels is {channels}, but the filter takes {conv.channels_in // groups} × {groups}"
        f" group(s) = {conv.channels_in}",
    )


def _bias(given: _Given, conv: Convolution) -> ArraySpec | None:
    if given.keys.bias is None:
        return None
    wanted = (conv.channels_out,)
    bias = read_array(given.source, ("bias",), given.keys.bias, given.folder, wanted)
    if bias.shape != wanted:
        given.fail(
            "bias",
            f"bias has shape {written(bias.shape)}, but the filter has "
            f"{conv.channels_out} output channel(s); give {conv.channels_out} value(s)",
        )
    return bias


def _input_shape(given: _Given, conv: Convolution) -> Shape | None:
    """Return the input's shape with all axes of the file, or None where it leaves it open."""
    shape = read_shape(given.source, ("input",), given.keys.input, given.folder)
    if shape is None:
        return None
    order = given.layout.input
    whole = _whole(given, "input", order, shape)
    if SHORT < len(shape) < len(order.name) and conv.kernel[0] > 1:
        text = f"input has shape {order.named(shape)}; expected {order.wanted}"
        given.fail("input", text)
    return whole


def _lengths(given: _Given, conv: Convolution, own: int | None) -> tuple[int, ...]:
    """Return the lengths that the file asks for, else the input's own."""
    lengths = given.keys.lengths or (() if own is None else (own,))
    if not lengths:
        text = "the case has no 'lengths', and its input does not fix them"
        raise CaseError(given.source.place(()), text)
    short = below(lengths, conv.axes[-1].least)
    if short:
        text = f"{short} below the filter's width {conv.reach[-1]}; {conv.needs_length}"
        if conv.padding != "valid":
            text = f"{short} too short: {conv.needs_length}"
        given.fail("lengths" if given.keys.lengths else "input", text)
    return lengths


HIGH = ("depth", "height")
"""The keys of the spatial axes but the length."""


def _high(given: _Given, conv: Convolution, own: dict[str, int]) -> tuple[int, ...]:
    """Return the depth, if any, and height that the file asks for, else the input's, or least."""
    extents = []
    for key, axis in zip(HIGH[1 - len(conv.kernel) :], conv.axes, strict=False):
        asked, least = getattr(given.keys, key), axis.least
        extent = asked or own.get(key[0].upper(), max(least, axis.reach))
        if extent < least:
            text = f"{key} {extent} is below the filter's {key} {least}"
            if conv.padding != "valid":
                text = f"{key} {extent} is too small: with this padding {least} or more are needed"
            given.fail(key if asked else "input", text)
        if OPS[conv.op] == 1 and extent != 1:
            given.fail(key, f"{conv.op} has no {key}")
        extents.append(extent)
    if given.keys.depth and "D" not in given.layout.input.name:
        given.fail("depth", f"{conv.op} has no depth")
    return tuple(extents)


def _extent(given: _Given, conv: Convolution) -> _Extent:
    """Return how large an input the file gives or asks for."""
    errors = CaseErrors()
    own: Shape | None = None
    with errors.gathering():
        own = _input_shape(given, conv)
    letters = dict(zip(given.layout.input.name, own or (), strict=False))
    if given.keys.lengths or not errors:
        with errors.gathering():
            lengths = _lengths(given, conv, letters.get("W"))
    with errors.gathering():
        high = _high(given, conv, letters)
    errors.refuse()
    batches = given.keys.batch or (own[:1] if own else (1,))
    return _Extent(own, high, lengths, batches)


def _input(given: _Given, conv: Convolution, extent: _Extent) -> ArraySpec:
    """Return the input at the longest of the lengths, or longer where the file has more."""
    keys, order = given.keys, replace(given.layout.input, high=extent.high[-1])
    rows = math.prod(extent.high)
    needed = (extent.batches[-1], rows, extent.lengths[-1], conv.channels_in)
    wanted = order.spoken(needed)
    shape = extent.own or wanted
    least, has = (dict(zip(order.name, one, strict=True)) for one in (wanted, shape))
    fixed = [has[letter] == least[letter] for letter in order.name if letter in "DHC"]
    if not all(fixed) or has["N"] < least["N"] or has["W"] < least["W"]:
        text = (
            f"input has shape {written(shape)} {order.name}, but the case needs {written(wanted)}"
        )
        given.fail("input", f"{text} (a larger batch or length is cut)")
    spec = read_array(given.source, ("input",), keys.input, given.folder, shape)
    return _turned(given, "input", order, spec, along=2)


ADD = ("then", "add")


def _added(given: _Given, conv: Convolution, extent: _Extent) -> ArraySpec | None:
    """Return what the step `add` adds: of the output's shape, or with 1 along some axes."""
    then = given.keys.then
    if not isinstance(then, Addition):
        return None
    rows, length = math.prod(extent.high), extent.lengths[-1]
    wanted = conv.output_shape(extent.batches[-1], rows, length)
    order = replace(given.layout.input, high=conv.outputs(rows, length)[-2])
    spec = read_array(given.source, ADD, then.add, given.folder, order.spoken(wanted))
    if len(spec.shape) == 1:  # one value a channel, or one for all
        turned = replace(spec, shape=(1, 1, 1, *spec.shape))
    else:
        turned = _turned(given, "then", order, spec, along=2)
    batch, height, width, channels = turned.shape
    longer = (batch == 1 or batch >= wanted[0]) and (width == 1 or width >= wanted[2])
    if not (longer and height in (1, wanted[1]) and channels in (1, wanted[3])):
        text = f"then adds an array of shape {written(spec.shape)}; the output has"
        given.fail("then", f"{text} {order.named(order.spoken(wanted))}, or give 1 along some axes")
    return turned
