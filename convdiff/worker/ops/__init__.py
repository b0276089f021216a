"""The ops that can be asked of a framework, and their geometry.

A new op is a row of OPS, in `convolution`. Its geometry is a NamedTuple of plain values (so it
travels as JSON and is a key of caches) with `op`, its row there; with `output_shape`, `windows`
and what else says which inputs and weights an output element sees; and with `tables`, from which
`convdiff_worker.manual` makes its reference.
"""

from typing import Any, Dict

from .convolution import OPS, Convolution

__all__ = ["OPS", "REFERENCE", "geometry"]

REFERENCE = "manual"
"""Any op's reference: multiply and sum, in the same framework on the same device."""


def geometry(plain: Dict[str, Any]) -> Any:
    """Return the geometry that travelled as plain values; there is one family so far."""
    return Convolution.parsed(plain)
