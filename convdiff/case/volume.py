"""3-D convolutions, which convdiff does not run: refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError

AXES_3D = 5
"""Axes of a 3-D convolution's filter and input."""

NAMES = {
    ("filter", "nhwc"): "DHWIO",
    ("input", "nhwc"): "NDHWC",
    ("filter", "nchw"): "OIDHW",
    ("input", "nchw"): "NCDHW",
}


def three_d(key: object, value: Mapping[str, Any]) -> str:
    """Say what five axes of a filter or an input are, and what can be run.

    value: the case's, for how its arrays lie.
    """
    what = NAMES.get((str(key), str(value.get("layout"))), NAMES.get((str(key), "nhwc")))
    named = f" ({what} {key})" if what else ""
    return f"a 3-D convolution{named}; convdiff runs 2-D ones, and 1-D as height 1"


def refuse_3d(source: Source) -> None:
    """Raise CaseError where a case gives its filter or input a shape of five axes."""
    for key in ("filter", "input"):
        given = source.value.get(key)
        shape = given.get("shape") if isinstance(given, dict) else None
        if isinstance(shape, list) and len(shape) == AXES_3D:
            raise CaseError(source.place((key, "shape")), three_d(key, source.value))
