"""What usually makes results equal: measured on TensorFlow, not on the case at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import Verdict


@dataclass(frozen=True)
class Remedy:
    """What usually helps where a verdict drifts along some axes."""

    text: str
    verdict: Verdict
    axes: tuple[Axis, ...] = tuple(AXES)


REMEDIES = (
    Remedy(
        "full precision: NVIDIA_TF32_OVERRIDE=0, ONEDNN_DEFAULT_FPMATH_MODE=STRICT", "precision"
    ),
    Remedy(
        "oneDNN (TF_ENABLE_ONEDNN_OPTS=1, TensorFlow 2.9 or later)",
        "rounding",
        ("length", "threads"),
    ),
    Remedy(
        "the same TF_ENABLE_ONEDNN_OPTS and version on both sides",
        "rounding",
        ("runtime", "baseline"),
    ),
)


def remedies(findings: Sequence[Finding]) -> list[str]:
    """Return the remedies that fit what drifted, without repetition."""
    texts: dict[str, None] = {}
    for finding in findings:
        interpreter = finding.comparison.candidate.runtime.interpreter
        if finding.allowed or finding.flushes or interpreter.framework != "tensorflow":
            continue
        for remedy in REMEDIES:
            fits = remedy.verdict == finding.verdict and finding.comparison.axis in remedy.axes
            if fits:
                texts[remedy.text] = None
    return list(texts)
