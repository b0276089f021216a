"""What is wrong with a case file, and where: a schema violation in words."""

from __future__ import annotations

import difflib
from typing import Any

from fastjsonschema import JsonSchemaValueException

from convdiff.case.schema import CASE, Schema, compiled, validator
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError

Path = tuple[str | int, ...]

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_PYTHON: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
}


def check(source: Source) -> dict[str, Any]:
    """Return the file's mapping if it keeps the schema. Raises CaseError at the place if not."""
    if not isinstance(source.value, dict):
        found = _name(source.value)
        raise CaseError(source.place(()), f"a case is a mapping of keys; found {found}")
    try:
        validator()(source.value)
    except JsonSchemaValueException as error:
        _refuse(source, *_innermost(_path(error), error))
    return source.value


def _innermost(path: Path, error: JsonSchemaValueException) -> tuple[Path, Any]:
    """Descend into the alternative that a value of its type was meant to be."""
    while error.rule in ("anyOf", "oneOf"):
        for option in map(_resolved, error.rule_definition):
            if not _is_of(error.value, option):
                continue
            try:
                compiled(option)(error.value)
            except JsonSchemaValueException as inner:
                path, error = (*path, *_path(inner)), inner
                break
        else:
            return path, error
    return path, error


def _refuse(source: Source, path: Path, error: JsonSchemaValueException) -> None:
    key = ".".join(str(part) for part in path)
    rule, rules = error.rule, error.rule_definition
    unknown = None
    if rule in ("additionalProperties", "required"):
        known = list(error.definition["properties"])
        unknown = next((name for name in error.value if name not in known), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, known, n=1, cutoff=0.5)
        inside = f" in {key!r}" if key else ""
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        raise CaseError(
            source.place((*path, unknown, "<key>")), f"unknown key {unknown!r}{inside}; {hint}"
        )
    if rule == "required":
        missing = next(name for name in rules if name not in error.value)
        raise CaseError(source.place(path), f"{key or 'the case'} has no {missing!r}")
    found = _name(error.value)
    if rule == "enum":
        near = difflib.get_close_matches(str(error.value), rules, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        text = f"expected {' or '.join(rules)}, found {found}{hint}"
    elif rule in ("anyOf", "oneOf"):
        text = f"expected {' or '.join(map(_wanted, rules))}, found {found}"
    elif rule in ("minItems", "maxItems"):
        word = "at least" if rule == "minItems" else "at most"
        text = f"expected {word} {rules} value(s), found {len(error.value)}"
    else:
        text = f"expected {_wanted(error.definition)}, found {found}"
    raise CaseError(source.place(path), f"{key!r}: {text}")


def _wanted(schema: Schema) -> str:
    """Describe what a schema takes."""
    schema = _resolved(schema)
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if "const" in schema:
        return "true"
    if "pattern" in schema:
        return str(schema["description"])
    text = _TYPES[schema["type"]]
    if "minimum" in schema:
        text += f" of {schema['minimum']} or more"
    if "maximum" in schema:
        most = schema["maximum"]
        text += f" (at most {'10^9' if most == 1_000_000_000 else most})"
    return text


def _name(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "nothing"}[value]
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _is_of(value: Any, schema: Schema) -> bool:
    wanted = _PYTHON.get(schema.get("type", ""))
    return wanted is not None and isinstance(value, wanted) and not isinstance(value, bool)


def _resolved(schema: Schema) -> Schema:
    return CASE["definitions"]["array"] if "$ref" in schema else schema


def _path(error: JsonSchemaValueException) -> Path:
    """Return the way to the value; list positions come as text and are made numbers."""
    return tuple(int(part) if part.isdigit() else part for part in error.path[1:])
