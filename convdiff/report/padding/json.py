"""`convdiff pad` as JSON: schema_version 1."""

from __future__ import annotations

import json
from typing import Any

from convdiff.net.padding.result import Above, Answer, Common, Miss, Padding, Safe, Tail
from convdiff.net.padding.rule import Rule
from convdiff.report.json_values import finite, or_null

SCHEMA_VERSION = 1


def render(answer: Answer, version: str) -> str:
    """Return the report as JSON text; its keys are a contract.

    version: of the tool.
    """
    question = answer.question
    report = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": version,
        "case": question.name,
        "data": [question.data[0], question.data[-1]],
        "fixed": question.fixed,
        "value": finite(question.value),
        "fields": {
            name: {"step": field.step, "period": field.period, "sizes": list(field.sizes)}
            for name, field in question.fields.items()
        },
        "moving_layers": list(question.moving),
        "runtimes": [_padding(one) for one in answer.paddings],
    }
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def _padding(padding: Padding) -> dict[str, Any]:
    seconds = padding.seconds or {}
    return {
        "runtime": padding.standing.name,
        "version": padding.standing.fingerprint.get("version"),
        "untested": padding.reason or None,
        "groups": [_safe(one) for one in padding.safe],
        "rule": or_null(padding.rule, _rule),
        "all_to": or_null(padding.common, _common),
        "bucket_boundaries": list(padding.boundaries),
        "padded_lengths": list(padding.lengths),
        "tail": or_null(padding.tail, _tail),
        "above": _above(padding.above),
        "unseen_inputs": padding.unseen,
        "unseen_runs": padding.checked,
        "seconds": {str(length): seconds[length] for length in sorted(seconds)},
    }


def _safe(safe: Safe) -> dict[str, Any]:
    group = safe.group
    return {
        "data": list(group.data),
        "outputs": group.outputs,
        "paper_minimum": group.minimum,
        "length": safe.length,
        "positions": safe.positions,
        "differing_below": [_miss(miss) for miss in safe.misses],
        "untried_below": safe.untried,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "least": rule.least,
        "least_positions": rule.positions,
        "multiple": rule.steps.multiple,
        "offset": rule.steps.offset,
        "more": rule.steps.more,
        "positions_beyond": rule.beyond,
    }


def _common(common: Common) -> dict[str, Any]:
    return {"length": common.length, "runs": common.runs}


def _tail(tail: Tail) -> dict[str, Any]:
    return {
        "held": tail.held,
        "of": tail.of,
        "other_at_lengths": list(tail.others),
        "vectors": tail.vectors,
        "differing_at_one_position": tail.apart,
        "elements": tail.elements,
    }


def _above(above: Above) -> dict[str, Any]:
    return {
        "runs": above.tried,
        "every_length_at": list(above.data),
        "relapses": [_miss(miss) for miss in above.relapses],
    }


def _miss(miss: Miss) -> dict[str, Any]:
    return {
        "length": miss.run.length,
        "data": miss.run.data,
        "input": miss.run.trial,
        "differing": miss.differing,
        "elements": miss.elements,
        "max_abs": finite(miss.max_abs),
        "reason": miss.reason or None,
    }
