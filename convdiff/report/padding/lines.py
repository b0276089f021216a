"""What was found of a net's padding, said line by line, before it is coloured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.ranges import write_range
from convdiff.case.words import given
from convdiff.net.padding.result import Above, Answer, Miss, Padding, Question, Safe, Tail
from convdiff.report.brief_names import runtime_part
from convdiff.report.marks import Grid, Line, Mark, Span, line
from convdiff.report.padding.formulas import (
    LEAST,
    field_text,
    in_words,
    multiple_text,
    rule_text,
    steps_text,
)
from convdiff.report.runtime_line import fingerprint
from convdiff.report.summary import runtime_line

HEADER = ("data", "outputs", "on paper", "bit-identical", "positions")

MOST_ROWS, MOST_BUCKETS = 20, 12
"""What is shown of them; --format csv, json and python have all."""


def answer_spans(padding: Padding, question: Question) -> tuple[Span, ...]:
    """Say to what every input is padded on a runtime, or that nothing shorter or nothing is known.

    A word, the net's name and a sentence.
    """
    name = Span(question.name, "strong")
    if padding.reason:
        which = padding.standing.name
        if padding.standing.available:
            which = runtime_part(runtime_line(padding.standing, 0))
        reason = f": {which} untested: {padding.reason}"
        return Span("UNTESTED ", "warning"), name, Span(reason)
    return name, Span(": "), *_answer(padding, question)


def _answer(padding: Padding, question: Question) -> Iterator[Span]:
    fixed, where = f"{question.fixed:,}", runtime_part(runtime_line(padding.standing, 0))
    data = write_range(question.data)
    if {safe.length for safe in padding.safe} == {question.fixed}:
        yield Span(f"keep {fixed}", "warning")
        yield Span(f": nothing shorter has its bits for data of {data}, on {where}")
        return
    if padding.common is None or padding.common.length == question.fixed:
        yield Span("pad by the length of the data", "strong")
        yield Span(f": no one length below {fixed} was found that has its bits for all data")
        yield Span(f" of {data}, on {where}; each row below has")
        return
    yield Span(f"pad every input to {padding.common.length:,}", "strong")
    yield Span(f": then all outputs of data of {data} are bit-identical to those at {fixed},")
    yield Span(f" on {where}")


def question_lines(answer: Answer) -> Iterator[Line]:
    """Say the net's field and what is asked."""
    question = answer.question
    several = len(question.fields) > 1
    for name, field in question.fields.items():
        yield line(name if several else "net", field_text(field))
    if question.moving:
        names = ", ".join(question.moving)
        yield line("grid", f"{names}: starts elsewhere at some lengths, which can't be compared")
    data = write_range(question.data)
    yield line("input", f"data of {data}, then {question.value:g} up to {question.fixed:,}")


def grid(padding: Padding) -> Grid:
    """Return a row a group of data lengths; of many the first and the last."""
    rows = tuple(map(_row, padding.safe))
    if len(rows) > MOST_ROWS:
        left = len(rows) - MOST_ROWS + 1
        between = (Span(f"… {left} more rows"), *(Span(""),) * (len(HEADER) - 1))
        rows = (*rows[: MOST_ROWS // 2], between, *rows[-(MOST_ROWS // 2 - 1) :])
    return Grid(HEADER, rows)


def rule_lines(padding: Padding, question: Question) -> Iterator[Line]:
    """Say what shorter data needs: the rule, and buckets; or that not all was checked."""
    if padding.reason:
        if padding.safe:
            yield line("untested", Span("not all has been checked", "warning"))
        return
    yield from _rule_lines(padding, question)
    yield from _bucket_lines(padding)


def evidence_lines(padding: Padding, question: Question) -> Iterator[Line]:
    """Say what differs below the lengths, of the tail, and what was checked."""
    if padding.reason:
        return
    for text in _below(padding.safe):
        yield line("below", text)
    for text in _tail(padding.tail):
        yield line("tail", text)
    yield from _checked(padding)
    yield line("above", *_above(padding.above))
    yield from _time_lines(padding, question.fixed)
    yield line("runtime", fingerprint(padding.standing))
    yield line("holds", "for this runtime: another version, setting or CPU may need others")


def _checked(padding: Padding) -> Iterator[Line]:
    """Say how many runs had the fixed length's bits, beside those of the search."""
    parts = []
    if padding.common is not None and padding.common.runs:
        parts.append(f"all data at {padding.common.length:,}: {padding.common.runs:,} runs")
    if padding.checked:
        parts.append(f"{padding.unseen} unseen inputs: {padding.checked:,} runs")
    if parts:
        yield line("checked", f"{'; '.join(parts)}; bit-identical")


def _row(safe: Safe) -> tuple[Span, ...]:
    group = safe.group
    mark: Mark = "good" if safe.length == group.minimum else "calm"
    before = (write_range(group.data), str(group.outputs), str(group.minimum))
    return (*map(Span, before), Span(str(safe.length), mark), Span(str(safe.positions)))


def _time_lines(padding: Padding, fixed: int) -> Iterator[Line]:
    """Say how long a run takes at the answers, of the time that it takes at the fixed length."""
    seconds = padding.seconds or {}
    whole = seconds.get(fixed, 0.0)
    if not whole:
        return
    shares = [f"{seconds[one] / whole:.2f} at {one:,}" for one in seconds if one != fixed]
    if shares:
        yield line("time", f"{', '.join(shares)} of a run at {fixed:,}, {1000 * whole:.2g} ms")


def _rule_lines(padding: Padding, question: Question) -> Iterator[Line]:
    rule, lengths = padding.rule, {safe.length for safe in padding.safe}
    if lengths == {question.fixed}:
        return
    if rule is None:
        yield line("rule", "none fits all rows: the table has what shorter data needs")
        return
    less = given(len(padding.lengths) > 1, "shorter data needs less: ")
    yield line("rule", less, Span(rule_text(rule), "strong"), f", {in_words(rule)}")
    yield line("", f"{LEAST} = {steps_text(rule.paper)}")
    if rule.steps.multiple > 1:
        yield line("", multiple_text(rule))


def _bucket_lines(padding: Padding) -> Iterator[Line]:
    if len(padding.lengths) > MOST_BUCKETS:
        yield line("buckets", f"{len(padding.lengths)}: --format python has them")
    elif padding.boundaries:
        yield line("buckets", f"bucket_boundaries={list(padding.boundaries)}")
        yield line("", f"padded to {list(padding.lengths)}")


def _below(safe: Sequence[Safe]) -> Iterator[str]:
    for one in safe:
        worst = max(one.misses, key=lambda miss: miss.max_abs, default=None)
        if worst is None:
            continue
        missed = [miss.run.length for miss in one.misses]
        lengths = write_range(tuple(missed))
        if one.untried:
            lengths = f"from {missed[0]} to {missed[-1]}, {len(missed):,} of them,"
        untried = given(one.untried, "; {:,} lengths between were not tried")
        yield f"data {write_range(one.group.data)}: lengths {lengths} {_miss(worst)}{untried}"


def _miss(worst: Miss) -> str:
    if worst.reason:
        return f"give no bits: {worst.reason}"
    elements = f"{worst.differing:,} of {worst.elements:,}"
    return f"differ by up to {worst.max_abs:.1e} ({elements} elements at {worst.run.length})"


def _tail(tail: Tail | None) -> Iterator[str]:
    if tail is None:
        return
    held = f"{tail.held:,} of {tail.of:,} data lengths"
    yield f"store it by position, from the fixed length: right for {held}"
    if tail.others:
        lengths = write_range(tail.others)
        yield f"take it from there: at {lengths} the run's own outputs behind the data are others"
    if tail.vectors > 1:
        yield f"it is not one vector: {tail.vectors} different ones, by position"
    if tail.apart:
        yield f"taken at one position it is wrong: {tail.apart:,} of {tail.elements:,} elements"


def _above(above: Above) -> Iterator[str | Span]:
    at = ", ".join(map(str, above.data))
    what = given(at, "every longer length at data {}") or "a sample of longer lengths"
    yield f"{what}: {above.tried:,} runs, "
    if above.relapses:
        lengths = tuple(sorted({miss.run.length for miss in above.relapses}))
        yield Span(f"but not at lengths {write_range(lengths)}", "warning")
    else:
        yield "bit-identical"
    if not above.data:
        yield " (--thorough: every one)"
