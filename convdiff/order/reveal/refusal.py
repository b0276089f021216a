"""Why no summation order is given: a refusal is a result, not a failure."""

from __future__ import annotations

from dataclasses import dataclass

#: What a refusal may be called, and what each means in general.
KINDS = {
    "transform": "the kernel transforms its operands, so there is no tree of products",
    "unstable": "the same call gave different bits",
    "overflow": "a reading was not finite or far out of range",
    "non-integer": "a reading was not a whole number of terms",
    "non-ultrametric": "the readings fit no tree",
    "exact": "the sum loses nothing, whatever the order",
    "not-replayed": "an order was read, but its replay gives other bits",
    "step-not-replayed": "an order was proved, but not the step that follows",
    "failed": "the runtime gave no answer",
    "budget": "the budget of calls was spent",
}


@dataclass(frozen=True)
class Refusal:
    """No order, with its reason: `kind` is a key of KINDS, `reason` a sentence on this kernel."""

    kind: str
    reason: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such kind of refusal: {self.kind}")


class RefusedError(Exception):
    """Carries a refusal out of a nest of measurements to the function that returns it."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.refusal = Refusal(kind, reason)
