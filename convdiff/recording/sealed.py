"""Whether a file is whole: its header's form and checksum, and those of its arrays.

The header names every array with its SHA-256, and ends with one over itself: whatever is changed,
in a payload or about it, is noticed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from convdiff.case.arrays import digest
from convdiff.numerics.parallel import mapped
from convdiff.recording.header import FileKind, H, NamesArrays
from convdiff.recording.model import RecordingError, quoted

Array = np.ndarray[Any, Any]
Plain = dict[str, Any]

SEAL = "sha256"
"""The key of the header's own checksum."""
LARGE = 1 << 20
"""Bytes of an array above which several cores take its checksum and others'."""
DEEPEST = 64
"""Levels of a header; a report of deeper ones would not end well."""


def parsed(text: str | bytes) -> Any:
    """Return what a JSON text says. Raises ValueError for NaN, Infinity and keys named twice."""
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)


def sealed(header: H, kind: FileKind[H]) -> Plain:
    """Return a header as plain values, with its checksum."""
    body = kind.header.write(header)
    return {**body, SEAL: _seal(body)}


def check_header(plain: Any, name: str, kind: FileKind[H]) -> H:
    """Return a header that is one, whole and of a version that is known; else RecordingError."""
    if not isinstance(plain, dict) or plain.get("kind") != kind.kind:
        raise RecordingError(f"{name}: not a {kind.kind}")
    version = plain.get("schema_version")
    if isinstance(version, int) and version > kind.version:
        raise RecordingError(
            f"{name}: written by a newer convdiff (schema_version {quoted(version)}, this one "
            f"reads {kind.version}); upgrade convdiff to read it"
        )
    body = {key: value for key, value in plain.items() if key != SEAL}
    try:
        _refuse_odd(body)
        header = kind.header.read(body)
        is_sound = _seal(body) == plain.get(SEAL)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{name}: damaged header: {quoted(error)}") from None
    if not is_sound:
        raise RecordingError(f"{name}: damaged, or edited by hand: its checksum does not hold")
    return header


def check_arrays(header: NamesArrays, arrays: Mapping[str, Array], file: str) -> None:
    """Raise RecordingError unless all arrays are what the header says of them."""
    for name, stored in header.arrays.items():
        if arrays[name].dtype.name != stored.dtype or arrays[name].shape != stored.shape:
            raise RecordingError(f"{file}: damaged: {quoted(name)} has another shape or dtype")
    large = [name for name in header.arrays if arrays[name].nbytes >= LARGE]
    digests = dict(zip(large, mapped(digest, [arrays[name] for name in large]), strict=True))
    for name, stored in header.arrays.items():
        if (digests.get(name) or digest(arrays[name])) != stored.sha256:
            raise RecordingError(f"{file}: damaged: the bits of {quoted(name)} changed (checksum)")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> Plain:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a key is named twice")
    return mapping


def _refuse_odd(body: Plain) -> None:
    """Raise ValueError for what JSON Schema takes for a whole number and Python does not: 1.0.

    A fingerprint may have fractions, but 1e999, which is infinite, nobody may. Nor may anything be
    nested deeply.
    """
    left: list[tuple[Any, bool, int]] = [(body, False, 0)]
    while left:
        value, free, depth = left.pop()
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        if isinstance(value, float) and not (free and math.isfinite(value)):
            raise ValueError(f"{value} is not a whole number")
        if isinstance(value, dict):
            for key, item in value.items():
                left.append((item, free or key == "fingerprint", depth + 1))
        elif isinstance(value, list):
            left += [(item, free, depth + 1) for item in value]


def _seal(body: Plain) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
