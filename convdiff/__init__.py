"""Why does the same convolution give different bits? Observe, compare, diagnose, with proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["assert_invariant", "described", "explain", "notation", "parsed", "replay"]

if TYPE_CHECKING:
    from convdiff.api import explain
    from convdiff.order.replay.replay import replay
    from convdiff.order.tree.describe import described
    from convdiff.order.tree.notation import notation, parsed
    from convdiff.testing.invariant import assert_invariant

_HOMES = {
    "assert_invariant": "convdiff.testing.invariant",
    "explain": "convdiff.api",
    "described": "convdiff.order.tree.describe",
    "notation": "convdiff.order.tree.notation",
    "parsed": "convdiff.order.tree.notation",
    "replay": "convdiff.order.replay.replay",
}


def __getattr__(name: str) -> Any:
    """Import the API when it is first used: the command line must start without NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'convdiff' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
