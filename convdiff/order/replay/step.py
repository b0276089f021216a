"""The step that follows a sum, as a kernel does it: what is added, or the limits it keeps to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from convdiff.case.forms import Words
from convdiff.numerics.array import Array
from convdiff.numerics.rounding import rounded
from convdiff.worker.ops.then import LIMITS, STEPS

JOINS = {
    "": "then the array is added",
    "sum": "then the array is added, before the sum is rounded",
    "bias": "the array added before the bias",
    "block": "the array added to the sum of the first block",
    "first fused": "the array first",
    "first": "the array first, not fused with a product",
}
"""Where what is added joins the sum, each in words; empty: after it is done and rounded."""


ZEROS = {"": "", "kept": ", which keeps -0", "signed": ", which makes -0 of what is below"}
"""The zeros of a step with limits, each in words.

Empty: all are +0. kept: −0 stays −0, as in max(0, x). signed: what is below the limit 0 is
multiplied by it.
"""


@dataclass(frozen=True)
class Step:
    """How a kernel does the step that follows; `then` is empty where none does.

    joins: a key of JOINS. zeros: a key of ZEROS. limited: whether NaN becomes a limit, as max(x, 0)
    may have it; else it stays NaN.
    """

    then: Annotated[str, Words("", *STEPS)] = ""
    joins: Annotated[str, Words(*JOINS)] = ""
    zeros: Annotated[str, Words(*ZEROS)] = ""
    limited: Annotated[str, Words("", "low", "high")] = ""

    @property
    def words(self) -> str:
        """Say what follows; empty where nothing does."""
        if self.then not in LIMITS:
            return JOINS[self.joins] if self.then else ""
        limited = ", which takes NaN for a limit" if self.limited else ""
        return f"then {self.then}{ZEROS[self.zeros]}{limited}"

    @property
    def unusual(self) -> str:
        """Say how it is done, where that is not how most kernels do it."""
        return self.words if self != Step(self.then) else ""

    def of(self, sums: Array, added: Array | None, dtype: str) -> Array:
        """Return what it makes of finished sums, and of what is added to each of them."""
        if self.then == "add":
            assert added is not None, "something is added"
            return np.asarray(rounded(sums + added, dtype))
        low, high = LIMITS[self.then]
        kept = np.where(sums < low, sums.dtype.type(low), np.minimum(sums, sums.dtype.type(high)))
        if not self.zeros:
            kept = np.where(kept == 0, sums.dtype.type(0), kept)
        if self.zeros == "signed":
            with np.errstate(invalid="ignore"):
                kept = np.where(sums < 0, sums * sums.dtype.type(0), kept)
        if self.limited:
            kept = np.where(np.isnan(sums), low if self.limited == "low" else high, kept)
        return np.asarray(kept.astype(sums.dtype, copy=False))


NO_STEP = Step()


def likely_steps(then: str) -> tuple[Step, ...]:
    """Return the ways in which a step may be done, the likeliest first."""
    if then == "add":
        return tuple(Step(then, joins) for joins in JOINS)
    return (
        Step(then),
        Step(then, zeros="kept"),
        Step(then, zeros="signed"),
        Step(then, limited="low"),
        Step(then, zeros="kept", limited="low"),
        Step(then, limited="high"),
    )
