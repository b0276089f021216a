"""The letters by which `convdiff explain` calls the orders of an output."""

from __future__ import annotations

from string import ascii_letters, digits

from convdiff.order.orders import Orders


def letters(explanation: Orders) -> list[str]:
    """Return a letter for each order, one for those that are told together.

    The rare ones after the 62nd share a plus sign.
    """
    names = ascii_letters + digits + "+" * len(explanation.orders)
    named = [""] * len(explanation.orders)
    for name, group in zip(names, explanation.alike, strict=False):
        for number in group:
            named[number] = name
    return named
