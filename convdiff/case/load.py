"""From a case file to a Case: schema first, then the geometry, each error at its place."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from msgspec import UNSET, UnsetType

from convdiff.case import schema
from convdiff.case.array_spec import read_array, read_shape
from convdiff.case.model import AXES, Allowance, ArraySpec, Axis, Case, Convolution
from convdiff.case.ranges import parse_range
from convdiff.case.yaml_source import Source, parse_source, read_source
from convdiff.errors import CaseError, Place

BUILT_IN = "variable-padding"


def load_case(path: Path) -> Case:
    """Read and check one case file. Raises CaseError; touches no array."""
    return _build(read_source(path), path.parent, path.stem)


def built_in_case() -> Case:
    """Return the case that runs when none is named: the one that convdiff began with."""
    text = resources.files("convdiff.case").joinpath("builtin.yaml").read_text("utf-8")
    return _build(parse_source(text, "(built-in)"), Path.cwd(), BUILT_IN)


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
    raw = _validate(source)
    conv, filter_spec = _convolution(source, raw, folder)
    lengths, input_spec = _input(source, raw, folder, conv)
    bias = None
    if raw.bias is not None:
        bias = read_array(source, ("bias",), raw.bias, folder, (conv.channels_out,))
        if bias.shape != (conv.channels_out,):
            _fail(
                source,
                ("bias",),
                f"bias has shape {_x(bias.shape)}, but the filter has "
                f"{conv.channels_out} output channel(s); give {conv.channels_out} value(s)",
            )
    batches = _whole_numbers(source, ("batch",), raw.batch)
    devices = _devices(source, raw)
    expect: dict[Axis, Allowance] = {axis: _allowance(getattr(raw.expect, axis)) for axis in AXES}
    return Case(
        name=stem if isinstance(raw.name, UnsetType) else raw.name,
        file=source.file,
        conv=conv,
        filter=filter_spec,
        bias=bias,
        input=input_spec,
        height=input_spec.shape[1],
        lengths=lengths,
        batches=batches,
        devices=devices,
        repeat=raw.repeat,
        source=None if isinstance(raw.source, UnsetType) else raw.source,
        expect=expect,
    )


def _validate(source: Source) -> schema.CaseFile:
    try:
        return msgspec.convert(source.value, schema.CaseFile)
    except msgspec.ValidationError as error:
        _explain(source, str(error))


def _explain(source: Source, message: str) -> NoReturn:
    """Turn msgspec's message into one with a place and, for a key, a suggestion."""
    text, _, where = message.partition(" - at `")
    path = tuple(re.findall(r"\w+", where.replace("[...]", "")))
    key = ".".join(path)
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text, re.S)
    if unknown:
        known = _known_keys(path)
        near = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.5)
        inside = f" in {key!r}" if key else ""
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        _fail(source, (*path, unknown[1], "<key>"), f"unknown key {unknown[1]!r}{inside}; {hint}")
    missing = re.fullmatch(r"Object missing required field `(.*)`", text)
    if missing:
        inside = f"{key!r}" if key else "the case"
        _fail(source, path, f"{inside} has no {missing[1]!r}")
    choices = _choices(path)
    if choices and not text.startswith("Expected"):
        found = _value_at(source, path)
        near = difflib.get_close_matches(str(found), choices, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        _fail(source, path, f"{key!r}: expected {' or '.join(choices)}, found {found!r}{hint}")
    text = re.sub(r" matching regex .*", " such as 'cpu', 'gpu:0' or '7..20'", text)
    for theirs, ours in _WORDS:
        text = re.sub(rf"\b{theirs}\b", ours, text)
    text = text.replace("`", "")
    _fail(source, path, f"{key!r}: {text[0].lower()}{text[1:]}" if key else text)


_WORDS = (
    ("object", "mapping"),
    ("array", "list"),
    ("str", "text"),
    ("int", "whole number"),
    ("float", "number"),
    ("bool", "true or false"),
)


def _value_at(source: Source, path: tuple[str, ...]) -> Any:
    value = source.value
    for key in path:
        value = value[key] if isinstance(value, dict) else value
    return value


def _choices(path: tuple[str, ...]) -> list[str]:
    """Return the words that a key takes, from the JSON Schema."""
    definitions = schema.json_schema()["$defs"]
    owner = definitions["Expect" if path[:1] == ("expect",) else "CaseFile"]
    entry = owner["properties"].get(path[-1] if path else "", {})
    found: list[str] = []
    for option in [entry, *entry.get("anyOf", [])]:
        found += option.get("enum", [option["const"]] if "const" in option else [])
    return found


def _known_keys(path: tuple[str, ...]) -> list[str]:
    kind: Any = schema.CaseFile
    if path and path[0] == "expect":
        kind = schema.Expect if len(path) == 1 else schema.Ulps
    elif path:
        kind = schema.Array
    return list(kind.__struct_fields__)


def _convolution(
    source: Source, raw: schema.CaseFile, folder: Path
) -> tuple[Convolution, ArraySpec]:
    spec = read_array(source, ("filter",), raw.filter, folder, None)
    shape = spec.shape
    if len(shape) == 1:
        shape = (1, shape[0], 1, 1)
    elif len(shape) == 2:
        shape = (*shape, 1, 1)
    if len(shape) != 4:
        _fail(source, ("filter",), f"filter has shape {_x(shape)}; expected HWIO, 4 numbers")
    kh, kw, per_group, channels_out = shape
    if channels_out % raw.groups:
        _fail(
            source,
            ("groups",),
            f"{raw.groups} groups do not divide the filter's {channels_out} output channels",
        )
    conv = Convolution(
        kernel=(kh, kw),
        channels_in=per_group * raw.groups,
        channels_out=channels_out,
        strides=_pair(raw.strides),
        dilations=_pair(raw.dilations),
        groups=raw.groups,
        dtype=raw.dtype,
    )
    if not isinstance(raw.channels, UnsetType) and raw.channels != conv.channels_in:
        if raw.channels % raw.groups:
            _fail(
                source, ("groups",), f"{raw.groups} groups do not divide {raw.channels} channels"
            )
        _fail(
            source,
            ("channels",),
            f"channels is {raw.channels}, but the filter takes {per_group} × {raw.groups} group(s)"
            f" = {conv.channels_in}",
        )
    return conv, _reshaped(spec, shape)


def _input(
    source: Source, raw: schema.CaseFile, folder: Path, conv: Convolution
) -> tuple[tuple[int, ...], ArraySpec]:
    given = read_shape(source, ("input",), raw.input, folder)
    if given is not None:
        if len(given) == 1:
            given = (1, 1, given[0], 1)
        elif len(given) == 2:
            given = (1, *given, 1)
        if len(given) != 4:
            _fail(source, ("input",), f"input has shape {_x(given)}; expected NHWC, 4 numbers")
    if isinstance(raw.lengths, UnsetType):
        if given is None:
            _fail(source, (), "the case has no 'lengths', and its input does not fix them")
        lengths: tuple[int, ...] = (given[2],)
    else:
        lengths = _whole_numbers(source, ("lengths",), raw.lengths)
    reach_h, reach_w = conv.reach
    if lengths[0] < reach_w:
        _fail(
            source,
            ("lengths",) if raw.lengths is not UNSET else ("input",),
            f"length {lengths[0]} is below the filter's width {reach_w}; VALID needs {reach_w} or more",
        )
    batch = max(_whole_numbers(source, ("batch",), raw.batch))
    height = raw.height if not isinstance(raw.height, UnsetType) else None
    height = height or (given[1] if given else reach_h)
    if height < reach_h:
        _fail(
            source,
            ("height",) if raw.height is not UNSET else ("input",),
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
    spec = read_array(source, ("input",), raw.input, folder, given or needed)
    return lengths, _reshaped(spec, given or needed)


def _reshaped(spec: ArraySpec, shape: tuple[int, ...]) -> ArraySpec:
    return replace(spec, shape=shape)


def _devices(source: Source, raw: schema.CaseFile) -> tuple[str, ...]:
    if raw.device is not UNSET and raw.devices is not UNSET:
        _fail(source, ("device", "<key>"), "give 'device' or 'devices', not both")
    if not isinstance(raw.device, UnsetType):
        return (raw.device,)
    if isinstance(raw.devices, UnsetType):
        return ("cpu",)
    return tuple(dict.fromkeys(raw.devices))


def _whole_numbers(source: Source, path: tuple[str], value: Any) -> tuple[int, ...]:
    numbers: set[int] = set()
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, int):
            numbers.add(item)
            continue
        try:
            numbers.update(parse_range(item))
        except ValueError as error:
            _fail(source, path, f"{path[0]!r}: {error}")
    if not numbers:
        _fail(source, path, f"{path[0]!r} is an empty list")
    if min(numbers) < 1:
        _fail(source, path, f"{path[0]!r} must be 1 or more")
    return tuple(sorted(numbers))


def _allowance(value: Any) -> Allowance:
    if isinstance(value, schema.Ulps):
        return Allowance("ulps", value.ulps)
    return Allowance(value)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _x(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _fail(source: Source, path: tuple[Any, ...], message: str) -> NoReturn:
    raise CaseError(source.place(path), message)
