"""What a recording's header holds: JSON Schema, draft 7. Its arrays are kept beside it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from convdiff.case.schema import CASE, DEVICE, EXPECTATION, Schema
from convdiff.worker.ops import OPS, REFERENCE

VERSION = 1
KIND = "convdiff recording"

_COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000_000_000}
_INDEX: Schema = {**_COUNT, "minimum": 0}
_PAIR: Schema = {"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2}
_TEXT: Schema = {"type": "string", "maxLength": 100_000}
_MAYBE: Schema = {"type": ["string", "null"]}
_FORMAT: Schema = {"enum": ["float64", "float32", "tf32", "float16", "bfloat16"]}


def _object(properties: Schema, *optional: str) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }


ARRAY: Schema = _object(
    {
        "dtype": {"enum": ["float16", "bfloat16", "float32", "float64", "int32"]},
        "shape": {"type": "array", "items": _INDEX, "maxItems": 4},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    }
)
_ORDERS: Schema = _object(
    {
        "orders": {
            "type": "array",
            "maxItems": 10_000,
            "items": _object(
                {
                    "notation": {"type": "string", "maxLength": 10_000_000},
                    "arithmetic": _object(
                        {
                            "dtype": _FORMAT,
                            "inputs": _FORMAT,
                            "accumulator": _FORMAT,
                            "early": {"type": "boolean"},
                            "zero_start": {"type": "boolean"},
                            "guard": {"type": "integer", "minimum": 0, "maximum": 64},
                        }
                    ),
                    "confirmed": {"type": "boolean"},
                }
            ),
        },
        "which": _MAYBE,
        "refusals": {
            "type": "array",
            "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
        },
    }
)
_CELL: Schema = _object(
    {
        "runtime": _INDEX,
        "op": {"enum": [*OPS, REFERENCE]},
        "length": _COUNT,
        "batch": _COUNT,
        "repeat": _INDEX,
        "output": _TEXT,
        "probes": _object(
            {
                "traits": {"type": "object", "additionalProperties": _TEXT},
                "fits": _MAYBE,
                "silent": {"type": "boolean"},
            }
        ),
        "orders": _ORDERS,
    },
    "probes",
    "orders",
)
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
_FINGERPRINT: Schema = {
    "type": "object",
    "properties": {
        "cpu_isa": {"type": "array", "items": _TEXT},
        "device_names": _TEXTS,
        "settings": _TEXTS,
    },
}
"""What is read of it; each framework says what else it has to say."""
_FAILED: Schema = _object(
    {key: _CELL["properties"][key] for key in ("runtime", "op", "length", "batch", "repeat")}
)
_RUNTIME: Schema = _object(
    {
        "framework": _TEXT,
        "device": DEVICE,
        "threads": {"anyOf": [_COUNT, {"type": "null"}]},
        "settings": {
            "type": "array",
            "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
        },
        "label": _TEXT,
        "fingerprint": _FINGERPRINT,
    }
)
_CASE: Schema = _object(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "strides": _PAIR,
        "dilations": _PAIR,
        "groups": _COUNT,
        "expect": {
            "type": "object",
            "propertyNames": {"enum": list(CASE["properties"]["expect"]["properties"])},
            "additionalProperties": {"anyOf": [EXPECTATION, {"const": "locked"}]},
        },
        "filter": _TEXT,
        "bias": _MAYBE,
        "input": _TEXT,
        "runtimes": {"type": "array", "items": _RUNTIME},
        "cells": {"type": "array", "items": _CELL, "minItems": 1},
        "failed": {"type": "array", "items": _FAILED},
    },
    "failed",
)
SCHEMA: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **_object(
        {
            "kind": {"const": KIND},
            "schema_version": {"const": VERSION},
            "tool_version": _TEXT,
            "cases": {"type": "array", "items": _CASE},
            "arrays": {"type": "object", "additionalProperties": ARRAY},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
    ),
}


@functools.cache
def validator() -> Callable[[Any], Any]:
    """Return the compiled check of a whole header."""
    import fastjsonschema

    check: Callable[[Any], Any] = fastjsonschema.compile(SCHEMA, use_default=False)
    return check
