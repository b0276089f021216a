"""A trace as JSON, schema_version 1."""

from __future__ import annotations

import json
from typing import Any

from convdiff.compare.difference import Difference
from convdiff.lab.nets import NetRun
from convdiff.net.trace.allowed import verdict_of
from convdiff.net.trace.growth import Growth
from convdiff.net.trace.model import Entry, Judged, Looked, Noise, PairTrace, Traced, TraceResult
from convdiff.report.case_json import case_json, runtime_json
from convdiff.report.json_values import finite, or_null
from convdiff.report.net_summary import TraceSummary

SCHEMA_VERSION = 1


def render(summary: TraceSummary, version: str) -> str:
    """Return the report as JSON text; its keys are a contract. version: of the tool."""
    return json.dumps(report(summary, version), indent=2, allow_nan=False) + "\n"


def report(summary: TraceSummary, version: str) -> dict[str, Any]:
    """Return the report as plain values."""
    result = summary.result
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": version,
        "exit_code": result.exit_code,
        "outcome": result.outcome,
        "interrupted": result.signal != 0,
        "net": {
            "name": result.case.name,
            "file": result.case.file,
            "layers": len(result.pairs[0].layers) if result.pairs else 0,
        },
        "answer": summary.headline,
        "runtimes": [runtime_json(standing) for standing in result.standings],
        "pairs": [_pair(result, number, pair) for number, pair in enumerate(result.pairs)],
        "shown": result.shown if result.pairs else None,
        "entries": [_entry(entry) for entry in result.entries],
        "not_explained": list(result.unexplained),
        "unstable": [_unstable(one) for one in result.noise],
        "looks_less": result.looks_less,
        "looking": [_looking(one) for one in result.looked],
    }


def _unstable(one: Noise) -> dict[str, Any]:
    return {
        **_run(one.run),
        "layers": list(one.layers),
        "begins": list(one.begins),
        "by_looking": one.by_looking,
    }


def _looking(one: Looked) -> dict[str, Any]:
    return {**_run(one.run), "elements": one.elements, "changed": one.changed}


def _run(run: NetRun) -> dict[str, Any]:
    return {
        "runtime": run.runtime.id,
        "length": run.length,
        "batch": run.batch,
        "repeat": run.repeat,
    }


def _pair(result: TraceResult, number: int, pair: PairTrace) -> dict[str, Any]:
    return {
        "axis": pair.pair.axis,
        "baseline": _run(pair.pair.baseline),
        "candidate": _run(pair.pair.candidate),
        "verdict": verdict_of(result, pair),
        "allowed": number not in result.drifting,
        "reason": pair.reason or None,
        "entered": list(pair.entered),
        "outputs": {name: _difference(one) for name, one in pair.outputs.items()},
        "layers": [_layer(layer) for layer in pair.layers],
    }


def _layer(layer: Traced) -> dict[str, Any]:
    return {
        "name": layer.name,
        "op": layer.op,
        "status": layer.status,
        "columns": layer.aligned,
        "unseen": list(layer.unseen),
        "growth": or_null(layer.growth, _growth),
    }


def _growth(growth: Growth) -> dict[str, Any]:
    return {
        **_difference(growth.difference),
        "relative_u": finite(growth.relative),
        "amplification": or_null(growth.amplification, finite),
        "jumps": growth.jumps,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "elements": difference.elements,
        "differing": difference.differing,
        "max_abs": finite(difference.max_abs),
        "max_ulp": difference.max_ulp,
        "max_index": difference.max_index,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "layer": entry.layer,
        "op": entry.op,
        "axis": entry.pair.axis,
        "baseline": _run(entry.pair.baseline),
        "candidate": _run(entry.pair.candidate),
        "verdict": entry.verdict,
        "proved": entry.is_proved,
        "alone": entry.alone,
        "what": entry.what,
        "at": entry.at or None,
        "unseen": list(entry.unseen),
        "reason": entry.reason or None,
        "judged": or_null(entry.judged, _judged),
        "case": or_null(entry.result, case_json),
    }


def _judged(judged: Judged) -> dict[str, Any]:
    sides = ("baseline", "candidate")
    return {
        "elements": judged.elements,
        "not_correctly_rounded": dict(zip(sides, judged.wrong, strict=True)),
        "max_ulp": dict(zip(sides, map(finite, judged.ulps), strict=True)),
        "undecided": judged.undecided,
    }
