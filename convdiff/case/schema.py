"""The case file's schema: what keys there are, what each may hold. JSON Schema, draft 7.

It is data, so that what is checked here, what `convdiff schema` prints and what an editor knows
are the same. fastjsonschema checks it: it imports in a fraction of the time of other schema
libraries, which is what a bad file's error waits for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from convdiff.case.axes import AXES
from convdiff.case.device import PATTERN

Schema = dict[str, Any]

DEVICE: Schema = {
    "type": "string",
    "pattern": PATTERN,
    "description": "cpu, gpu or gpu:N, with modes as in cpu+xla",
}
POSITIVE: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000_000_000}
RANGE: Schema = {
    "type": "string",
    "pattern": r"^[\d.,:\s]+$",
    "description": "a range such as 7..20 or 7..2000:7",
}
WHOLE_NUMBERS: Schema = {
    "anyOf": [
        POSITIVE,
        RANGE,
        {"type": "array", "items": {"anyOf": [POSITIVE, RANGE]}, "minItems": 1},
    ]
}
PAIR: Schema = {
    "anyOf": [POSITIVE, {"type": "array", "items": POSITIVE, "minItems": 2, "maxItems": 2}]
}
NUMBERS: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}

ARRAY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "normal": {
            "type": "number",
            "minimum": 0,
            "description": "standard deviation; the mean is 0",
        },
        "uniform": {**NUMBERS, "description": "[low, high)"},
        "integers": {
            **NUMBERS,
            "items": {"type": "integer", "minimum": -(2**53), "maximum": 2**53},
            "description": "[low, high], both included",
        },
        "ones": {"const": True},
        "zeros": {"const": True},
        "delta": {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "array", "items": {"type": "integer", "minimum": 0}},
            ],
            "description": "which element is 1: its place in C order, or its index",
        },
        "ramp": {"type": "number", "description": "step·t along the length"},
        "file": {
            "type": "string",
            "description": ".npy or .npz beside the case file; name.npz#member",
        },
        "shape": {"type": "array", "items": POSITIVE, "minItems": 1, "maxItems": 4},
        "seed": {"type": "integer", "minimum": 0, "description": "of numpy.random.default_rng"},
        "scale": {"type": "number", "description": "multiplies every value"},
    },
}
KINDS = ("normal", "uniform", "integers", "ones", "zeros", "delta", "ramp", "file")

EXPECTATION: Schema = {
    "anyOf": [
        {"enum": ["bitwise", "rounding", "anything"]},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["ulps"],
            "properties": {"ulps": {"type": "integer", "minimum": 0, "maximum": 2**53}},
        },
    ]
}


def _expect() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "description": "what may differ along each axis",
        "properties": {
            **{axis: {**EXPECTATION, "default": facts.expect} for axis, facts in AXES.items()},
            "order": {
                "enum": ["locked", "anything"],
                "default": "anything",
                "description": "locked: a summation order other than the baseline's is drift",
            },
        },
    }


def _array(description: str) -> Schema:
    return {
        "anyOf": [{"type": "array", "minItems": 1}, {"$ref": "#/definitions/array"}],
        "description": description,
    }


CASE: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "convdiff case",
    "description": "A convolution, the inputs it is run on, and what is expected of it.",
    "type": "object",
    "additionalProperties": False,
    "required": ["filter", "input"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "source": {"type": "string", "description": "where it was reported"},
        "filter": _array("HWIO; a flat list is (1, k, 1, 1), a 2-D one (kh, kw, 1, 1)"),
        "bias": _array("one value an output channel"),
        "input": _array("NHWC at the longest length; a flat list is one row"),
        "lengths": {**WHOLE_NUMBERS, "description": "input widths: 7, 7..20, [7, 8, 9]"},
        "device": DEVICE,
        "devices": {
            "type": "array",
            "minItems": 1,
            "items": DEVICE,
        },
        "height": {**POSITIVE, "description": "rows of the input; default: the filter's"},
        "batch": {**WHOLE_NUMBERS, "description": "batch sizes: 1, [1, 8]"},
        "channels": {**POSITIVE, "description": "input channels, as a check"},
        "strides": {**PAIR, "description": "one number or [height, width]"},
        "dilations": {**PAIR, "description": "one number or [height, width]"},
        "groups": POSITIVE,
        "dtype": {"enum": ["float32", "float64", "float16", "bfloat16"]},
        "padding": {"enum": ["VALID"]},
        "repeat": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "expect": _expect(),
    },
    "definitions": {"array": ARRAY},
}


def json_schema() -> Schema:
    """Return the JSON Schema of a case file."""
    return CASE


@functools.cache
def validator() -> Callable[[Any], Any]:
    """Return the compiled check of a whole case file."""
    return compiled(CASE)


def compiled(schema: Schema) -> Callable[[Any], Any]:
    """Compile a schema, or a part of this one."""
    import fastjsonschema

    whole = schema if schema is CASE else {**schema, "definitions": CASE["definitions"]}
    check: Callable[[Any], Any] = fastjsonschema.compile(whole, use_default=False)
    return check
