"""What makes results equal, where that was measured; nothing is recommended on hope."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.diagnose.verdict import Finding


def remedies(findings: Sequence[Finding]) -> list[str]:
    """Return the remedies that fit what drifted, without repetition."""
    found: dict[str, None] = {}
    for finding in findings:
        if finding.allowed:
            continue
        cell, axis = finding.comparison.candidate, finding.comparison.axis
        if cell.runtime.interpreter.framework != "tensorflow":
            continue
        if finding.verdict == "precision":
            found[
                "keep full precision: NVIDIA_TF32_OVERRIDE=0, ONEDNN_DEFAULT_FPMATH_MODE=STRICT"
            ] = None
        elif finding.verdict == "rounding" and axis in ("length", "threads"):
            found["use oneDNN (TF_ENABLE_ONEDNN_OPTS=1, TensorFlow 2.9 or later)"] = None
            if axis == "length":
                found["or pad the input to a safe length"] = None
        elif finding.verdict == "rounding" and axis == "runtime":
            found["set the same TF_ENABLE_ONEDNN_OPTS and version on both sides"] = None
    return list(found)
