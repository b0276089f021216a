"""Why does the same convolution give different bits? Observe, compare, diagnose, with proof."""

from __future__ import annotations

TYPE_CHECKING = False
"""Type checkers take it for true; `typing` itself takes longest of all that is imported here."""

__version__ = "0.1.0"
__all__ = [
    "Arithmetic",
    "Case",
    "ConvdiffError",
    "Data",
    "Geometry",
    "Order",
    "Orders",
    "Result",
    "Tree",
    "assert_invariant",
    "describe",
    "described",
    "explain",
    "load_case",
    "notation",
    "parse",
    "parsed",
    "replay",
    "run",
]

if TYPE_CHECKING:
    from typing import Any

    from convdiff.api import explain, load_case, run
    from convdiff.case.model import Case
    from convdiff.errors import ConvdiffError
    from convdiff.order.geometry import Geometry
    from convdiff.order.orders import Orders
    from convdiff.order.replay.arithmetic import Arithmetic
    from convdiff.order.replay.replay import Data, Order, replay
    from convdiff.order.tree.describe import describe
    from convdiff.order.tree.describe import describe as described
    from convdiff.order.tree.notation import notation, parse
    from convdiff.order.tree.notation import parse as parsed
    from convdiff.order.tree.tree import Tree
    from convdiff.result import Result
    from convdiff.testing.invariant import assert_invariant

_HOMES = {
    "Arithmetic": "convdiff.order.replay.arithmetic:Arithmetic",
    "Case": "convdiff.case.model:Case",
    "ConvdiffError": "convdiff.errors:ConvdiffError",
    "Data": "convdiff.order.replay.replay:Data",
    "Geometry": "convdiff.order.geometry:Geometry",
    "Order": "convdiff.order.replay.replay:Order",
    "Orders": "convdiff.order.orders:Orders",
    "Result": "convdiff.result:Result",
    "Tree": "convdiff.order.tree.tree:Tree",
    "assert_invariant": "convdiff.testing.invariant:assert_invariant",
    "describe": "convdiff.order.tree.describe:describe",
    "explain": "convdiff.api:explain",
    "load_case": "convdiff.api:load_case",
    "notation": "convdiff.order.tree.notation:notation",
    "parse": "convdiff.order.tree.notation:parse",
    "replay": "convdiff.order.replay.replay:replay",
    "run": "convdiff.api:run",
    # Names of earlier versions.
    "described": "convdiff.order.tree.describe:describe",
    "parsed": "convdiff.order.tree.notation:parse",
}


def __getattr__(name: str) -> Any:
    """Import the API when it is first used: the command line must start without NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'convdiff' has no attribute {name!r}")
    import importlib

    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
