"""A case's convolution, filter, bias and input, each held against the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from convdiff.case.array_spec import check_each, read_array, read_shape
from convdiff.case.keys import CaseKeys
from convdiff.case.layout import LAYOUTS, Layout, Order, Shape, named, written
from convdiff.case.model import ArraySpec
from convdiff.case.ranges import below
from convdiff.case.volume import AXES_3D, three_d
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError, CaseErrors
from convdiff.worker.ops.conv2d import Convolution


@dataclass(frozen=True)
class Arrays:
    """What is computed on what, in HWIO and NHWC however the file writes it."""

    conv: Convolution
    filter: ArraySpec
    bias: ArraySpec | None
    input: ArraySpec
    """At the longest of the lengths and the largest of the batches, or larger."""
    lengths: tuple[int, ...]
    batches: tuple[int, ...]


class GeometryError(CaseError):
    """Shapes that do not go together."""


@dataclass(frozen=True)
class _Given:
    """What a file says, and how its arrays are taken to lie."""

    source: Source
    keys: CaseKeys
    folder: Path
    layout: Layout

    def fail(self, key: str, message: str) -> NoReturn:
        raise GeometryError(self.source.place((key,)), message)


@dataclass(frozen=True)
class _Extent:
    """How large an input is asked for."""

    own: Shape | None
    """Its NHWC shape, where the file gives one."""
    height: int
    lengths: tuple[int, ...]
    batches: tuple[int, ...]
    """Those that the file asks for, else the input's own."""


def arrays_of(source: Source, keys: CaseKeys, folder: Path) -> Arrays:
    """Return what a case's keys describe.

    Raises CaseError at its place; where shapes do not go together, and would if the arrays lay the
    other way round, it says so.
    """
    try:
        return _read(_Given(source, keys, folder, LAYOUTS[keys.layout]))
    except GeometryError as error:
        looks = _looks(source, keys, folder)
        if looks:  # all that is wrong is the layout
            raise CaseError(error.place, f"{error.message}; {looks}") from None
        raise


def _looks(source: Source, keys: CaseKeys, folder: Path) -> str:
    """Say what the arrays look like, if they go together the other way round."""
    other = next(name for name in LAYOUTS if name != keys.layout)
    layout = LAYOUTS[other]
    try:
        _read(_Given(source, keys, folder, layout))
    except CaseError:
        return ""
    names = []
    for key, order in (("filter", layout.filter), ("input", layout.input)):
        shape = read_shape(source, (key,), getattr(keys, key), folder)
        names += [order.names[len(shape)]] if shape and len(shape) in order.names else []
    subject = "these look" if len(names) > 1 else "this looks"
    return f"{subject} like {' and '.join(names)}: `layout: {other}`" if names else ""


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
    conv = _convolution(given.keys, weights)
    with errors.gathering():
        _refuse_groups(given, conv)
    with errors.gathering():
        bias = _bias(given, conv)
    with errors.gathering():
        extent = _extent(given, conv)
    errors.refuse()  # what an input needs follows from all of these
    return Arrays(conv, weights, bias, _input(given, conv, extent), extent.lengths, extent.batches)


def _filter(given: _Given) -> ArraySpec:
    spec = read_array(given.source, ("filter",), given.keys.filter, given.folder, None)
    return _turned(given, "filter", given.layout.filter, spec, along=1)


def _convolution(keys: CaseKeys, weights: ArraySpec) -> Convolution:
    """Return the convolution with this filter, whether or not its groups divide its channels."""
    kh, kw, per_group, channels_out = weights.shape
    return Convolution(
        kernel=(kh, kw),
        channels_in=per_group * keys.groups,
        channels_out=channels_out,
        strides=keys.strides,
        dilations=keys.dilations,
        groups=keys.groups,
        dtype=keys.dtype,
    )


def _turned(given: _Given, key: str, order: Order, spec: ArraySpec, along: int) -> ArraySpec:
    """Return a filter's or an input's spec in HWIO or NHWC; along: where its length stands."""
    four = _four(given, key, order, spec.shape)
    values = (order.moved(int(spec.values[0]), four),) if spec.kind == "delta" else spec.values
    axes = () if order.axes == tuple(sorted(order.axes)) else order.axes
    return replace(spec, shape=order.turned(four), values=values, axes=axes, along=along)


def _four(given: _Given, key: str, order: Order, shape: Shape) -> Shape:
    """Return a shape of the file with all of its four axes."""
    if len(shape) == AXES_3D:
        given.fail(key, three_d(key, given.source.value))
    four = order.four(shape)
    if four is None:
        text = f"{key} has shape {written(shape)}; expected {order.name}, 4 numbers"
        given.fail(key, text)
    return four


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
    """Return the input's NHWC shape, or None where the file leaves it open."""
    shape = read_shape(given.source, ("input",), given.keys.input, given.folder)
    if shape is None:
        return None
    order = given.layout.input
    four = _four(given, "input", order, shape)
    if len(shape) == 3 and conv.kernel[0] > 1:
        text = f"input has shape {named(shape, order)}; expected {order.name}, 4 numbers"
        given.fail("input", text)
    return order.turned(four)


def _lengths(given: _Given, conv: Convolution, shape: Shape | None) -> tuple[int, ...]:
    """Return the lengths that the file asks for, else the input's own."""
    lengths = given.keys.lengths or (shape[2:3] if shape else ())
    if not lengths:
        text = "the case has no 'lengths', and its input does not fix them"
        raise CaseError(given.source.place(()), text)
    width = conv.reach[1]
    short = below(lengths, width)
    if short:
        text = f"{short} below the filter's width {width}; VALID needs {width} or more"
        given.fail("lengths" if given.keys.lengths else "input", text)
    return lengths


def _height(given: _Given, conv: Convolution, shape: Shape | None) -> int:
    """Return the height that the file asks for, else the input's own, else the filter's."""
    least = conv.reach[0]
    height = given.keys.height or (shape[1] if shape else least)
    if height < least:
        key = "height" if given.keys.height else "input"
        given.fail(key, f"height {height} is below the filter's height {least}")
    return height


def _extent(given: _Given, conv: Convolution) -> _Extent:
    """Return how large an input the file gives or asks for."""
    errors = CaseErrors()
    own: Shape | None = None
    with errors.gathering():
        own = _input_shape(given, conv)
    if given.keys.lengths or not errors:
        with errors.gathering():
            lengths = _lengths(given, conv, own)
    with errors.gathering():
        height = _height(given, conv, own)
    errors.refuse()
    batches = given.keys.batch or (own[:1] if own else (1,))
    return _Extent(own, height, lengths, batches)


def _input(given: _Given, conv: Convolution, extent: _Extent) -> ArraySpec:
    """Return the input at the longest of the lengths, or longer where the file has more."""
    keys, order, height = given.keys, given.layout.input, extent.height
    needed = (extent.batches[-1], height, extent.lengths[-1], conv.channels_in)
    shape = extent.own or needed
    if (shape[1], shape[3]) != (height, needed[3]) or shape[0] < needed[0] or shape[2] < needed[2]:
        has, needs = (written(order.spoken(one)) for one in (shape, needed))
        text = f"input has shape {has} {order.name}, but the case needs {needs}"
        given.fail("input", f"{text} (a larger batch or length is cut)")
    spec = read_array(given.source, ("input",), keys.input, given.folder, order.spoken(shape))
    return _turned(given, "input", order, spec, along=2)
