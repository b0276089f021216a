"""Arrays as the case file writes them: nested lists, generators and files, checked unmade."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from convdiff.case.forms.misfit import MOST, shown
from convdiff.case.keys import KINDS, Array, ArrayKeys
from convdiff.case.model import ArraySpec
from convdiff.case.npy import array_shape
from convdiff.case.volume import AXES_3D
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError, CaseErrors

Key = tuple[str | int, ...]
Shape = tuple[int, ...]


def read_shape(source: Source, key: Key, value: Array, folder: Path) -> Shape | None:
    """Return the shape that the file gives this array, or None where it leaves it open."""
    if isinstance(value, ArrayKeys) and value.file is None:
        kind = _kind(source, key)
        if value.delta is None or value.shape is not None:
            _parameters(source, key, kind, value, value.shape or ())
        return value.shape
    return read_array(source, key, value, folder, None).shape


def check_each(
    source: Source, arrays: Mapping[str, Array], folder: Path, errors: CaseErrors
) -> None:
    """Gather what is wrong with each array by itself, where the geometry is not known."""
    for key, array in arrays.items():
        with errors.gathering():
            read_shape(source, (key,), array, folder)


def read_array(
    source: Source, key: Key, value: Array, folder: Path, shape: Shape | None
) -> ArraySpec:
    """Check one array and return how it is made; `shape` serves where the file gives none."""
    if isinstance(value, list):
        own_shape, numbers = _literal(source, key, value)
        return ArraySpec("values", own_shape, tuple(numbers), place=source.place(key))
    kind = _kind(source, key)
    if value.file is not None:
        return _file(source, key, value, value.file, folder)
    own = value.shape or shape
    if own is None:
        _fail(source, key, f"{key[0]!r} needs a 'shape' with {kind!r}")
    parameters = _parameters(source, key, kind, value, own)
    return ArraySpec(
        kind, own, parameters, seed=value.seed, scale=value.scale, place=source.place(key)
    )


def _kind(source: Source, key: Key) -> str:
    """Return the one key that says how an array is made. Raises CaseError."""
    given: Any = source.value
    for part in key:
        given = given[part]
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        have = " and ".join(kinds) or "none"
        _fail(source, key, f"{key[0]!r} needs exactly one of {', '.join(KINDS)}; found {have}")
    return kinds[0]


def _parameters(
    source: Source, key: Key, kind: str, value: ArrayKeys, shape: Shape
) -> tuple[float, ...]:
    """Return the numbers that a generator takes, checked."""
    if value.delta is not None:
        return (float(_delta(source, key, value.delta, shape)),)
    interval = value.uniform or value.integers
    if interval is None:
        return (float(getattr(value, kind)),)
    low, high = interval
    if low > high:
        _fail(source, (*key, kind), f"{kind!r} counts down: {[low, high]}")
    if not math.isfinite(float(high) - float(low)):
        _fail(source, (*key, kind), f"{kind!r} is wider than float64 reaches: {[low, high]}")
    return low, high


def _delta(source: Source, key: Key, index: int | tuple[int, ...], shape: Shape) -> int:
    """Return the flat position of the element that is 1."""
    if isinstance(index, int):
        if index >= math.prod(shape):
            _fail(source, (*key, "delta"), f"delta {index} is outside of shape {list(shape)}")
        return index
    inside = len(index) == len(shape) and all(i < n for i, n in zip(index, shape, strict=True))
    if not inside:
        text = f"delta {list(index)} is no index into shape {list(shape)}"
        _fail(source, (*key, "delta"), text)
    flat = 0
    for i, n in zip(index, shape, strict=True):
        flat = flat * n + i
    return flat


def _file(source: Source, key: Key, value: ArrayKeys, text: str, folder: Path) -> ArraySpec:
    place = source.place((*key, "file"))
    if value.shape is not None:
        _fail(source, (*key, "shape"), "a 'file' brings its own shape")
    name, _, member = text.partition("#")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        raise CaseError(place, f"{name!r} cannot be resolved") from None
    if path == folder:
        raise CaseError(place, f"{name!r} is the case file's folder; name an array in it")
    if not inside:
        raise CaseError(place, f"{name!r} leads out of the case file's folder")
    shape = array_shape(path, member or None, place)
    return ArraySpec(
        "file", shape, file=path, member=member or None, scale=value.scale, place=place
    )


def _literal(source: Source, key: Key, value: list[Any]) -> tuple[Shape, list[float]]:
    """Return the shape and the numbers of a nested list, row by row."""
    shape: list[int] = []
    level: Any = value
    while isinstance(level, list):
        if not level:
            _fail(source, key, f"{key[0]!r} holds an empty list")
        shape.append(len(level))
        level = level[0]
    numbers: list[float] = []
    errors = CaseErrors()

    def walk(node: Any, path: Key, depth: int) -> None:
        if depth == len(shape):
            with errors.gathering():
                numbers.append(_number(source, path, node))
            if len(errors) > MOST:
                errors.refuse()
            return
        if not isinstance(node, list) or len(node) != shape[depth]:
            extent = f"{len(node)}" if isinstance(node, list) else shown(node)
            text = f"{key[0]!r} is ragged: expected {shape[depth]} here, found {extent}"
            errors.add(CaseError(source.place(path), text))
            errors.refuse()
        for index, child in enumerate(node):
            walk(child, (*path, index), depth + 1)

    if len(shape) > AXES_3D:
        _fail(source, key, f"{key[0]!r} is nested {len(shape)} deep; at most {AXES_3D}")
    walk(value, key, 0)
    errors.refuse()
    return tuple(shape), numbers


def _number(source: Source, path: Key, value: Any) -> float:
    """Return an element of an array that is written out. Raises CaseError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _fail(source, path, f"{path[0]!r}: expected a number, found {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        _fail(source, path, f"{path[0]!r}: {str(value)[:20]}… is too large")


def _fail(source: Source, path: Key, message: str) -> NoReturn:
    raise CaseError(source.place(path), message)
