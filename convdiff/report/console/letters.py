"""The letters by which `convdiff explain` calls the orders of an output."""

from __future__ import annotations

from string import ascii_letters, digits

from convdiff.order.orders import Orders


def letters(explanation: Orders) -> list[str]:
    """Return a letter for each order; the rare ones after the 62nd share a plus sign."""
    names = ascii_letters + digits + "+" * len(explanation.orders)
    return list(names[: len(explanation.orders)])
