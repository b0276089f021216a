"""Why does the same convolution give different bits? Observe, compare, diagnose, with proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "assert_invariant",
    "describe",
    "described",
    "explain",
    "notation",
    "parse",
    "parsed",
    "replay",
]

if TYPE_CHECKING:
    from convdiff.api import explain
    from convdiff.order.replay.replay import replay
    from convdiff.order.tree.describe import describe
    from convdiff.order.tree.describe import describe as described
    from convdiff.order.tree.notation import notation, parse
    from convdiff.order.tree.notation import parse as parsed
    from convdiff.testing.invariant import assert_invariant

_HOMES = {
    "assert_invariant": "convdiff.testing.invariant:assert_invariant",
    "explain": "convdiff.api:explain",
    "describe": "convdiff.order.tree.describe:describe",
    "notation": "convdiff.order.tree.notation:notation",
    "parse": "convdiff.order.tree.notation:parse",
    "replay": "convdiff.order.replay.replay:replay",
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
