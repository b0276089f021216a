"""A case's convolution, filter, bias and input, each held against the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from convdiff.case.array_spec import check_each, read_array, read_shape
from convdiff.case.keys import CaseKeys
from convdiff.case.layout import LAYOUTS, Layout, Order, Shape, named, written
from convdiff.case.model import ArraySpec
from convdiff.case.volume import AXES_3D, three_d
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError, CaseErrors, Place
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

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(place, message)
        self.message = message


@dataclass(frozen=True)
class _Given:
    """What a file says, and how its arrays are taken to lie."""

    source: Source
    keys: CaseKeys
    folder: Path
    layout: Layout

    def fail(self, key: str, message: str) -> NoReturn:
        raise GeometryError(self.source.place((key,)), message)


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
        conv, weights = _convolution(given)
    if errors:
        others = {"bias": given.keys.bias, "input": given.keys.input}
        present = {key: one for key, one in others.items() if one is not None}
        check_each(given.source, present, given.folder, errors)
        errors.refuse()
    with errors.gathering():
        bias = _bias(given, conv)
    with errors.gathering():
        input_, lengths, batches = _input(given, conv)
    errors.refuse()
    return Arrays(conv, weights, bias, input_, lengths, batches)


def _convolution(given: _Given) -> tuple[Convolution, ArraySpec]:
    keys = given.keys
    spec = read_array(given.source, ("filter",), keys.filter, given.folder, None)
    spec = _turned(given, "filter", given.layout.filter, spec, along=1)
    kh, kw, per_group, channels_out = spec.shape
    groups = keys.groups
    if channels_out % groups:
        text = f"{groups} groups do not divide the filter's {channels_out} output channels"
        given.fail("groups", text)
    conv = Convolution(
        kernel=(kh, kw),
        channels_in=per_group * groups,
        channels_out=channels_out,
        strides=keys.strides,
        dilations=keys.dilations,
        groups=groups,
        dtype=keys.dtype,
    )
    if keys.channels not in (None, conv.channels_in):
        _refuse_channels(given, keys.channels, per_group, groups)
    return conv, spec


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


def _refuse_channels(given: _Given, channels: int | None, per_group: int, groups: int) -> NoReturn:
    """Say why a filter does not take so many channels."""
    if channels and channels % groups:
        given.fail("groups", f"{groups} groups do not divide {channels} channels")
    given.fail(
        "channels",
        f"channels is {channels}, but the filter takes {per_group} × {groups} group(s)"
        f" = {per_group * groups}",
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
    if lengths[0] < width:
        text = f"length {lengths[0]} is below the filter's width {width}; VALID needs {width}"
        given.fail("lengths" if given.keys.lengths else "input", f"{text} or more")
    return lengths


def _height(given: _Given, conv: Convolution, shape: Shape | None) -> int:
    """Return the height that the file asks for, else the input's own, else the filter's."""
    least = conv.reach[0]
    height = given.keys.height or (shape[1] if shape else least)
    if height < least:
        key = "height" if given.keys.height else "input"
        given.fail(key, f"height {height} is below the filter's height {least}")
    return height


def _input(given: _Given, conv: Convolution) -> tuple[ArraySpec, tuple[int, ...], tuple[int, ...]]:
    """Return the input, at the longest and largest or more where the file has more; both sizes.

    The batches are those that the file asks for, else the input's own.
    """
    keys, order, errors = given.keys, given.layout.input, CaseErrors()
    own = _input_shape(given, conv)
    with errors.gathering():
        lengths = _lengths(given, conv, own)
    with errors.gathering():
        height = _height(given, conv, own)
    errors.refuse()
    batches = keys.batch or (own[:1] if own else (1,))
    needed = (batches[-1], height, lengths[-1], conv.channels_in)
    shape = own or needed
    if (shape[1], shape[3]) != (height, needed[3]) or shape[0] < needed[0] or shape[2] < needed[2]:
        has, needs = (written(order.spoken(one)) for one in (shape, needed))
        text = f"input has shape {has} {order.name}, but the case needs {needs}"
        given.fail("input", f"{text} (a larger batch or length is cut)")
    spec = read_array(given.source, ("input",), keys.input, given.folder, order.spoken(shape))
    return _turned(given, "input", order, spec, along=2), lengths, batches
