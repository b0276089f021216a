"""The ops that can be asked of a framework: one file a family, named as the op is.

A new op is a row of OPS and a file beside this one. The file has one class, the op's geometry: a
NamedTuple of plain values (so it travels as JSON and is a key of caches) with `op`, its row here;
with `output_shape`, `windows` and what else says which inputs and weights an output element sees;
and with `tables`, from which `convdiff_worker.manual` makes its reference. `conv2d` is the pattern.
"""

from typing import Any, Dict

from .conv2d import Convolution

OPS = ("conv2d",)
"""What a framework can be asked for, each by a method of this name."""

REFERENCE = "manual"
"""Any op's reference: multiply and sum, in the same framework on the same device."""


def geometry(plain: Dict[str, Any]) -> Any:
    """Return the geometry that travelled as plain values; there is one family so far."""
    return Convolution.parsed(plain)
