"""From a case file to a Case: schema first, then the geometry, each error at its place."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from convdiff.case.array_spec import read_array, read_shape
from convdiff.case.axes import AXES
from convdiff.case.device import Device
from convdiff.case.expect import read_expect
from convdiff.case.model import ArraySpec, Case, Convolution
from convdiff.case.ranges import LONGEST, parse_range
from convdiff.case.schema_errors import check
from convdiff.case.yaml_source import Source, parse_source, read_source
from convdiff.errors import CaseError, Place

Raw = dict[str, Any]
"""A case file's mapping, known to keep the schema."""

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


def _build(source: Source, folder: Path, stem: str) -> Case:
    raw = check(source)
    for key in ("name", "source"):
        if not str(raw.get(key, "")).isprintable():
            _fail(source, (key,), f"{key!r} holds control characters")
    conv, filter_spec = _convolution(source, raw, folder)
    lengths, input_spec = _input(source, raw, folder, conv)
    bias = None
    if "bias" in raw:
        bias = read_array(source, ("bias",), raw["bias"], folder, (conv.channels_out,))
        if bias.shape != (conv.channels_out,):
            _fail(
                source,
                ("bias",),
                f"bias has shape {_x(bias.shape)}, but the filter has "
                f"{conv.channels_out} output channel(s); give {conv.channels_out} value(s)",
            )
    batches = _whole_numbers(source, ("batch",), raw.get("batch", 1))
    devices = _devices(source, raw)
    expect, lock_order = read_expect(raw.get("expect", {}))
    return Case(
        name=raw.get("name", stem),
        file=source.file,
        conv=conv,
        filter=filter_spec,
        bias=bias,
        input=input_spec,
        height=input_spec.shape[1],
        lengths=lengths,
        batches=batches,
        devices=devices,
        repeat=int(raw.get("repeat", 1)),
        source=raw.get("source"),
        expect=expect,
        lock_order=lock_order,
        places={axis: _place(source, raw, axis) for axis in (*AXES, "order")},
    )


_VALUES = {"length": "lengths", "device": "devices"}


def _place(source: Source, raw: Raw, axis: str) -> Place:
    """Return where the file speaks of an axis: what it expects, else its values, else its start."""
    if axis in raw.get("expect", {}):
        return source.place(("expect", axis))
    key = _VALUES.get(axis, axis)
    return source.place((key,)) if key in raw else Place(source.file, 1, 1)


def _convolution(source: Source, raw: Raw, folder: Path) -> tuple[Convolution, ArraySpec]:
    spec = read_array(source, ("filter",), raw["filter"], folder, None)
    shape = spec.shape
    if len(shape) == 1:
        shape = (1, shape[0], 1, 1)
    elif len(shape) == 2:
        shape = (*shape, 1, 1)
    if len(shape) != 4:
        _fail(source, ("filter",), f"filter has shape {_x(shape)}; expected HWIO, 4 numbers")
    kh, kw, per_group, channels_out = shape
    groups = int(raw.get("groups", 1))
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
        strides=_pair(raw.get("strides", 1)),
        dilations=_pair(raw.get("dilations", 1)),
        groups=groups,
        dtype=raw.get("dtype", "float32"),
    )
    channels = raw.get("channels", conv.channels_in)
    if channels != conv.channels_in:
        if channels % groups:
            _fail(source, ("groups",), f"{groups} groups do not divide {channels} channels")
        _fail(
            source,
            ("channels",),
            f"channels is {channels}, but the filter takes {per_group} × {groups} group(s)"
            f" = {conv.channels_in}",
        )
    return conv, replace(spec, shape=shape, along=1)


def _input(
    source: Source, raw: Raw, folder: Path, conv: Convolution
) -> tuple[tuple[int, ...], ArraySpec]:
    given = read_shape(source, ("input",), raw["input"], folder)
    if given is not None:
        if len(given) == 1:
            given = (1, 1, given[0], 1)
        elif len(given) == 2:
            given = (1, *given, 1)
        if len(given) != 4:
            _fail(source, ("input",), f"input has shape {_x(given)}; expected NHWC, 4 numbers")
    if "lengths" not in raw:
        if given is None:
            _fail(source, (), "the case has no 'lengths', and its input does not fix them")
        lengths: tuple[int, ...] = (given[2],)
    else:
        lengths = _whole_numbers(source, ("lengths",), raw["lengths"])
    reach_h, reach_w = conv.reach
    if lengths[0] < reach_w:
        _fail(
            source,
            ("lengths",) if "lengths" in raw else ("input",),
            f"length {lengths[0]} is below the filter's width {reach_w}; "
            f"VALID needs {reach_w} or more",
        )
    batch = max(_whole_numbers(source, ("batch",), raw.get("batch", 1)))
    height = int(raw.get("height", given[1] if given else reach_h))
    if height < reach_h:
        _fail(
            source,
            ("height",) if "height" in raw else ("input",),
            f"height {height} is below the filter's height {reach_h}",
        )
    needed = (batch, height, lengths[-1], conv.channels_in)
    if given is not None and (
        given[1] != height or given[3] != needed[3] or given[0] < batch or given[2] < lengths[-1]
    ):
        _fail(
            source,
            ("input",),
            f"input has shape {_x(given)} NHWC, but the case needs {_x(needed)}"
            " (a larger batch or length is cut)",
        )
    spec = read_array(source, ("input",), raw["input"], folder, given or needed)
    return lengths, replace(spec, shape=given or needed, along=2)


def _devices(source: Source, raw: Raw) -> tuple[Device, ...]:
    if "device" in raw and "devices" in raw:
        _fail(source, ("device", "<key>"), "give 'device' or 'devices', not both")
    names = raw.get("devices", [raw.get("device", "cpu")])
    return tuple(dict.fromkeys(map(Device.parse, names)))


def _whole_numbers(source: Source, path: tuple[str], value: Any) -> tuple[int, ...]:
    numbers: set[int] = set()
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str):
            numbers.add(int(item))
            continue
        try:
            numbers.update(parse_range(item))
        except ValueError as error:
            _fail(source, path, f"{path[0]!r}: {error}")
        if len(numbers) > LONGEST:
            _fail(source, path, f"{path[0]!r} has more than {LONGEST:,} values")
    if min(numbers) < 1:
        _fail(source, path, f"{path[0]!r} must be 1 or more")
    return tuple(sorted(numbers))


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, list) else (value, value)
    return int(first), int(second)


def _x(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _fail(source: Source, path: tuple[Any, ...], message: str) -> NoReturn:
    raise CaseError(source.place(path), message)
