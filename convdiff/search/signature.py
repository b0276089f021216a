"""What a search holds on to: a comparison's verdict and its proved cause, never an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from convdiff.case.axes import Axis
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import VERDICTS, Verdict, gravity


@dataclass(frozen=True)
class Signature:
    """What a comparison shows."""

    axis: Axis
    verdict: Verdict
    fits: str = ""
    """What a mistake looks like, without the numbers in it."""
    causes: frozenset[str] = frozenset()
    """Of a difference that is explained."""
    is_proved: bool = False

    @property
    def words(self) -> str:
        """Say it in a few words."""
        more = [self.fits, *sorted(self.causes)]
        return ", ".join(word for word in (self.verdict, *more) if word)

    @property
    def told(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**named, "causes": sorted(map(str, self.causes))}

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Signature:
        """Return what `told` was made of."""
        return cls(**{**value, "causes": frozenset(value["causes"])})


def signature_of(finding: Finding) -> Signature | None:
    """Return what a finding shows, None where its sides do not differ."""
    if not VERDICTS[finding.verdict].differs:
        return None
    why = finding.why
    return Signature(
        finding.axis,
        finding.verdict,
        (finding.fits or "").partition(":")[0].partition(" by ")[0],
        frozenset(why.causes) if why else frozenset(),
        why is not None and why.status == "proved",
    )


def gravest(findings: Sequence[Finding]) -> Finding | None:
    """Return the finding to search for: between two runs, drift first, then gravity, then size."""
    between = [one for one in findings if not one.comparison.baseline.is_exact]
    return max(filter(signature_of, between), key=_weight, default=None)


def _weight(finding: Finding) -> tuple[bool, int, bool, float]:
    """Two runs of the convolution itself tell more than one and its reference."""
    difference = finding.comparison.difference
    size = difference.max_abs if difference else 0.0
    between = finding.axis != "reference"
    return not finding.allowed, gravity(finding.verdict), between, size
