"""The answer on one screen: what drifted, where, why, who is right, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from convdiff.case.axes import AXES, Axis
from convdiff.diagnose.cause import Explanation
from convdiff.diagnose.evidence import Side
from convdiff.diagnose.verdict import is_opinion
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.report import sentences
from convdiff.report.elements import WIDEST, elements_of
from convdiff.report.groups import Row
from convdiff.report.headline import FEW_ULPS
from convdiff.report.marks import Grid, Line, Span, line
from convdiff.report.numbers import count
from convdiff.report.summary import OUTCOMES, CaseSummary
from convdiff.report.why import sign

ORDERS = 3
"""Orders that are written out."""
ALONE, AMONG = 5, 3
"""Elements of a case that is the only one, and of one among others."""

ONE_OR_MANY: Mapping[Axis, tuple[tuple[str, str], tuple[str, str]]] = {
    "length": (("length", "gives"), ("lengths", "give")),
    "batch": (("batch", "gives"), ("batches", "give")),
}


@dataclass(frozen=True)
class Brief:
    """What is said of a case by default."""

    word: str
    """OK, DRIFT[rounding], UNTESTED, …"""
    name: str
    sentence: str
    runtimes: str
    elements: Grid | None
    lines: tuple[Line, ...]
    again: str
    """The command that repeats it; "" where there is nothing to repeat."""


def brief_of(case: CaseSummary, *, alone: bool) -> Brief:
    """Return what is said of a case; `alone` where it has the screen for itself."""
    row = case.drifting
    again = case.again if case.is_repeated and case.result.outcome != "ok" else ""
    if row is None:
        said = tuple(_lines_without_drift(case))
        return Brief(
            OUTCOMES[case.result.outcome],
            case.name,
            _standing(case),
            _runtimes(case),
            None,
            said,
            again,
        )
    return Brief(
        f"{OUTCOMES[case.result.outcome]}[{row.finding.verdict}]",
        case.name,
        _drift(case, row),
        _runtimes(case),
        _elements(row, ALONE if alone else AMONG),
        tuple(_lines(case, row, alone=alone)),
        again,
    )


def _standing(case: CaseSummary) -> str:
    """Say how each axis stands: what is equal first, then what rounds; else the whole headline."""
    findings = [row.finding for row in case.rows]
    plain = all(f.verdict in ("same", "rounding") and f.lock != "unproved" for f in findings)
    if case.result.outcome != "ok" or not plain or any(one.some_unsafe for one in case.advice.safe):
        return case.headline
    return "; ".join(_by_standing(case.rows))


def _by_standing(rows: Sequence[Row]) -> Iterator[str]:
    equal: list[Axis] = []
    own: list[Row] = []
    rounding = []
    for axis, members in _axes(rows).items():
        differing = [row for row in members if _differs(row)]
        if all(map(_is_own, differing)):
            equal.append(axis)
            own += differing
        else:
            rounding.append(f"{axis} rounding, {_largest(differing)}")
    if equal:
        beside = f" (multiply + reduce_sum: rounding, {_largest(own)})" if own else ""
        yield f"{', '.join(equal)} bitwise equal{beside}"
    yield from rounding


def _axes(rows: Sequence[Row]) -> Mapping[Axis, Sequence[Row]]:
    axes: dict[Axis, list[Row]] = {}
    for row in rows:
        axes.setdefault(row.finding.comparison.axis, []).append(row)
    return axes


def _differs(row: Row) -> bool:
    return VERDICTS[row.finding.verdict].differs


def _is_own(row: Row) -> bool:
    """Return whether a row compares convdiff's own sums, and no convolution."""
    return is_opinion(row.finding.comparison)


def _largest(rows: Sequence[Row]) -> str:
    """Return the largest difference of some rows: ulps, or |Δ| where sums cancel."""
    measured = [row.finding.comparison.difference for row in rows]
    there = [difference for difference in measured if difference is not None]
    if not there:
        return "not measured"
    ulp = max(difference.max_ulp for difference in there)
    if ulp <= FEW_ULPS:
        return f"≤ {count(ulp)} ulp"
    return f"|Δ| ≤ {max(difference.max_abs for difference in there):.3g}"


def _drift(case: CaseSummary, worst: Row) -> str:
    """Say what gives other bits than what, and how many; what it looks like; what else drifts."""
    comparison = worst.finding.comparison
    drifting = [row for row in case.rows if not row.finding.allowed]
    alike = [row for row in drifting if row.finding.comparison.axis == comparison.axis]
    if worst.finding.verdict == "same":
        return case.headline
    said = _sides(case, worst, alike)
    if worst.finding.fits:
        said += f": {worst.finding.fits}"
    measured = worst.measured.replace("/", " of ")
    size = "" if comparison.difference is None else f" ({measured}, {_largest(alike)})"
    axes = dict.fromkeys(row.finding.comparison.axis for row in drifting)
    also = [AXES[axis].noun for axis in axes if axis != comparison.axis]
    return said + size + (f"; also with {' and '.join(also)}" if also else "")


def _sides(case: CaseSummary, worst: Row, alike: Sequence[Row]) -> str:
    comparison, facts = worst.finding.comparison, AXES[worst.finding.comparison.axis]
    named = {
        "baseline": worst.baseline,
        "candidate": worst.candidate,
        "op": comparison.candidate.op,
    }
    if facts.value is not None:
        against = [row.finding.comparison for row in alike]
        same = [one for one in against if one.baseline == comparison.baseline]
        values = sorted({facts.value(one.candidate) for one in same})
        noun, verb = ONE_OR_MANY[comparison.axis][len(values) > 1]
        named |= {"values": f"{noun} {sentences.short(values)}", "verb": verb}
        named |= {"value": str(facts.value(comparison.baseline))}
    if facts.between_runtimes:
        named = {side: _called(case, name) for side, name in named.items()}
    return facts.brief.format(**named) + _in_runtime(case, worst)


def _called(case: CaseSummary, name: str) -> str:
    """Return a runtime's number with its id."""
    ids = {f"#{runtime.number}": f"{runtime.id} (#{runtime.number})" for runtime in case.runtimes}
    return ids.get(name, name)


def _in_runtime(case: CaseSummary, worst: Row) -> str:
    """Say in which runtime bits drift, where there are others and both sides are of one."""
    number = next((word for word in worst.where.split() if word.startswith("#")), "")
    return f" in {_called(case, number)}" if number else ""


def _runtimes(case: CaseSummary) -> str:
    there = [_runtime(one.name, one.text) for one in case.runtimes if one.available]
    absent = [f"{one.id} untested" for one in case.runtimes if not one.available]
    return " · ".join(there) + (f"  ({', '.join(absent)})" if absent else "")


def _runtime(name: str, text: str) -> str:
    """Say what runs, in one phrase: a runtime, its version and its threads."""
    version, *rest = text.split(", ")
    threads = [part for part in rest if part.endswith(("thread", "threads"))]
    return ", ".join([f"{name} {version.split(' ')[-1]}", *threads])


def _elements(row: Row, most: int) -> Grid | None:
    """Return the worst elements, by the indices that tell them apart."""
    elements = elements_of(row.finding.comparison, most)
    if not elements:
        return None
    varying, label = _varying([one.index.split(",") for one in elements])
    tone = VERDICTS[row.finding.verdict].tone
    columns: list[tuple[str, list[Span]]] = [
        (label, [Span(place) for place in varying]),
        ("exact", [Span(one.exact, "faint") for one in elements]),
        (_full(row.baseline), [Span(one.baseline) for one in elements]),
        (_full(row.candidate), [Span(one.candidate, tone) for one in elements]),
        ("ulp", [Span(one.ulp, tone) for one in elements]),
    ]
    if (
        sum(max(len(name), *(len(one.text) for one in spans)) + 2 for name, spans in columns)
        > WIDEST
    ):
        del columns[1]  # rather than a digit of the others
    names, values = zip(*columns, strict=True)
    return Grid(names, tuple(zip(*values, strict=True)))


def _varying(indices: Sequence[Sequence[str]]) -> tuple[list[str], str]:
    """Return each index reduced to the axes that vary, and what those are called."""
    columns = list(zip(*indices, strict=True))
    axes = [axis for axis, column in enumerate(columns) if len(set(column)) > 1] or [2]
    if axes == [2]:
        return [index[2] for index in indices], "position"
    return [",".join(index[a] for a in axes) for index in indices], ",".join(
        "nhwc"[a] for a in axes
    )


def _full(name: str) -> str:
    """Write T=7 as length 7."""
    return f"length {name[2:]}" if name.startswith("T=") else name


def _lines_without_drift(case: CaseSummary) -> Iterator[Line]:
    """Yield what a case has to say that did not drift: why it is untested, what is unsafe."""
    yield from case.failures
    for runtime in case.runtimes:
        if not runtime.available and case.result.outcome != "ok":
            yield line(f"  {runtime.id} ", runtime.reason)
    for one in case.advice.safe:
        if one.some_unsafe:
            yield line("  safe", one.text)


def _lines(case: CaseSummary, row: Row, *, alone: bool) -> Iterator[Line]:
    """Yield why, the orders, who is right, what agrees, what to do, how to accept and go on."""
    finding = row.finding
    yield line("  why", *_why(row))
    if finding.why is not None:
        yield from _orders(finding.why, row.names)
    yield from _right(row)
    agreeing = "; ".join(_agreeing(case, row))
    if agreeing:
        yield line("  ok", agreeing)
    yield from case.failures
    yield from _to_do(case, alone=alone)
    yield line("  more", f"-v for every comparison · convdiff rule {finding.verdict}")


def _why(row: Row) -> Iterator[str | Span]:
    """Say the cause, and how far it is proved; else what the verdict rests on."""
    why = row.finding.why
    if why is None or not why.causes:
        yield sentences.evidence(row.finding, row.names)
        yield "; cause unexplained" if why is not None else ""
        return
    replayed = [why.replayed[side] for side in ("baseline", "candidate") if side in why.replayed]
    done, total = (sum(column) for column in zip(*replayed, strict=True))
    share = "every bit" if done == total else f"{done:,} of {total:,} outputs bit for bit"
    yield Span("proved" if why.status == "proved" else "partly proved", "strong")
    yield f", NumPy replays {share}: {'; '.join(sign(cause) for cause in why.causes)}"


def _orders(why: Explanation, names: tuple[str, str]) -> Iterator[Line]:
    """Yield each order once, with its notation and who has it."""
    called: Mapping[Side, str] = {"baseline": _full(names[0]), "candidate": _full(names[1])}
    holders: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for order in why.orders:
        total = why.replayed[order.side][1]
        whole = "all" if order.elements == total else f"{order.elements:,}"
        share = f"{called[order.side]}: {whole} of {total:,}"
        first.setdefault(order.notation, called[order.side])
        holders.setdefault(order.notation, []).append(share)
    for notation, shares in list(holders.items())[:ORDERS]:
        yield line("  order", f"{', '.join(shares)}  ", Span(notation, "strong"))
    if len(holders) > ORDERS:
        yield line("  order", f"… and {len(holders) - ORDERS} more")


def _right(row: Row) -> Iterator[Line]:
    """Say who is closer to the exact result, and that rounding is no bug."""
    nearness = row.finding.comparison.nearness
    if nearness is None:
        return
    no_bug = " No bug." if row.finding.verdict == "rounding" else ""
    errors = {
        _full(row.names[0]): nearness.baseline_abs,
        _full(row.names[1]): nearness.candidate_abs,
    }
    if nearness.nearer == "neither":
        yield line("  right", f"both: at most {nearness.baseline_abs:.3g} from exact.{no_bug}")
        return
    near, far = sorted(errors, key=lambda name: errors[name])
    text = f"{near} is nearer: at most {errors[near]:.3g} from exact, not {errors[far]:.3g}."
    yield line("  right", text + no_bug)


def _agreeing(case: CaseSummary, worst: Row) -> Iterator[str]:
    """Say what does not drift: along the drifting axis by value, along others in a phrase."""
    axis = worst.finding.comparison.axis
    fine = [row for row in case.rows if row.finding.allowed]
    facts = AXES[axis]
    along = [row for row in fine if _is_along(row, worst) and not _differs(row)]
    if facts.value is not None and along:
        comparison = along[0].finding.comparison
        values = sorted({facts.value(row.finding.comparison.candidate) for row in along})
        yield f"{axis} {sentences.short(values)} = {axis} {facts.value(comparison.baseline)}"
    yield from _by_standing([row for row in fine if row.finding.comparison.axis != axis])


def _is_along(row: Row, worst: Row) -> bool:
    """Return whether a row compares along the worst one's axis in the same runtime."""
    one, other = row.finding.comparison, worst.finding.comparison
    return one.axis == other.axis and one.candidate.runtime == other.candidate.runtime


def _to_do(case: CaseSummary, *, alone: bool) -> Iterator[Line]:
    """Yield which lengths are safe, what usually helps, and what to write to accept it."""
    advice, result = case.advice, case.result.case
    fixes = [f"pad to {sentences.pad_to(one)}" for one in case.result.safe_lengths if one.unsafe]
    fixes += [f"usually {remedy}; not tried here" for remedy in advice.remedies]
    for fix in fixes[: None if alone else 1]:
        yield line("  fix", fix)
    if advice.expect:
        inside = ", ".join(f"{axis}: {allowance}" for axis, allowance in advice.expect.items())
        place = result.places.get(next(iter(advice.expect)))
        where = f"   at {place.file}:{place.line}" if place and not result.built_in else ""
        yield line("  accept", f"expect: {{{inside}}}", Span(where, "faint"))
