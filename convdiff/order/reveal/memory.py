"""Trees that were verified, with their vectors: the next kernel of as many terms may have them too.

It needs no trust: each is verified anew, and what is wrong falls after a call or two.
"""

from __future__ import annotations

from convdiff.order.geometry import Geometry
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.reveal.suite import Suite, can_be_verified
from convdiff.order.tree.tree import Tree

#: Trees of one kind that are kept, and so tried.
_MOST = 8


class OrderMemory:
    """Suites by number of products and of terms, most recent first."""

    def __init__(self) -> None:
        self._suites: dict[tuple[int, int], list[Suite]] = {}

    def recall(self, geometry: Geometry) -> tuple[Suite, ...]:
        """Return the suites that may belong to a kernel of this geometry, most recent first."""
        if not can_be_verified(geometry):
            return ()
        return tuple(self._suites.get((geometry.taps, geometry.leaves), ()))

    def suite(self, tree: Tree, arithmetic: Arithmetic | None = None) -> Suite:
        """Return the suite of a tree, anew where it is not kept; arithmetic: see `Suite`."""
        for suite in self._suites.get((tree.taps, tree.leaves), ()):
            if (suite.tree, suite.arithmetic) == (tree, arithmetic):
                return suite
        return Suite(tree, arithmetic)

    def keep(self, suite: Suite) -> None:
        """Keep a suite as the most recent one."""
        key = (suite.tree.taps, suite.tree.leaves)
        others = [one for one in self._suites.get(key, ()) if one is not suite]
        self._suites[key] = [suite, *others][:_MOST]
