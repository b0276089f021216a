"""The JSON report, schema_version 1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import convdiff
from convdiff.report import trace_json
from convdiff.report.case_json import case_json, runtime_json
from convdiff.report.net_summary import TraceSummary
from convdiff.report.summary import Summary
from convdiff.result import Result

SCHEMA_VERSION = 1


def render(summary: Summary) -> str:
    """Return the report as JSON text."""
    return json.dumps(report(summary.result, summary.nets), indent=2, allow_nan=False) + "\n"


def report(result: Result, nets: Sequence[TraceSummary] = ()) -> dict[str, Any]:
    """Return the report as plain values; its keys are a contract."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": convdiff.__version__,
        "exit_code": result.exit_code,
        "outcome": result.outcome,
        "interrupted": result.interrupted,
        "time_over": result.time_over,
        "not_begun": result.unbegun,
        "unclaimed": list(result.unclaimed),
        "runtimes": [runtime_json(standing) for standing in result.standings],
        "cases": [case_json(case) for case in result.cases],
        "nets": [trace_json.report(net, convdiff.__version__) for net in nets],
    }
