"""The JSON Schema of case files: a convolution's, and a net's where it has layers."""

from __future__ import annotations

from typing import Any

from convdiff.case.forms import Schema
from convdiff.case.keys import ARRAY, CASE, PADDING, STEPS
from convdiff.case.net_keys import NET

_SHARED = {"array": ARRAY.schema(), "padding": PADDING.schema(), "steps": STEPS.schema()}
"""What stands in every layer."""


def json_schema() -> Schema:
    """Return the JSON Schema of a case file, draft 7."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "convdiff case",
        "description": "A convolution, or a net, the inputs it is run on, and what is expected.",
        "if": {"type": "object", "required": ["layers"]},
        "then": _named(NET.schema()),
        "else": CASE.schema(),
        "definitions": _SHARED,
    }


def _named(schema: Any) -> Any:
    """Return a schema with what is shared named, and written once."""
    for name, shared in _SHARED.items():
        if schema == shared:
            return {"$ref": f"#/definitions/{name}"}
    if isinstance(schema, dict):
        return {key: _named(value) for key, value in schema.items()}
    return [_named(one) for one in schema] if isinstance(schema, list) else schema
