"""From a case file to a Case: keys first, then the geometry, each error at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path

from convdiff.case.array_spec import check_each
from convdiff.case.axes import AXES
from convdiff.case.device import Device
from convdiff.case.forms import MisfitError, MissingKeyError, UnknownKeyError, shown
from convdiff.case.forms.misfit import MOST, slip_of
from convdiff.case.geometry import arrays_of
from convdiff.case.in_hand import refuse_folder, refuse_in_hand
from convdiff.case.keys import CASE, CaseKeys
from convdiff.case.model import Case
from convdiff.case.override import some_filters
from convdiff.case.volume import refuse_3d
from convdiff.case.yaml_source import ARRAYS, Source, parse_source, read_source
from convdiff.errors import CaseError, CaseErrors, Place, close_word
from convdiff.worker.ops.convolution import Convolution

BUILT_IN = "variable-padding"
STDIN = "(stdin)"
"""How errors name what stands in no file."""


def load_case(path: Path) -> Case:
    """Read and check one case file. Raises CaseError; touches no array."""
    refuse_in_hand(path)
    errors = CaseErrors()
    return build(read_source(path, errors), path.parent, path.stem, errors)


def built_in_case() -> Case:
    """Return the case that runs when none is named: the one that convdiff began with."""
    text = resources.files("convdiff.case").joinpath("builtin.yaml").read_text("utf-8")
    case = _of_text(text, "(built-in)", Path.cwd(), BUILT_IN)
    return replace(case, built_in=True)


def stdin_case(text: str) -> Case:
    """Return the case that was written to stdin; its files lie in the working folder."""
    return _of_text(text, STDIN, Path.cwd(), "stdin")


def case_of(text: str, path: Path) -> Case:
    """Return the case that a file of this text would be. Raises CaseError."""
    return _of_text(text, str(path), path.parent, path.stem)


def _of_text(text: str, file: str, folder: Path, stem: str) -> Case:
    errors = CaseErrors()
    return build(parse_source(text, file, errors), folder, stem, errors)


def find_cases(paths: tuple[Path, ...]) -> list[Path]:
    """Return the case files named: a folder stands for every .yaml file right in it."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
            if not inside:
                refuse_folder(path)
            files.extend(inside)
        else:
            files.append(path)
    return files


def check(source: Source) -> CaseKeys:
    """Return a file's keys. Raises CaseError at the places of what is not as it must be."""
    errors = CaseErrors()
    keys, _ = _keys(source, errors)
    errors.sort()
    errors.refuse()
    assert keys is not None, "what can't be read was refused"
    return keys


def _keys(source: Source, errors: CaseErrors) -> tuple[CaseKeys | None, Source]:
    """Return what can be read of a file's keys, and the file without the others.

    Errors of the others are gathered; None where one of them may be needed for the rest. Raises
    CaseError for what is no case.
    """
    if not isinstance(source.value, dict):
        text = shown(source.value)
        raise CaseError(source.place(()), f"a case is a mapping of keys; found {text}")
    refuse_3d(source)
    keys, misfits = _read(source.value)
    if keys is not None and not source.broken:
        return keys, source
    misfits = tuple(_told(source, misfits))
    for misfit in misfits:
        errors.add(CaseError(place_of(source, misfit), str(misfit)))
    wrong = {*source.broken, *(str(one.path[0]) if one.path else "" for one in misfits)}
    kept = {*CASE.keys} - wrong
    sound = {key: one for key, one in source.value.items() if key in kept}
    is_told = len(misfits) <= MOST and all(map(_concerns_no_array, wrong))
    return (_read(sound)[0] if is_told else None), replace(source, value=sound)


def _told(source: Source, misfits: tuple[MisfitError, ...]) -> Iterator[MisfitError]:
    """Yield the misfits that are told: what is missing may be what is broken."""
    for misfit in misfits:
        if not (source.broken and isinstance(misfit, MissingKeyError)):
            yield misfit


def _read(value: Mapping[str, object]) -> tuple[CaseKeys | None, tuple[MisfitError, ...]]:
    """Return a mapping's keys, or all that is wrong with them."""
    try:
        return CASE.read(value), ()
    except MisfitError as error:
        return None, error.all


_OF_NO_ARRAY = ("name", "source", "device", "devices", "repeat", "expect")
"""Keys without which arrays and geometry can be checked all the same."""


def _concerns_no_array(key: str) -> bool:
    """Return whether a wrong key leaves arrays and geometry as they are, also if it is a slip.

    "" stands for one that is missing, or no word.
    """
    slip = slip_of(key, list(CASE.keys))
    return key != "" and (not slip or slip in _OF_NO_ARRAY)


def place_of(source: Source, misfit: MisfitError) -> Place:
    """Return where a file has what does not fit: a key that is not known itself."""
    key = ("<key>",) if isinstance(misfit, UnknownKeyError) else ()
    return source.place((*misfit.path, *key))


SLIP = 0.8
"""How like `layers` a key is that is taken for it; `layout` is less."""


def is_net(source: Source) -> bool:
    """Return whether a file is a net, or is to be one."""
    if "layers" in source.broken or not isinstance(source.value, dict):
        return "layers" in source.broken
    return any(close_word(str(key), ["layers"], SLIP) for key in source.value)


def build(source: Source, folder: Path, stem: str, errors: CaseErrors) -> Case:
    """Return the case; errors: what was found in the file before. Raises CaseError."""
    if is_net(source):
        text = "a net, whose layers are compared by convdiff trace"
        raise CaseError(source.place(("layers", "<key>")), text)
    keys, rest = _keys(source, errors)
    if keys is None:
        given = [key for key in ARRAYS if key in rest.value]
        arrays = {key: CASE.keys[key].form.read(rest.value[key]) for key in given}
        check_each(rest, arrays, folder, errors)
    else:
        with errors.gathering():
            case = _case(rest, keys, folder, stem)
    errors.sort()
    errors.refuse()
    return case


def _case(source: Source, keys: CaseKeys, folder: Path, stem: str) -> Case:
    errors = CaseErrors()
    with errors.gathering():
        refuse_unprintable(source, keys)
    with errors.gathering():
        devices = _devices(source, keys)
    with errors.gathering():
        arrays = arrays_of(source, keys, folder)
    errors.refuse()
    return Case(
        name=keys.name or stem,
        file=source.file,
        conv=arrays.conv,
        filter=arrays.filter,
        bias=arrays.bias,
        input=arrays.input,
        added=arrays.added,
        height=arrays.input.shape[1],
        lengths=arrays.lengths,
        batches=arrays.batches,
        channels_out=_channels_out(source, keys, arrays.conv),
        devices=devices,
        repeat=keys.repeat,
        source=keys.source,
        layout=keys.layout,
        expect=keys.expect.axes,
        lock_order=keys.expect.lock_order,
        baseline_reference=keys.expect.baseline_reference,
        of_baseline=tuple(_of_baseline(source, keys)),
        places={axis: _place(source, axis) for axis in (*AXES, "order")} | to_be_accepted(source),
    )


def refuse_unprintable(source: Source, keys: CaseKeys) -> None:
    """Raise CaseError where what a file is called, or comes from, can't be shown."""
    errors = CaseErrors()
    for key in ("name", "source"):
        if not (getattr(keys, key) or "").isprintable():
            errors.add(CaseError(source.place((key,)), f"{key!r} holds control characters"))
    errors.refuse()


def _channels_out(source: Source, keys: CaseKeys, conv: Convolution) -> tuple[int, ...]:
    try:
        return some_filters(conv, keys.channels_out or ())
    except ValueError as error:
        raise CaseError(source.place(("channels_out",)), str(error)) from None


def _of_baseline(source: Source, keys: CaseKeys) -> Iterator[str]:
    """Yield what the file expects of a baseline, whatever a file without it would expect."""
    if keys.expect.lock_order:
        yield "order: locked"
    given = source.value.get("expect", {})
    yield from (key for key in ("baseline", "baseline_reference") if key in given)


_VALUES = {"length": "lengths", "device": "devices"}


def _place(source: Source, axis: str) -> Place:
    """Return where the file speaks of an axis: what it expects, else its values, else its start."""
    if axis in source.value.get("expect", {}):
        return source.place(("expect", axis))
    key = _VALUES.get(axis, axis)
    return source.place((key,)) if key in source.value else Place(source.file, 1, 1)


def to_be_accepted(source: Source) -> dict[str, Place]:
    """Return where an axis's expectation is written, or to be written: expect.AXIS."""
    if "expect" not in source.value:
        return {f"expect.{axis}": _place(source, axis) for axis in AXES}
    return {f"expect.{axis}": source.place(("expect", axis)) for axis in AXES}


def _devices(source: Source, keys: CaseKeys) -> tuple[Device, ...]:
    if keys.device and keys.devices:
        text = "give 'device' or 'devices', not both"
        raise CaseError(source.place(("device", "<key>")), text)
    devices = keys.devices or (keys.device or Device("cpu"),)
    return tuple(dict.fromkeys(devices))
