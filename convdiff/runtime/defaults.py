"""What a user's own pyproject.toml says by default, in `[tool.convdiff]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from convdiff.errors import CaseError, CaseErrors, Place, meant
from convdiff.runtime.pyproject import RUNTIMES, nearest_table


def _words(value: Any) -> bool:
    several = value if isinstance(value, list) else [value]
    return bool(several) and all(isinstance(one, str) for one in several)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "framework": (_words, "a name, or a list of them"),
    "device": (_words, "a device, or a list of them"),
    "timeout": (_number, "a number of seconds"),
    "budget": (_whole, "a whole number of calls"),
    "color": (_words, "auto, never or always"),
}
"""The options that may stand there, each with what its value must be."""


def find_defaults(folder: Path) -> tuple[Path, dict[str, str]]:
    """Return the file of the nearest `[tool.convdiff]` from a folder upwards, its options as words.

    Raises CaseError for all keys that are none, and values of another kind.
    """
    file, table = nearest_table(folder)
    options, errors = {}, CaseErrors()
    for key, value in table.items():
        if key == RUNTIMES:
            continue
        fault = _fault(key, value)
        if fault:
            errors.add(CaseError(Place(str(file)), f"[tool.convdiff]: {fault}"))
        options[key] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    errors.refuse()
    return file, options


def _fault(key: str, value: Any) -> str:
    """Say what is wrong with a key or with its value's kind, or nothing."""
    if key not in KEYS:
        known = ", ".join((*KEYS, RUNTIMES))
        return f"unknown key {key!r}; there is {known}{meant(key, KEYS)}"
    fits, wanted = KEYS[key]
    return "" if fits(value) else f"{key} must be {wanted}"
