"""Drift between runtimes of which one is fed its filter names the one that has a constant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made import CELL, RUNTIMES, drifted

from convdiff.case.axes import AXES, Axis
from convdiff.case.device import Device
from convdiff.diagnose.fed_filters import fed_filter_notes
from convdiff.diagnose.verdict import Finding
from convdiff.runtime.constant import as_in_a_model, is_fed
from convdiff.runtime.model import Interpreter, Runtime

TENSORFLOW = RUNTIMES[0]
FED = Runtime(Interpreter("onnxruntime", "python"), Device("cpu"))
PRECISE = Runtime(Interpreter("openvino", "python"), Device("cpu", modes=("f32",)))
CONSTANT = Runtime(FED.interpreter, Device("cpu", modes=("constant",)))


def between(one: Runtime, other: Runtime, axis: Axis = "runtime", **changes: object) -> Finding:
    finding = drifted(**changes)
    cells = [replace(CELL, runtime=runtime) for runtime in (one, other)]
    comparison = replace(finding.comparison, axis=axis, baseline=cells[0], candidate=cells[1])
    return replace(finding, comparison=comparison)


def notes(*findings: Finding, others: tuple[Runtime, ...] = ()) -> list[str]:
    return list(fed_filter_notes(findings, others))


def test_each_runtime_that_is_fed_is_named_once():
    found = notes(between(TENSORFLOW, FED), between(FED, PRECISE), between(TENSORFLOW, FED))
    assert found == [
        "onnxruntime:cpu is fed the filter; a model's is a constant, which may have other bits:"
        " onnxruntime:cpu+constant",
        "openvino:cpu+f32 is fed the filter; a model's is a constant, which may have other bits:"
        " openvino:cpu+f32+constant",
    ]


@pytest.mark.parametrize("axis", AXES)
def test_only_between_runtimes(axis: Axis):
    assert bool(notes(between(FED, FED, axis))) == AXES[axis].between_runtimes


def test_nothing_is_said_of_what_is_allowed_tried_recorded_or_never_fed():
    assert not notes(between(TENSORFLOW, FED, allowed=True))
    assert not notes(between(TENSORFLOW, FED), others=(TENSORFLOW, FED, CONSTANT))
    assert not notes(between(TENSORFLOW, replace(FED, origin="old.safetensors")))
    assert not notes(between(TENSORFLOW, CONSTANT))
    assert not notes(between(TENSORFLOW, FED, verdict="precision"))


def test_as_in_a_model_all_else_stays():
    assert as_in_a_model(PRECISE).device == Device("cpu", modes=("f32", "constant"))
    for runtime in (TENSORFLOW, CONSTANT, as_in_a_model(PRECISE)):
        assert as_in_a_model(runtime) == runtime and not is_fed(runtime)
