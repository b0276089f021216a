"""`convdiff pad` as Python that pads: a function, and buckets."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.case.ranges import write_range
from convdiff.errors import ConvdiffError
from convdiff.net.padding.result import Answer, Padding, Question
from convdiff.report.padding.formulas import at_least, steps_python
from convdiff.report.runtime_line import fingerprint


def render(answer: Answer) -> str:
    """Return the module's text. Raises ConvdiffError for several runtimes: one function is safe."""
    if len(answer.paddings) > 1:
        names = ", ".join(one.standing.name for one in answer.paddings)
        raise ConvdiffError(f"--format python: one runtime at a time; here are {names}")
    lines: list[str] = []
    for one in answer.paddings:
        lines += _lines(one, answer.question)
    return "".join(f"{line}\n" for line in lines)


def _lines(padding: Padding, question: Question) -> Iterator[str]:
    yield f"# {question.name}: data of {write_range(question.data)}, then {question.value:g}"
    yield f"# bit-identical to length {question.fixed} on {padding.standing.name}:"
    yield f"# {fingerprint(padding.standing)}"
    if padding.reason:
        yield f"# untested: {padding.reason}"
        return
    yield f"bucket_boundaries = {list(padding.boundaries)}"
    yield f"padded_lengths = {list(padding.lengths)}"
    yield from ("", "", "def padded_length(data_length: int) -> int:")
    yield f"    assert {_is_tried(question.data)}"
    yield f"    return {_returned(padding)}"


def _is_tried(data: tuple[int, ...]) -> str:
    """Write the condition that a data length is one of those tried."""
    if len(data) == data[-1] - data[0] + 1:
        return f"{data[0]} <= data_length <= {data[-1]}"
    return f"data_length in {list(data)}"


def _returned(padding: Padding) -> str:
    rule = padding.rule
    if rule is None:
        return "padded_lengths[sum(data_length >= first for first in bucket_boundaries)]"
    return at_least(rule.least, steps_python(rule.steps))
