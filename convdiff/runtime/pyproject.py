"""Runtimes that a user's own pyproject.toml names, in `[tool.convdiff.runtimes.NAME]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convdiff.case.device import Device
from convdiff.errors import ConvdiffError
from convdiff.runtime.model import Unnamed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = ("python", "framework", "device", "env", "requires")


@dataclass(frozen=True)
class NamedRuntime:
    """One table: what it asks for."""

    name: str
    framework: str = "tensorflow"
    python: str | None = None
    """None is convdiff's own; a relative path starts at the file's folder."""
    device: Device | Unnamed = Unnamed.THE_CASES
    env: tuple[tuple[str, str], ...] = ()
    requires: tuple[str, ...] = ()


def find_runtimes(folder: Path) -> Mapping[str, NamedRuntime]:
    """Return the runtimes of the nearest pyproject.toml that names any, from a folder upwards.

    Raises ConvdiffError for a table that is not as it must be.
    """
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            document = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ConvdiffError(f"{file}: {error}") from None
        tables: Any = document
        for key in ("tool", "convdiff", "runtimes"):
            tables = tables.get(key, {})
            if not isinstance(tables, dict):
                raise ConvdiffError(f"{file}: {key}: expected a table")
        if tables:
            return {name: _read(file, name, table) for name, table in tables.items()}
    return {}


def _read(file: Path, name: str, table: Any) -> NamedRuntime:
    def refuse(said: str) -> ConvdiffError:
        return ConvdiffError(f"{file}: [tool.convdiff.runtimes.{name}]: {said}")

    if not isinstance(table, dict):
        raise refuse("expected a table")
    for key, value in table.items():
        if key not in KEYS:
            raise refuse(f"unknown key {key!r}; there is {', '.join(KEYS)}")
        if key in ("python", "framework", "device") and not isinstance(value, str):
            raise refuse(f"{key} must be text")
    try:
        device = Device.parse(table["device"]) if table.get("device") else Unnamed.THE_CASES
    except ValueError as error:
        raise refuse(str(error)) from None
    env = table.get("env", {})
    if not isinstance(env, dict) or not all(isinstance(v, (str, int)) for v in env.values()):
        raise refuse('env must be a table of text, as in {TF_ENABLE_ONEDNN_OPTS = "0"}')
    if not all(re.fullmatch(r"[A-Za-z_]\w*", n) and "\0" not in str(v) for n, v in env.items()):
        raise refuse("env holds what no environment can: a name with other signs, or a NUL")
    requires = table.get("requires", [])
    requires = [requires] if isinstance(requires, str) else requires
    if not isinstance(requires, list) or not all(_is_requirement(text) for text in requires):
        raise refuse('requires must be requirements, as in ["tensorflow>=2.9"]')
    python = table.get("python")
    if python is not None and "/" in python:
        try:
            python = str(file.parent / Path(python).expanduser())
        except RuntimeError as error:  # ~nobody
            raise refuse(f"python {python}: {error}") from None
    return NamedRuntime(
        name,
        table.get("framework", "tensorflow"),
        python,
        device,
        tuple((key, str(value)) for key, value in env.items()),
        tuple(requires),
    )


def _is_requirement(text: Any) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except (InvalidRequirement, TypeError):
        return False
    return True
