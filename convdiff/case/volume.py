"""Arrays of a 3-D convolution in a case of fewer dimensions: refused by what they look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError
from convdiff.worker.ops import OPS

AXES_3D = 5
"""Axes of a 3-D convolution's filter and input."""

NAMES = {
    ("filter", "nhwc"): "DHWIO",
    ("input", "nhwc"): "NDHWC",
    ("filter", "nchw"): "OIDHW",
    ("input", "nchw"): "NCDHW",
}


def three_d(key: object, value: Mapping[str, Any]) -> str:
    """Say what five axes of a filter or an input are, and how they are run.

    value: the case's, for how its arrays lie.
    """
    what = NAMES.get((str(key), str(value.get("layout"))), NAMES.get((str(key), "nhwc")))
    named = f" ({what} {key})" if what else ""
    return f"a 3-D convolution{named}: `op: conv3d`"


def refuse_3d(source: Source) -> None:
    """Raise CaseError where a case gives its filter or input a shape of five axes."""
    if OPS.get(str(source.value.get("op", "conv2d")), 0) == AXES_3D - 2:
        return
    for key in ("filter", "input"):
        given = source.value.get(key)
        shape = given.get("shape") if isinstance(given, dict) else None
        if isinstance(shape, list) and len(shape) == AXES_3D:
            raise CaseError(source.place((key, "shape")), three_d(key, source.value))
