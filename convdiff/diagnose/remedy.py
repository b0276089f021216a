"""What usually makes results equal: measured on other cases, not on the one at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import Verdict
from convdiff.runtime.constant import as_in_a_model, is_fed
from convdiff.runtime.fingerprints import Fingerprint
from convdiff.runtime.model import Runtime

Fingerprints = Mapping[Runtime, Fingerprint]
TENSORFLOW = "tensorflow"


def _always(finding: Finding, fingerprints: Fingerprints) -> bool:
    return True


def _has_no_onednn(finding: Finding, fingerprints: Fingerprints) -> bool:
    """Return whether no TensorFlow has oneDNN on: of one that has, findings say what it does."""
    having = [runtime for runtime, seen in fingerprints.items() if seen.get("onednn")]
    return all(runtime.interpreter.framework != TENSORFLOW for runtime in having)


def _are_unlike(finding: Finding, fingerprints: Fingerprints) -> bool:
    """Return whether both sides are TensorFlow, and of unlike versions or settings."""
    comparison = finding.comparison
    sides = (comparison.baseline.runtime, comparison.candidate.runtime)
    if any(one.interpreter.framework != TENSORFLOW for one in sides):
        return False
    was, now = (fingerprints.get(one, {}) for one in sides)
    return any(was.get(key) != now.get(key) for key in ("version", "onednn"))


def _is_fed(finding: Finding, fingerprints: Fingerprints) -> bool:
    """Return whether the filter is fed, and was not a constant on other runtimes of the run."""
    runtime = finding.comparison.candidate.runtime
    return is_fed(runtime) and as_in_a_model(runtime) not in fingerprints


@dataclass(frozen=True)
class Remedy:
    """What usually helps where a verdict drifts along some axes."""

    text: str
    verdict: Verdict
    axes: tuple[Axis, ...] = tuple(AXES)
    framework: str = TENSORFLOW
    """Of which it is known; empty for all."""
    is_open: Callable[[Finding, Fingerprints], bool] = _always
    """Whether it was not tried already, in this very run."""

    def fits(self, finding: Finding, fingerprints: Fingerprints) -> bool:
        """Return whether it may help against a finding."""
        comparison = finding.comparison
        known = self.framework in ("", comparison.candidate.runtime.interpreter.framework)
        fits = self.verdict == finding.verdict and comparison.axis in self.axes
        return known and fits and self.is_open(finding, fingerprints)


REMEDIES = (
    Remedy(
        "full precision: NVIDIA_TF32_OVERRIDE=0, ONEDNN_DEFAULT_FPMATH_MODE=STRICT", "precision"
    ),
    Remedy(
        "oneDNN (TF_ENABLE_ONEDNN_OPTS=1, TensorFlow 2.9 or later)",
        "rounding",
        ("length", "threads"),
        is_open=_has_no_onednn,
    ),
    Remedy(
        "one batch size everywhere, the last batch padded",
        "rounding",
        ("batch",),
        framework="",
    ),
    Remedy(
        "the filter as a constant, as in a model: onnxruntime:cpu+constant",
        "rounding",
        ("length", "batch", "threads"),
        framework="onnxruntime",
        is_open=_is_fed,
    ),
    Remedy(
        "the same TF_ENABLE_ONEDNN_OPTS and version on both sides",
        "rounding",
        ("runtime", "baseline"),
        is_open=_are_unlike,
    ),
)


def remedies(findings: Sequence[Finding], fingerprints: Fingerprints) -> list[str]:
    """Return the remedies that fit what drifted, without repetition.

    fingerprints: what each runtime of the run, or of its baseline, says it is.
    """
    texts: dict[str, None] = {}
    for finding in findings:
        if finding.allowed or finding.flushes:
            continue
        fitting = [one.text for one in REMEDIES if one.fits(finding, fingerprints)]
        texts |= dict.fromkeys(fitting)
    return list(texts)
