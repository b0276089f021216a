"""All that decides what a step of a search gives, as a key: where one part differs, all is new."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors, digest
from convdiff.case.model import Case
from convdiff.lab.pool import Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Standing

SPOKEN = ("name", "file", "source", "layout", "built_in", "places", "of_baseline")
"""What a case is called, and how its file writes it."""
MADE = ("filter", "bias", "input", "added")
"""How its arrays came to be; the arrays themselves count."""


def key_of(kind: str, *parts: object) -> str:
    """Return the key of a step: the SHA-256 of its kind, of what decides it, and of convdiff.

    parts: plain values, arrays, frozen dataclasses, and mappings and sequences of them. Raises
    TypeError for what it does not know how to tell apart.
    """
    document = [_code(), kind, [_plain(part) for part in parts]]
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def case_facts(case: Case, tensors: Tensors) -> object:
    """Return what decides of a case: its geometry, sizes and expectations, and its arrays."""
    unspoken = [one.name for one in fields(case) if one.name not in (*SPOKEN, *MADE)]
    arrays = (tensors.filter_hwio, tensors.bias, tensors.input_nhwc, tensors.added)
    return [{name: getattr(case, name) for name in unspoken}, arrays]


def runtime_facts(standing: Standing, pool: Pool) -> object | None:
    """Return what decides of a runtime: its fingerprint, and all that its process has loaded.

    None where it can't be told, so that nothing may be known of it. To be asked before cells are
    run, which may make it load more.
    """
    interpreter = standing.runtime.interpreter
    kernel = interpreter.framework.partition(":")
    header = {"do": "identity", "beside": kernel[0] if kernel[1] else ""}
    answers = pool.ask(interpreter, header, [])
    if isinstance(answers, NoBits):
        return None
    return [
        (interpreter.framework, interpreter.python, interpreter.threads, interpreter.settings),
        str(standing.runtime.device),
        standing.fingerprint,
        answers[0],
    ]


@cache
def _code() -> str:
    """Return a digest of convdiff's own sources, and of what they compute with."""
    folder = Path(__file__).parents[1]
    sha = hashlib.sha256(f"{platform.python_version()} {np.__version__}".encode())
    for path in sorted(folder.rglob("*.py")):
        sha.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


def _plain(value: object) -> object:
    """Return a value as JSON takes it, so that unlike values are never alike. Raises TypeError."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    for kind, written in WRITTEN.items():
        if isinstance(value, kind):
            return written(value)
    if is_dataclass(value) and not isinstance(value, type):
        named = [one.name for one in fields(value) if one.compare]
        return {type(value).__name__: {name: _plain(getattr(value, name)) for name in named}}
    raise TypeError(f"a step can't be told apart by {type(value).__name__}")


WRITTEN: Mapping[Any, Callable[[Any], object]] = {
    float: lambda value: {"float": value.hex()},
    np.ndarray: lambda value: {"array": digest(value)},
    Mapping: lambda value: {"mapping": sorted([_text(k), _plain(v)] for k, v in value.items())},
    frozenset: lambda value: {"set": sorted(map(_text, value))},
    Enum: lambda value: {type(value).__name__: value.name},
}
"""What each kind of value is to JSON."""


def _text(value: object) -> str:
    return json.dumps(_plain(value), sort_keys=True)
