"""Runtimes that a user's own pyproject.toml names, in `[tool.convdiff.runtimes.NAME]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from convdiff.case.device import Device
from convdiff.case.forms import (
    As,
    Form,
    MisfitError,
    Schema,
    Text,
    UnexpectedError,
    UnknownKeyError,
)
from convdiff.case.record import record
from convdiff.errors import CaseError, CaseErrors, ConvdiffError, Place, meant
from convdiff.runtime.model import Unnamed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


RUNTIMES = "runtimes"
"""The key of `[tool.convdiff]` that holds them."""


class Environment(Form[tuple[tuple[str, str], ...]]):
    """Variables, with text or whole numbers."""

    kinds, wanted = (dict,), 'a table of text, as in {TF_ENABLE_ONEDNN_OPTS = "0"}'

    def fits(self, value: dict[str, Any]) -> bool:
        """See Form."""
        return all(isinstance(one, str | int) for one in value.values())

    def read(self, value: Any) -> tuple[tuple[str, str], ...]:
        """See Form."""
        variables: Any = super().read(value)
        pairs = tuple((name, str(one)) for name, one in variables.items())
        for name, text in pairs:
            if not re.fullmatch(r"[A-Za-z_]\w*", name) or "\0" in text:
                words = "holds what no environment can: a name with other signs, or a NUL"
                raise MisfitError(f"env {words}")
        return pairs

    def schema(self) -> Schema:
        """See Form."""
        return {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}


class Requirements(Form[tuple[str, ...]]):
    """Requirements as packages have them: one, or several."""

    kinds, wanted = (str, list), 'requirements, as in ["tensorflow>=2.9"]'

    def fits(self, value: str | list[Any]) -> bool:
        """See Form."""
        return all(map(_is_requirement, [value] if isinstance(value, str) else value))

    def read(self, value: Any) -> tuple[str, ...]:
        """See Form."""
        requirements: Any = super().read(value)
        return (value,) if isinstance(value, str) else tuple(requirements)

    def schema(self) -> Schema:
        """See Form; what a requirement may say no schema can."""
        text = {"type": "string"}
        return {"anyOf": [text, {"type": "array", "items": text}]}


def _device(text: str) -> Device | Unnamed:
    return Device.parse(text) if text else Unnamed.THE_CASES


@dataclass(frozen=True)
class NamedRuntime:
    """One table: what it asks for."""

    name: str
    python: Annotated[str | None, Text()] = None
    """None is convdiff's own, or that of an environment made for what is required; a relative path
    starts at the file's folder."""
    framework: Annotated[str, Text()] = "tensorflow"
    device: Annotated[Device | Unnamed, As(Text(), _device)] = Unnamed.THE_CASES
    env: Annotated[tuple[tuple[str, str], ...], Environment()] = ()
    requires: Annotated[tuple[str, ...], Requirements()] = ()
    table: str = field(default="", compare=False)
    """Its file and table, for errors."""


def find_runtimes(folder: Path) -> Mapping[str, NamedRuntime]:
    """Return the runtimes of the nearest pyproject.toml that names any, from a folder upwards.

    Raises CaseError for all in its tables that is not as it must be.
    """
    file, table = nearest_table(folder, RUNTIMES)
    runtimes, errors = {}, CaseErrors()
    for name, one in table.items():
        with errors.gathering():
            runtimes[name] = _read(file, name, one)
    errors.refuse()
    return runtimes


def nearest_table(folder: Path, *below: str) -> tuple[Path, Mapping[str, Any]]:
    """Return the nearest `[tool.convdiff]` that holds anything, or a table below it, and its file.

    Searched from a folder upwards; ({}, and the folder's own file) where there is none.
    """
    for parent in (folder, *folder.parents):
        file = parent / "pyproject.toml"
        table = _table(file, ("tool", "convdiff", *below)) if file.is_file() else {}
        if table:
            return file, table
    return folder / "pyproject.toml", {}


def _table(file: Path, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a table of a file; empty where it has none."""
    try:
        table: Any = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConvdiffError(f"{file}: {error}") from None
    for key in keys:
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise ConvdiffError(f"{file}: {key}: expected a table")
    return dict(table)


def _read(file: Path, name: str, table: Any) -> NamedRuntime:
    where = f"[tool.convdiff.runtimes.{name}]"

    def refusal(words: str) -> CaseError:
        return CaseError(Place(str(file)), f"{where}: {words}")

    if not isinstance(table, dict):
        raise refusal("expected a table")
    errors = CaseErrors()
    try:
        runtime = record(NamedRuntime, name=name, table=f"{file}: {where}").read(table)
    except MisfitError as error:
        for misfit in error.all:
            errors.add(refusal(_words_of(misfit)))
    errors.refuse()
    if runtime.python is None or "/" not in runtime.python:
        return runtime
    try:
        return replace(runtime, python=str(file.parent / Path(runtime.python).expanduser()))
    except RuntimeError as error:  # ~nobody
        raise refusal(f"python {runtime.python}: {error}") from None


def _words_of(misfit: MisfitError) -> str:
    """Say what is wrong in a table as TOML's users do."""
    if isinstance(misfit, UnknownKeyError):
        known = ", ".join(misfit.known)
        return f"unknown key {misfit.name!r}; there is {known}{meant(misfit.name, misfit.known)}"
    if isinstance(misfit, UnexpectedError):
        return f"{misfit.path[0]} must be {misfit.wanted}"
    return misfit.words


def _is_requirement(text: Any) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except (InvalidRequirement, TypeError):
        return False
    return True
