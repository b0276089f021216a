"""Cases of a few lines, run through the whole pipeline on frameworks that are really there."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from convdiff.case.load import load_case
from convdiff.diagnose.verdict import Finding
from convdiff.lab.pool import Pool
from convdiff.lab.session import Session
from convdiff.pipeline import Ask, run
from convdiff.result import CaseResult
from convdiff.runtime.matrix import interpreters, split_spec

MODULES = {
    "tensorflow": ("tensorflow",),
    "torch": ("torch",),
    "jax": ("jax",),
    "onnxruntime": ("onnx", "onnxruntime"),
    "openvino": ("openvino",),
    "tflite": ("tensorflow",),
    "numpy": ("numpy",),
}
CAPPED = "ONEDNN_MAX_CPU_ISA" in os.environ
Vary = Sequence[tuple[str, Sequence[str]]]


def need(*frameworks: str) -> None:
    """Skip the test where one of these is not installed, and say which."""
    for spec in frameworks:
        name = split_spec(spec)[0]
        for module in MODULES.get(name, ()):
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"{name} is not installed in this environment (no {module})")


def lasting(*specs: str) -> list[str]:
    """Return the runtimes that a cap on oneDNN does not kill.

    OpenVINO's bfloat16, its default where the CPU has it, dies of one; its float16 is not made.
    """
    return [spec for spec in specs if not (CAPPED and is_mortal(spec))]


def is_mortal(spec: str) -> bool:
    """Return whether a runtime is OpenVINO in another precision than float32."""
    return spec.startswith("openvino") and "+f32" not in spec


@dataclass(frozen=True)
class Lab:
    """One pool for many cases: a framework is imported once, not once a test."""

    pool: Pool
    folder: Path

    def ask(
        self,
        text: str,
        *frameworks: str,
        threads: Sequence[int] = (),
        vary: Vary = (),
        pythons: Sequence[str] = (),
        pairwise: bool = False,
        budget: int = 20_000,
    ) -> CaseResult:
        """Run a case file of this text, as `convdiff run --framework …` does."""
        need(*(() if pythons else frameworks))
        path = self.folder / "case.yaml"
        path.write_text(text, "utf-8")
        session = Session(interpreters(frameworks, pythons, threads, vary), timeout=120)
        session.pool = self.pool
        session.start()
        ask = Ask(pairwise=pairwise, budget=budget)
        result = run([load_case(path)], session, ask, lambda *_: None)
        missing = [s.reason for s in result.standings if not s.available]
        assert not missing, missing
        (case,) = result.cases
        assert not case.interrupted
        return case


def of_axis(case: CaseResult, axis: str, op: str = "conv2d") -> list[Finding]:
    """Return the findings on one axis, of convolutions only."""
    return [
        finding
        for finding in case.findings
        if finding.comparison.axis == axis and finding.comparison.candidate.op == op
    ]


def proved(finding: Finding) -> None:
    """Assert that rounding is proved: every element of both sides was replayed bit for bit."""
    assert finding.verdict == "rounding", (finding.verdict, finding.fits, finding.evidence)
    why = finding.why
    assert why is not None, finding.unasked
    assert why.status == "proved", (why.status, why.refusals)
    assert why.unexplained == 0 and why.causes
    for side, (replayed, elements) in why.replayed.items():
        assert replayed == elements > 0, (side, replayed, elements)


def same_or_proved(findings: Sequence[Finding]) -> None:
    """Assert what holds on every machine: equal bits, or rounding that is proved."""
    assert findings
    for finding in findings:
        if finding.verdict != "same":
            proved(finding)
