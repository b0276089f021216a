"""What usually helps is advised along its axes alone, and not where it was tried already."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made import CELL, RUNTIMES, drifted

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.remedy import remedies
from convdiff.diagnose.verdict import Finding

OLD, NEW = RUNTIMES
VERSIONS = {OLD: {"version": "1.0.0"}, NEW: {"version": "2.21.0", "onednn": False}}


def along(axis: Axis, **changes: object) -> Finding:
    """Return a drift along an axis, of NEW against OLD where the axis is between runtimes."""
    finding = drifted(**changes)
    sides = (OLD, NEW) if axis in ("runtime", "baseline", "device", "threads") else (OLD, OLD)
    cells = [replace(CELL, runtime=runtime) for runtime in sides]
    comparison = replace(finding.comparison, axis=axis, baseline=cells[0], candidate=cells[1])
    return replace(finding, comparison=comparison)


@pytest.mark.parametrize("axis", AXES)
def test_each_remedy_has_its_axes(axis: Axis):
    text = "; ".join(remedies([along(axis)], VERSIONS))
    assert ("oneDNN (" in text) == (axis in ("length", "threads"))
    assert ("one batch size" in text) == (axis == "batch")
    assert ("on both sides" in text) == (axis in ("runtime", "baseline"))
    assert remedies([along(axis, allowed=True)], VERSIONS) == []


@pytest.mark.parametrize("on", [OLD, NEW])
def test_onednn_is_not_advised_where_a_runtime_of_the_run_has_it(on: object):
    tried = {one: {**seen, "onednn": one == on} for one, seen in VERSIONS.items()}
    assert remedies([along("length")], tried) == []
    torch = replace(OLD, interpreter=replace(OLD.interpreter, framework="torch"))
    assert remedies([along("length")], {**VERSIONS, torch: {"onednn": True}})


def test_the_same_version_is_advised_where_versions_or_settings_are_unlike():
    alike = {one: {"version": "2.21.0", "onednn": True} for one in RUNTIMES}
    assert remedies([along("runtime")], alike) == []
    assert remedies([along("runtime")], {**alike, NEW: {"version": "2.21.0", "onednn": False}})
    other = along("runtime")
    torch = replace(OLD, interpreter=replace(OLD.interpreter, framework="torch"))
    baseline = replace(other.comparison.baseline, runtime=torch)
    other = replace(other, comparison=replace(other.comparison, baseline=baseline))
    assert remedies([other], {**VERSIONS, torch: {"version": "2.13.0"}}) == []


def test_one_batch_size_helps_in_every_framework():
    drift = along("batch")
    torch = replace(OLD, interpreter=replace(OLD.interpreter, framework="torch"))
    cells = {side: replace(CELL, runtime=torch) for side in ("baseline", "candidate")}
    assert remedies([replace(drift, comparison=replace(drift.comparison, **cells))], {})


def test_a_constant_filter_is_advised_where_it_was_fed_and_not_tried():
    fed = replace(OLD, interpreter=replace(OLD.interpreter, framework="onnxruntime"))
    constant = replace(fed, device=replace(fed.device, modes=("basic", "constant")))
    basic = replace(fed, device=replace(fed.device, modes=("basic",)))
    for axis in AXES:
        for runtime, others, advised in (
            (fed, {}, axis in ("length", "batch", "threads")),
            (basic, {fed: {}}, axis in ("length", "batch", "threads")),
            (basic, {constant: {}}, False),
            (constant, {}, False),
        ):
            drift = along(axis)
            cells = {side: replace(CELL, runtime=runtime) for side in ("baseline", "candidate")}
            drift = replace(drift, comparison=replace(drift.comparison, **cells))
            texts = "; ".join(remedies([drift], {runtime: {}, **others}))
            assert ("onnxruntime:cpu+constant" in texts) == advised, (axis, runtime.id)
