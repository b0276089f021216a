"""From a case file to a Case: schema first, then the geometry, each error at its place."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from convdiff.case.array_spec import read_array, read_shape
from convdiff.case.axes import AXES
from convdiff.case.device import Device
from convdiff.case.forms import MisfitError, UnknownKeyError, shown
from convdiff.case.keys import CASE, CaseKeys
from convdiff.case.model import ArraySpec, Case
from convdiff.case.yaml_source import Source, parse_source, read_source
from convdiff.errors import CaseError, Place
from convdiff.worker.ops.conv2d import Convolution

BUILT_IN = "variable-padding"


def load_case(path: Path) -> Case:
    """Read and check one case file. Raises CaseError; touches no array."""
    return _build(read_source(path), path.parent, path.stem)


def built_in_case() -> Case:
    """Return the case that runs when none is named: the one that convdiff began with."""
    text = resources.files("convdiff.case").joinpath("builtin.yaml").read_text("utf-8")
    case = _build(parse_source(text, "(built-in)"), Path.cwd(), BUILT_IN)
    return replace(case, built_in=True)


def find_cases(paths: tuple[Path, ...]) -> list[Path]:
    """Return the case files named: a folder stands for every .yaml file right in it."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
            if not inside:
                raise CaseError(Place(str(path)), "this folder holds no .yaml case")
            found.extend(inside)
        else:
            found.append(path)
    return found


def check(source: Source) -> CaseKeys:
    """Return a file's keys. Raises CaseError at the place of what is not as it must be."""
    if not isinstance(source.value, dict):
        found = shown(source.value)
        raise CaseError(source.place(()), f"a case is a mapping of keys; found {found}")
    try:
        return CASE.read(source.value)
    except UnknownKeyError as error:
        raise CaseError(source.place((*error.path, "<key>")), str(error)) from None
    except MisfitError as error:
        raise CaseError(source.place(error.path), str(error)) from None


def _build(source: Source, folder: Path, stem: str) -> Case:
    keys = check(source)
    for key in ("name", "source"):
        if not (getattr(keys, key) or "").isprintable():
            _fail(source, (key,), f"{key!r} holds control characters")
    conv, filter_spec = _convolution(source, keys, folder)
    lengths, input_spec = _input(source, keys, folder, conv)
    return Case(
        name=keys.name or stem,
        file=source.file,
        conv=conv,
        filter=filter_spec,
        bias=_bias(source, keys, folder, conv),
        input=input_spec,
        height=input_spec.shape[1],
        lengths=lengths,
        batches=keys.batch,
        devices=_devices(source, keys),
        repeat=keys.repeat,
        source=keys.source,
        expect=keys.expect.axes,
        lock_order=keys.expect.lock_order,
        baseline_reference=keys.expect.baseline_reference,
        places={axis: _place(source, axis) for axis in (*AXES, "order")},
    )


_VALUES = {"length": "lengths", "device": "devices"}


def _place(source: Source, axis: str) -> Place:
    """Return where the file speaks of an axis: what it expects, else its values, else its start."""
    if axis in source.value.get("expect", {}):
        return source.place(("expect", axis))
    key = _VALUES.get(axis, axis)
    return source.place((key,)) if key in source.value else Place(source.file, 1, 1)


def _convolution(source: Source, keys: CaseKeys, folder: Path) -> tuple[Convolution, ArraySpec]:
    spec = read_array(source, ("filter",), keys.filter, folder, None)
    shape = spec.shape
    if len(shape) == 1:
        shape = (1, shape[0], 1, 1)
    elif len(shape) == 2:
        shape = (*shape, 1, 1)
    if len(shape) != 4:
        _fail(source, ("filter",), f"filter has shape {_x(shape)}; expected HWIO, 4 numbers")
    kh, kw, per_group, channels_out = shape
    groups = keys.groups
    if channels_out % groups:
        _fail(
            source,
            ("groups",),
            f"{groups} groups do not divide the filter's {channels_out} output channels",
        )
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
        _refuse_channels(source, keys.channels, per_group, groups)
    return conv, replace(spec, shape=shape, along=1)


def _refuse_channels(source: Source, channels: int, per_group: int, groups: int) -> NoReturn:
    """Say why a filter does not take so many channels."""
    if channels % groups:
        _fail(source, ("groups",), f"{groups} groups do not divide {channels} channels")
    _fail(
        source,
        ("channels",),
        f"channels is {channels}, but the filter takes {per_group} × {groups} group(s)"
        f" = {per_group * groups}",
    )


def _bias(source: Source, keys: CaseKeys, folder: Path, conv: Convolution) -> ArraySpec | None:
    if keys.bias is None:
        return None
    bias = read_array(source, ("bias",), keys.bias, folder, (conv.channels_out,))
    if bias.shape != (conv.channels_out,):
        _fail(
            source,
            ("bias",),
            f"bias has shape {_x(bias.shape)}, but the filter has "
            f"{conv.channels_out} output channel(s); give {conv.channels_out} value(s)",
        )
    return bias


def _input(
    source: Source, keys: CaseKeys, folder: Path, conv: Convolution
) -> tuple[tuple[int, ...], ArraySpec]:
    """Return the lengths, and the input at the longest of them."""
    given = _input_shape(source, keys, folder)
    lengths = _lengths(source, keys, conv, given)
    height = _height(source, keys, conv, given)
    needed = (max(keys.batch), height, lengths[-1], conv.channels_in)
    shape = given or needed
    if (shape[1], shape[3]) != (height, needed[3]) or shape[0] < needed[0] or shape[2] < needed[2]:
        _fail(
            source,
            ("input",),
            f"input has shape {_x(shape)} NHWC, but the case needs {_x(needed)}"
            " (a larger batch or length is cut)",
        )
    spec = read_array(source, ("input",), keys.input, folder, shape)
    return lengths, replace(spec, shape=shape, along=2)


def _lengths(
    source: Source, keys: CaseKeys, conv: Convolution, given: tuple[int, ...] | None
) -> tuple[int, ...]:
    """Return the lengths that the file asks for, else the input's own."""
    lengths = keys.lengths or (given[2:3] if given else ())
    if not lengths:
        _fail(source, (), "the case has no 'lengths', and its input does not fix them")
    width = conv.reach[1]
    if lengths[0] < width:
        text = f"length {lengths[0]} is below the filter's width {width}; VALID needs {width}"
        _fail(source, ("lengths" if keys.lengths else "input",), f"{text} or more")
    return lengths


def _height(
    source: Source, keys: CaseKeys, conv: Convolution, given: tuple[int, ...] | None
) -> int:
    """Return the height that the file asks for, else the input's own, else the filter's."""
    least = conv.reach[0]
    height = keys.height or (given[1] if given else least)
    if height < least:
        key = "height" if keys.height else "input"
        _fail(source, (key,), f"height {height} is below the filter's height {least}")
    return height


def _input_shape(source: Source, keys: CaseKeys, folder: Path) -> tuple[int, ...] | None:
    """Return the input's NHWC shape, or None where the file leaves it open."""
    shape = read_shape(source, ("input",), keys.input, folder)
    if shape is None:
        return None
    if len(shape) == 1:
        shape = (1, 1, shape[0], 1)
    elif len(shape) == 2:
        shape = (1, *shape, 1)
    if len(shape) != 4:
        _fail(source, ("input",), f"input has shape {_x(shape)}; expected NHWC, 4 numbers")
    return shape


def _devices(source: Source, keys: CaseKeys) -> tuple[Device, ...]:
    if keys.device and keys.devices:
        _fail(source, ("device", "<key>"), "give 'device' or 'devices', not both")
    devices = keys.devices or (keys.device or Device("cpu"),)
    return tuple(dict.fromkeys(devices))


def _x(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _fail(source: Source, path: tuple[Any, ...], message: str) -> NoReturn:
    raise CaseError(source.place(path), message)
