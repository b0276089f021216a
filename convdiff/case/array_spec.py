"""Arrays as the case file writes them: nested lists, generators and files, checked unmade."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NoReturn

from convdiff.case.model import ArraySpec
from convdiff.case.npy import array_shape
from convdiff.case.schema import KINDS
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError

Raw = dict[str, Any]
Key = tuple[str | int, ...]


def read_shape(
    source: Source, key: Key, value: list[Any] | Raw, folder: Path
) -> tuple[int, ...] | None:
    """Return the shape that the file gives this array, or None where it leaves it open."""
    if isinstance(value, list):
        return _literal(source, key, value)[0]
    if "shape" in value:
        return _shape(value)
    if "file" in value:
        return read_array(source, key, value, folder, None).shape
    return None


def read_array(
    source: Source,
    key: Key,
    value: list[Any] | Raw,
    folder: Path,
    shape: tuple[int, ...] | None,
) -> ArraySpec:
    """Check one array and return how it is made; `shape` serves where the file gives none."""
    place = source.place(key)
    if isinstance(value, list):
        own_shape, numbers = _literal(source, key, value)
        return ArraySpec("values", own_shape, tuple(numbers), place=place)
    kinds = [kind for kind in KINDS if kind in value]
    if len(kinds) != 1:
        found = " and ".join(kinds) if kinds else "none"
        _fail(source, key, f"{key[0]!r} needs exactly one of {', '.join(KINDS)}; found {found}")
    kind = kinds[0]
    if kind == "file":
        return _file(source, key, value, folder)
    own = _shape(value) if "shape" in value else shape
    if own is None:
        _fail(source, key, f"{key[0]!r} needs a 'shape' with {kind!r}")
    parameter = value[kind]
    values = tuple(parameter) if isinstance(parameter, list) else (float(parameter),)
    if kind in ("uniform", "integers") and values[0] > values[1]:
        _fail(source, (*key, kind), f"{kind!r} counts down: {list(values)}")
    if kind == "uniform" and not math.isfinite(values[1] - values[0]):
        _fail(source, (*key, kind), f"{kind!r} is wider than float64 reaches: {list(values)}")
    if kind == "delta":
        values = (float(_delta(source, key, parameter, own)),)
    return ArraySpec(
        kind, own, values, seed=int(value.get("seed", 0)), scale=_scale(value), place=place
    )


def _shape(value: Raw) -> tuple[int, ...]:
    return tuple(int(extent) for extent in value["shape"])


def _scale(value: Raw) -> float:
    return float(value.get("scale", 1.0))


def _delta(source: Source, key: Key, index: float | list[int], shape: tuple[int, ...]) -> int:
    """Return the flat position of the element that is 1."""
    if not isinstance(index, list):
        if index >= math.prod(shape):
            _fail(source, (*key, "delta"), f"delta {index} is outside of shape {list(shape)}")
        return int(index)
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        _fail(source, (*key, "delta"), f"delta {index} is no index into shape {list(shape)}")
    flat = 0
    for i, n in zip(index, shape, strict=True):
        flat = flat * n + int(i)
    return flat


def _file(source: Source, key: Key, value: Raw, folder: Path) -> ArraySpec:
    place = source.place((*key, "file"))
    if "shape" in value:
        _fail(source, (*key, "shape"), "a 'file' brings its own shape")
    name, _, member = str(value["file"]).partition("#")
    path = folder / name
    root = folder.resolve()
    try:
        inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        raise CaseError(place, f"{name!r} cannot be resolved") from None
    if not inside:
        raise CaseError(place, f"{name!r} leads out of the case file's folder")
    shape = array_shape(path, member or None, place)
    return ArraySpec(
        "file", shape, file=path, member=member or None, scale=_scale(value), place=place
    )


def _literal(source: Source, key: Key, value: list[Any]) -> tuple[tuple[int, ...], list[float]]:
    """Return the shape and the numbers of a nested list, row by row."""
    shape: list[int] = []
    level: Any = value
    while isinstance(level, list):
        if not level:
            _fail(source, key, f"{key[0]!r} holds an empty list")
        shape.append(len(level))
        level = level[0]
    numbers: list[float] = []

    def walk(node: Any, path: Key, depth: int) -> None:
        if depth == len(shape):
            if isinstance(node, bool) or not isinstance(node, int | float):
                what = "a list" if isinstance(node, list) else repr(node)
                _fail(source, path, f"{key[0]!r}: expected a number, found {what}")
            try:
                numbers.append(float(node))
            except OverflowError:
                _fail(source, path, f"{key[0]!r}: {str(node)[:20]}… is too large")
            return
        if not isinstance(node, list) or len(node) != shape[depth]:
            found = f"{len(node)}" if isinstance(node, list) else f"{node!r}"
            _fail(
                source, path, f"{key[0]!r} is ragged: expected {shape[depth]} here, found {found}"
            )
        for index, child in enumerate(node):
            walk(child, (*path, index), depth + 1)

    if len(shape) > 4:
        _fail(source, key, f"{key[0]!r} is nested {len(shape)} deep; at most 4")
    walk(value, key, 0)
    return tuple(shape), numbers


def _fail(source: Source, path: Key, message: str) -> NoReturn:
    raise CaseError(source.place(path), message)
