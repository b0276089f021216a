"""The matrix of interpreters that a run asks for, from the command line's words."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from convdiff.case.device import Device
from convdiff.errors import ConvdiffError, meant
from convdiff.runtime.model import Interpreter, Unnamed
from convdiff.runtime.pyproject import NamedRuntime

_FOLDER = Path(__file__).parent.parent / "worker" / "frameworks"
FRAMEWORKS = tuple(sorted(path.stem for path in _FOLDER.glob("[a-z]*.py")))
"""A framework is a file in worker/frameworks/."""

ALIASES = {
    "tf": "tensorflow",
    "keras": "tensorflow",
    "pytorch": "torch",
    "onnx": "onnxruntime",
    "ort": "onnxruntime",
    "flax": "jax",
    "np": "numpy",
    "ov": "openvino",
    "tensorflow-lite": "tflite",
    "litert": "tflite",
}
"""What people also call a framework, or what runs in it."""

ENTRY_POINTS = "convdiff.frameworks"
"""The group of entry points in which packages name their frameworks."""

THIS = "this"
"""The word for convdiff's own interpreter in --python."""

Settings = tuple[tuple[str, str], ...]


def packaged_frameworks() -> list[str]:
    """Return the frameworks that packages beside convdiff bring."""
    from importlib.metadata import entry_points

    return sorted(point.name for point in entry_points(group=ENTRY_POINTS))


def interpreters(
    frameworks: Sequence[str],
    pythons: Sequence[str],
    threads: Sequence[int],
    variations: Sequence[tuple[str, Sequence[str]]],
    named: Sequence[NamedRuntime] = (),
) -> list[Interpreter]:
    """Return the product of all that is asked for, then the named ones; the first is the baseline.

    frameworks: each a name, `name:device+mode`, or an own kernel's `module:function`. Raises
    ConvdiffError for a --python that can't be run.
    """
    paths = [_resolve(python, "--python") for python in dict.fromkeys(pythons or [THIS])]
    labels = _labels(paths) if len(paths) > 1 else [""]
    counts = [count or None for count in threads] or [None]
    asked = itertools.product(
        _by_framework(frameworks).items(),
        zip(paths, labels, strict=True),
        _combinations(variations),
        counts,
    )
    matrix = [
        Interpreter(framework, path, count, settings, label, devices)
        for (framework, devices), (path, label), settings, count in asked
    ]
    for one in named:
        matrix += [_named(one, count) for count in counts]
    return matrix


def _combinations(variations: Sequence[tuple[str, Sequence[str]]]) -> list[Settings]:
    """Return every way to give each variable one of its values."""
    pairs = [[(name, value) for value in values] for name, values in variations]
    return list(itertools.product(*pairs))


def split_spec(spec: str) -> tuple[str, Device | Unnamed]:
    """Split `torch:cpu+channels_last` into framework and device, which may be left to the case.

    An own kernel's `module:function` is all framework.
    """
    name, _, rest = spec.partition(":")
    try:
        return name, Device.parse(rest)
    except ValueError:
        return spec, Unnamed.THE_CASES


def refuse_unknown(framework: str, where: str = "") -> None:
    """Raise ConvdiffError for a framework's name that is none; an own kernel's has a colon.

    where: what names it, before the message.
    """
    if ":" in framework or framework in FRAMEWORKS:
        return
    there = (*FRAMEWORKS, *packaged_frameworks())
    if framework not in there:
        text = f"{where}unknown framework {framework!r}; there is {', '.join(there)}"
        raise ConvdiffError(text + meant(framework, there, ALIASES))


def _by_framework(specs: Sequence[str]) -> dict[str, tuple[Device | Unnamed, ...]]:
    """Return the devices asked of each framework, in the order of their first mention."""
    asked: dict[str, list[Device | Unnamed]] = {}
    for framework, device in map(split_spec, specs):
        refuse_unknown(framework)
        asked.setdefault(framework, []).append(device)
    return {name: tuple(devices) for name, devices in asked.items()}


def _named(one: NamedRuntime, threads: int | None) -> Interpreter:
    refuse_unknown(one.framework, f"{one.table}: ")
    where = f"{one.table}: python"
    return Interpreter(
        one.framework,
        _resolve(one.python or THIS, where),
        threads,
        one.env,
        one.name,
        (one.device,),
        one.requires,
        where,
    )


def _resolve(python: str, option: str) -> str:
    if python == THIS:
        return sys.executable
    try:
        path = Path(python).expanduser()
    except RuntimeError as error:  # ~nobody
        raise ConvdiffError(f"{option} {python}: {error}") from None
    if path.is_dir():
        raise ConvdiffError(f"{option} {python}: a folder; name the program in it (bin/python)")
    # Not resolved through symbolic links: a virtual environment's python is one.
    program = str(path.absolute()) if os.sep in python or path.exists() else shutil.which(python)
    if program is None or not Path(program).exists():
        raise ConvdiffError(f"{option} {python}: no such program{meant(python, (THIS,))}")
    if not os.access(program, os.X_OK):
        raise ConvdiffError(f"{option} {python}: not executable")
    return program


def _labels(paths: Sequence[str]) -> list[str]:
    """Name each interpreter by its environment's folder, numbered where two are alike."""
    names = list(map(_name_of, paths))
    labels = []
    for index, name in enumerate(names, 1):
        number = f"-{names[:index].count(name)}" if names.count(name) > 1 else ""
        labels.append(name + number)
    return labels


def _name_of(path: str) -> str:
    return THIS if path == sys.executable else Path(path).parent.parent.name
