"""Whether products depend on values outside of a tap's field, as a transform's do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.behaviour.answer import Answer, noise_of, of_kind
from convdiff.behaviour.probes import Kind
from convdiff.behaviour.rounding_widths import bits_of
from convdiff.numerics.array import Array
from convdiff.numerics.floats import Format


@dataclass(frozen=True)
class Transform:
    """Whether products depend on values outside of a tap's field, in words."""

    seen: str | None = None
    """What looks like a transform algorithm."""
    error: str | None = None
    """What no transform's rounding can do."""


def transform(answers: Sequence[Answer], form: Format) -> Transform:
    """Return what looks like a transform, or what is no rounding and so an error."""
    kind = None
    inputs = {answer.probe.turn: answer for answer in of_kind(answers, Kind.INPUT)}
    for answer in of_kind(answers, Kind.CONTAMINATION):
        leak = _leak(answer, inputs[answer.probe.turn])
        # No input is smaller than 1, and padding is to stay 0.
        share = float((leak / np.maximum(np.abs(answer.right), 1.0)).max())
        if share <= 8 * form.unit_roundoff:
            continue
        text = f"large inputs outside a tap's field change its product (by {share:.1e} of it)"
        if leak.max() > noise_of(answer.probe.tensors.input_nhwc, form):
            if _is_of_large(leak, answer, inputs[answer.probe.turn], form):
                text = "large inputs give other products than small ones"
                return Transform(error=f"{text} (by {share:.1e}), which is no rounding")
            return Transform(error=f"{text}, by more than a transform algorithm's rounding can")
        kind = f"{text}: a transform algorithm such as Winograd or FFT"
    error = _error_of_single_weights(answers, form, mixing=kind is not None)
    return Transform(error=error) if error else Transform(kind)


def _error_of_single_weights(
    answers: Sequence[Answer], form: Format, *, mixing: bool
) -> str | None:
    """Return how a filter of a single weight is off, where no rounding explains it."""
    for kind in (Kind.INPUT, Kind.WEIGHT):
        alone = of_kind(answers, kind)
        if bits_of(alone, form) is not None:
            continue
        # A transform mixes inputs: what changes products with no leak between them is none.
        if not mixing or any(a.off.max() > noise_of(a.right, form) for a in alone):
            most = max(float(answer.off.max()) for answer in alone)
            return (
                "a filter of a single weight gives back other values "
                f"(off by up to {most:.1e}), which is no rounding of the right ones"
            )
    return None


def _leak(answer: Answer, plain: Answer) -> Array:
    """Return how much large neighbours change each product; fp64, infinite where not finite.

    Both probes hold the same inputs, some of them scaled by a power of two in `answer`'s: a direct
    sum gives the same bits at another exponent, however it rounds its inputs.
    """
    times = np.divide(
        answer.right, plain.right, out=np.ones_like(plain.right), where=plain.right != 0
    )
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.abs(answer.output - plain.output * times)
    return np.asarray(np.where(np.isfinite(change), change, np.inf))


def _is_of_large(leak: Array, answer: Answer, plain: Answer, form: Format) -> bool:
    """Return whether only products of inputs that are large themselves change."""
    small = answer.right == plain.right
    return bool((leak[small] <= 8 * form.unit_roundoff * np.abs(answer.right[small])).all())
