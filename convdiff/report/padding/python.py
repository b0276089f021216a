"""`convdiff pad` as Python that pads: for each runtime a function, and buckets."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.net.padding.result import Answer, Padding, Question
from convdiff.report.padding.formulas import span_text, steps_python
from convdiff.report.runtime_line import fingerprint


def render(answer: Answer) -> str:
    """Return the module's text; of several runtimes the last one's names stand."""
    lines = [line for one in answer.paddings for line in _lines(one, answer.question)]
    return "".join(f"{line}\n" for line in lines)


def _lines(padding: Padding, question: Question) -> Iterator[str]:
    yield f"# {question.name}: data of {span_text(question.data)}, then {question.value:g}"
    yield f"# bit-identical to length {question.fixed} on {padding.standing.name}:"
    yield f"# {fingerprint(padding.standing)}"
    if padding.reason:
        yield f"# untested: {padding.reason}"
        return
    yield f"bucket_boundaries = {[first for first, _ in padding.buckets[1:]]}"
    yield f"padded_lengths = {[length for _, length in padding.buckets]}"
    yield from ("", "", "def padded_length(data_length: int) -> int:")
    yield f"    assert {question.data[0]} <= data_length <= {question.data[-1]}"
    yield f"    return {_returned(padding)}"


def _returned(padding: Padding) -> str:
    rule = padding.rule
    if rule is None:
        return "padded_lengths[sum(data_length >= first for first in bucket_boundaries)]"
    steps = steps_python(rule.steps)
    return f"max({rule.least}, {steps})" if rule.least else steps
