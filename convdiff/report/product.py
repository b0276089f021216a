"""Which product of sizes a change is at, in words, with every shape that was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.words import given
from convdiff.search.product import CONFIRMED, Product, Trial
from convdiff.search.shape import LETTERS, Shape, SizeAxis

MEETS = {
    "product": "the same product",
    "alone": "the same size",
    "elsewhere": "another size",
    "nowhere": "no one change",
}


def product_lines(product: Product) -> Iterator[str]:
    """Yield whether the change is at a product of sizes, then the shapes that say so or not."""
    yield f"  product  {_claim(product)}"
    trials = (*product.trials, *product.finest)
    yield from (f"           {_trial(trial, product)}" for trial in trials)


def letters(axes: Sequence[SizeAxis]) -> str:
    """Write a product's factors in the order N·C·H·W."""
    return "·".join(letter for axis, letter in LETTERS.items() if axis in axes)


def _claim(product: Product) -> str:
    name = letters(product.axes)
    if product.is_claimed:
        limits = f"{product.before:,}"
        if product.after > product.before + 1:
            limits = f"a limit from {product.before:,} to {product.after - 1:,}"
        words = f"{product.confirmed} other shapes change there, too"
        return f"{name} above {limits}{_only_at(product)}: {words}"
    if product.is_alone:
        return f"none: {name} alone; {len(product.trials)} other shapes change at the same size"
    if len(product.axes) > 1:
        count = f"{product.confirmed} other shapes of {CONFIRMED} that it takes"
        return f"not claimed: {name} above {product.before:,} fits {count}"
    return "none that other shapes confirm"


def _only_at(product: Product) -> str:
    """Name the sizes of which nothing is known but at one value: no factor, nor without effect."""
    base, unknown = _base(product), []
    for axis, letter in LETTERS.items():
        if axis not in product.axes and _has_no_change(product, axis):
            unknown.append(f"{letter}={base[axis]}")
    return given(", ".join(unknown), " at {}")


def _base(product: Product) -> Shape:
    """Return the shape whose change is at the product."""
    return next(trial.shape for trial in product.trials if trial.meets == "product")


def _has_no_change(product: Product, axis: SizeAxis) -> bool:
    """Return whether a shape that varies one axis changed at neither size nor product."""
    base = _base(product)
    singles = product.trials[: product.singles]
    varying = [one for one in singles if one.shape[axis] != base[axis]]
    return any(one.meets in ("nowhere", "elsewhere") for one in varying)


def _trial(trial: Trial, product: Product) -> str:
    """Say where a shape changes, with both neighbours."""
    axis, (last, first) = product.axis, trial.sizes
    others = " ".join(f"{LETTERS[one]}={trial.shape[one]}" for one in LETTERS if one != axis)
    between = "to" if trial.meets == "nowhere" else "|"
    where = MEETS[trial.meets]
    if trial.meets == "product":
        before, after = (trial.shape.at(axis, size).product(product.axes) for size in trial.sizes)
        where = f"{letters(product.axes)} {before:,} | {after:,}"
    return f"{others}: {LETTERS[axis]} {last:,} {between} {first:,}, {where}"
