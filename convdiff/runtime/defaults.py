"""What a user's own pyproject.toml says by default, in `[tool.convdiff]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from convdiff.errors import ConvdiffError, meant
from convdiff.runtime.pyproject import RUNTIMES, nearest_table


def _words(value: Any) -> bool:
    several = value if isinstance(value, list) else [value]
    return bool(several) and all(isinstance(one, str) for one in several)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "framework": (_words, "a name, or a list of them"),
    "device": (_words, "a device, or a list of them"),
    "timeout": (_number, "a number of seconds"),
    "budget": (_number, "a number of calls"),
    "color": (_words, "auto, never or always"),
}
"""The options that may stand there, each with what its value must be."""


def find_defaults(folder: Path) -> dict[str, Any]:
    """Return the options of the nearest `[tool.convdiff]`, from a folder upwards, as words.

    Raises ConvdiffError for a key that is none, or a value of another kind.
    """
    file, table = nearest_table(folder)
    found = {}
    for key, value in table.items():
        if key == RUNTIMES:
            continue
        if key not in KEYS:
            hint = meant(key, KEYS)
            known = ", ".join((*KEYS, RUNTIMES))
            raise ConvdiffError(
                f"{file}: [tool.convdiff]: unknown key {key!r}; there is {known}{hint}"
            )
        fits, wanted = KEYS[key]
        if not fits(value):
            raise ConvdiffError(f"{file}: [tool.convdiff]: {key} must be {wanted}")
        found[key] = ",".join(value) if isinstance(value, list) else str(value)
    return found
