"""Sentences of the console report, made from a result's own fields."""

from __future__ import annotations

from convdiff.case.ranges import write_range
from convdiff.compare.comparison import Comparison
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding
from convdiff.recording.observation import Cell
from convdiff.report.numbers import count, delta
from convdiff.result import CaseResult
from convdiff.runtime.model import Standing

AXES = {
    "length": "the input length",
    "batch": "the batch size",
    "threads": "the thread count",
    "repeat": "every repeat",
    "baseline": "the baseline",
    "device": "the device",
    "runtime": "the runtime",
    "reference": "the reference (multiply + reduce_sum)",
}


def worst_finding(case: CaseResult) -> Finding | None:
    """Return the finding that a headline is about: drift first, then the largest difference."""
    graver = ("wrong", "unstable", "precision", "transform", "rounding")
    candidates = [f for f in case.findings if f.verdict in graver]
    return max(
        candidates,
        key=lambda f: (
            not f.allowed,
            -graver.index(f.verdict),
            f.comparison.difference.max_abs if f.comparison.difference else 0.0,
        ),
        default=None,
    )


def headline(case: CaseResult) -> str:
    """Return the answer in one sentence."""
    worst = worst_finding(case)
    if worst is None:
        return _nothing_differs(case)
    comparison, difference = worst.comparison, worst.comparison.difference
    drift = [f for f in case.findings if not f.allowed and f.comparison.axis == comparison.axis]
    if worst.allowed:
        text = f"differs from {AXES[comparison.axis]} only as expected"
    elif comparison.axis == "reference":
        text = "differs from multiply + reduce_sum"
    elif comparison.axis == "repeat":
        text = "the bits change from one repeat to the next"
    else:
        text = f"the bits change with {AXES[comparison.axis]}"
    if not worst.allowed and comparison.axis in ("length", "batch"):
        values = sorted({getattr(f.comparison.candidate, comparison.axis) for f in drift})
        text += f" ({comparison.axis} {_short(values)} ≠ {_of(comparison.baseline, comparison)})"
    text += f": {worst.verdict}"
    if worst.verdict == "rounding":
        text += ", unexplained" if not worst.allowed else ""
        text += f", at most {_ulps(drift or [worst])} ulp"
    if difference and difference.differing and worst.verdict != "same":
        text += f", |Δ| ≤ {difference.max_abs:.8e}"
    return text


def _nothing_differs(case: CaseResult) -> str:
    kinds = [finding.verdict for finding in case.findings]
    if not kinds:
        return "nothing was compared: no runtime was there" if not case.done else "nothing to compare"
    same = kinds.count("same")
    if same == len(kinds):
        return f"bitwise equal in all {same} comparisons"
    left = [f"{kinds.count(kind)} {kind}" for kind in ("mistrusted", "untested") if kind in kinds]
    return f"{same} of {len(kinds)} comparisons bitwise equal, {' and '.join(left)}"


def sides(comparison: Comparison) -> tuple[str, str]:
    """Name both sides by what tells them apart."""
    return _of(comparison.baseline, comparison), _of(comparison.candidate, comparison)


def _of(cell: Cell, comparison: Comparison) -> str:
    names = {
        "length": f"T={cell.length}",
        "batch": f"batch {cell.batch}",
        "repeat": f"run {cell.repeat + 1}",
        "reference": cell.op,
    }
    return names.get(comparison.axis, cell.runtime.id)


def context(comparison: Comparison, case: CaseResult) -> str:
    """Name what both sides share, as far as the case has more than one of it."""
    cell, parts = comparison.candidate, []
    if comparison.axis != "length" and len(case.case.lengths) > 1:
        parts.append(f"T={cell.length}")
    if comparison.axis != "batch" and len(case.case.batches) > 1:
        parts.append(f"batch {cell.batch}")
    if comparison.axis not in ("device", "runtime", "threads") and len(case.runtimes) > 1:
        parts.append(cell.runtime.id)
    if comparison.axis != "reference" and cell.op != "conv2d":
        parts.append(cell.op)
    return ", ".join(parts)


def nearer(comparison: Comparison) -> str:
    """Say which side is closer to the correctly rounded result."""
    found = comparison.nearness
    if found is None:
        return ""
    baseline, candidate = sides(comparison)
    errors = f"{baseline}: {_error(found.baseline)}, {candidate}: {_error(found.candidate)}"
    if found.nearer == "neither":
        return f"equally far from exact at their worst ({errors})"
    name = baseline if found.nearer == "baseline" else candidate
    return f"{name} is nearer to exact at its worst ({errors})"


def safe(found: SafeLengths) -> str:
    """Say which lengths are safe, with the rule where there is one."""
    if found.untested and not found.lengths[:-1] and not found.unsafe:
        return f"untested against T={found.longest}"
    tried = f"on this input and on {found.inputs} or more random ones"
    if not found.unsafe:
        text = f"all lengths agree with T={found.longest} {tried}"
    elif len(found.lengths) == 1:
        text = f"none agrees with T={found.longest}"
    else:
        listed = found.rule or _short(list(found.lengths[:-1]))
        text = f"{listed}: bit-identical to T={found.longest} {tried}"
    return text + (f"; untested: {_short(list(found.untested))}" if found.untested else "")


def fingerprint(standing: Standing) -> str:
    """Describe a runtime in one line."""
    seen = standing.fingerprint
    if not standing.available:
        return f"untested: {standing.reason}"
    isa = next((name for name in seen.get("cpu_isa", ()) if not name.startswith("fma")), "")
    cap = seen.get("settings", {}).get("ONEDNN_MAX_CPU_ISA")
    parts = [
        f"{seen.get('framework')} {seen.get('version')}",
        {True: "oneDNN on", False: "oneDNN off"}.get(seen.get("onednn"), ""),
        f"CPU {isa}" + (f" capped at {cap}" if cap else ""),
        f"{seen.get('threads')} thread" + ("s" if seen.get("threads") != 1 else ""),
        f"Python {seen.get('python')}",
    ]
    if standing.runtime.device != "cpu":
        parts[2] = str(seen.get("device_names", {}).get(standing.runtime.device, ""))
    return ", ".join(part for part in parts if part)


def measured(comparison: Comparison) -> str:
    """Say how much differs, in a few words."""
    difference = comparison.difference
    if difference is None:
        return comparison.reason or ""
    if not difference.differing:
        return f"{difference.elements:,} equal"
    return f"{difference.differing:,} of {difference.elements:,}"


def largest(comparison: Comparison) -> tuple[str, str]:
    """Return the largest difference and the largest distance in ulps."""
    difference = comparison.difference
    if difference is None or difference.worst is None:
        return "", ""
    return delta(float(difference.worst.delta[0])), count(difference.max_ulp)


def _short(values: list[int]) -> str:
    text = write_range(tuple(values))
    parts = text.split(", ")
    return text if len(parts) <= 8 else ", ".join(parts[:7]) + f", … {len(values)} in all"


def _ulps(findings: list[Finding]) -> str:
    return count(max(f.comparison.difference.max_ulp for f in findings if f.comparison.difference))


def _error(ulp: float) -> str:
    return f"{ulp:.3g} ulp"
