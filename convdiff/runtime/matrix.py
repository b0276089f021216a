"""The matrix of interpreters that a run asks for, from the command line's words."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from convdiff.errors import ConvdiffError
from convdiff.runtime.model import Interpreter

FRAMEWORKS = tuple(
    sorted(
        path.stem
        for path in (Path(__file__).parent.parent / "worker" / "frameworks").glob("[a-z]*.py")
    )
)
"""A framework is a file in worker/frameworks/."""

THIS = "this"
"""The word for convdiff's own interpreter in --python."""

Settings = tuple[tuple[str, str], ...]


def interpreters(
    frameworks: Sequence[str],
    pythons: Sequence[str],
    threads: Sequence[int],
    variations: Sequence[tuple[str, Sequence[str]]],
) -> list[Interpreter]:
    """Return the product of all that is asked for; the first is what others are compared with.

    Raises ConvdiffError for an unknown framework or a --python that can't be run.
    """
    for framework in frameworks:
        if framework not in FRAMEWORKS:
            raise ConvdiffError(
                f"unknown framework {framework!r}; there is {', '.join(FRAMEWORKS)}"
            )
    paths = [_resolve(python) for python in dict.fromkeys(pythons or [THIS])]
    labels = _labels(paths) if len(paths) > 1 else [""]
    combinations: list[Settings] = [
        tuple(zip([name for name, _ in variations], values, strict=True))
        for values in itertools.product(*[values for _, values in variations])
    ]
    return [
        Interpreter(framework, path, count or None, settings, label)
        for framework in frameworks
        for path, label in zip(paths, labels, strict=True)
        for settings in combinations
        for count in (threads or [0])
    ]


def _resolve(python: str) -> str:
    if python == THIS:
        return sys.executable
    try:
        path = Path(python).expanduser()
    except RuntimeError as error:  # ~nobody
        raise ConvdiffError(f"--python {python}: {error}") from None
    if path.is_dir():
        raise ConvdiffError(f"--python {python}: a folder; name the program in it (bin/python)")
    # Not resolved through symbolic links: a virtual environment's python is one.
    found = str(path.absolute()) if os.sep in python or path.exists() else shutil.which(python)
    if found is None or not Path(found).exists():
        raise ConvdiffError(f"--python {python}: no such program")
    if not os.access(found, os.X_OK):
        raise ConvdiffError(f"--python {python}: not executable")
    return found


def _labels(paths: Sequence[str]) -> list[str]:
    """Name each interpreter by its environment's folder, numbered where two are alike."""
    names = [THIS if path == sys.executable else Path(path).parent.parent.name for path in paths]
    return [
        name if names.count(name) == 1 else f"{name}-{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    ]
