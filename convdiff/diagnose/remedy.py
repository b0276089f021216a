"""What usually makes results equal: measured on TensorFlow, not on the case at hand."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.diagnose.verdict import Finding


def remedies(findings: Sequence[Finding], *, safe: bool) -> list[str]:
    """Return the remedies that fit what drifted, without repetition.

    safe: whether there is a length to pad to.
    """
    found: dict[str, None] = {}
    for finding in findings:
        if finding.allowed:
            continue
        cell, axis = finding.comparison.candidate, finding.comparison.axis
        if cell.runtime.interpreter.framework != "tensorflow":
            continue
        if finding.verdict == "precision":
            found["full precision: NVIDIA_TF32_OVERRIDE=0, ONEDNN_DEFAULT_FPMATH_MODE=STRICT"] = (
                None
            )
        elif finding.verdict == "rounding" and axis in ("length", "threads"):
            found["oneDNN (TF_ENABLE_ONEDNN_OPTS=1, TensorFlow 2.9 or later)"] = None
            if axis == "length" and safe:
                found["inputs padded to a safe length"] = None
        elif finding.verdict == "rounding" and axis in ("runtime", "baseline"):
            found["the same TF_ENABLE_ONEDNN_OPTS and version on both sides"] = None
    return list(found)
