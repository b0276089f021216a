"""What a case shows on a runtime, as something that two runs can be compared by."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

from convdiff.case.arrays import digest
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits
from convdiff.result import CaseResult
from convdiff.search.signature import Signature, signature_of

State = Hashable


def shown(result: CaseResult) -> State | None:
    """Return what a case shows on one runtime; None where nothing was compared."""
    if result.outcome == "untested":
        return None
    drift = [finding for finding in result.findings if not finding.allowed]
    return frozenset(filter(None, map(signature_of, drift)))


def is_good(state: State) -> bool | None:
    """Return whether a case shows no drift; None of bits, which are neither good nor bad."""
    return not state if isinstance(state, frozenset) else None


def state_in_words(state: object) -> str:
    """Say what a case shows: its drift, or the beginning of its bits' digest."""
    if not isinstance(state, frozenset):
        digests = state if isinstance(state, tuple) else (state,)
        beginnings = "+".join(str(one)[:8] for one in digests[:2])
        return f"bits {beginnings}"
    return "; ".join(sorted(map(_words, state))) or "no drift"


def _words(one: object) -> str:
    return f"{one.axis}: {one.words}" if isinstance(one, Signature) else str(one)


def told(state: State) -> dict[str, Any]:
    """Return a state as JSON takes it: what is shown, or bits."""
    if isinstance(state, frozenset):
        return {"shown": [one.told for one in sorted(state, key=repr)]}
    assert isinstance(state, str | tuple), "bits are digests"
    return {"bits": state}


def read(value: Mapping[str, Any]) -> State:
    """Return the state that `told` was made of."""
    if "shown" in value:
        return frozenset(map(Signature.read, value["shown"]))
    return tuple(value["bits"]) if isinstance(value["bits"], list) else str(value["bits"])


By = Literal["bits", "verdict"]
"""What two are held against each other by: all bits, or the verdicts of drift and their causes."""


def bits_of(outputs: Sequence[Array | NoBits]) -> State | None:
    """Return what outputs are, bit for bit; None where one is not there."""
    digests = []
    for output in outputs:
        if isinstance(output, NoBits):
            return None
        digests.append(digest(output))
    return tuple(digests)
