"""What the short report calls runtimes and sides: by what tells them apart, where that is short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.words import given
from convdiff.report.groups import Row
from convdiff.report.summary import CaseSummary, RuntimeLine

SHORT = 18
"""Characters of a name that stands over a column."""


def full(name: str) -> str:
    """Write T=7 as length 7; other names of sides stay."""
    return f"length {name[2:]}" if name.startswith("T=") else name


def side_names(case: CaseSummary, row: Row) -> tuple[str, str]:
    """Return what baseline and candidate of a row are called."""
    short = _short(case)
    baseline, candidate = (short.get(name, full(name)) for name in row.names)
    return baseline, candidate


def called(case: CaseSummary, number: str) -> str:
    """Return a runtime's number with its id, version or setting, whichever is short."""
    names = {f"#{runtime.number}": runtime.id for runtime in case.runtimes} | _short(case)
    if number not in names:
        return number
    return f"{names[number]} ({number})"


def _short(case: CaseSummary) -> dict[str, str]:
    """Return a short name for each runtime's number, of one kind for all; else none."""
    numbers = [f"#{runtime.number}" for runtime in case.present if runtime.number]
    for kind in ("bare", "product", "marks"):
        names = [str(getattr(runtime, kind)) for runtime in case.present if runtime.number]
        fit = all(0 < len(name) <= SHORT for name in names)
        if fit and len(set(names)) == len(names):
            return dict(zip(numbers, names, strict=True))
    return {}


def runtime_parts(case: CaseSummary, *, reasons: bool) -> Iterator[str]:
    """Yield what runs, each with its version and threads, then what is absent, and why."""
    yield from map(runtime_part, case.present)
    missing = ", ".join(dict.fromkeys(one.missing for one in case.absent))
    if reasons and len(case.absent) == 1:
        yield f"{missing} untested: {case.absent[0].reason}"
    elif case.absent:
        yield f"{missing} untested"


def runtime_part(runtime: RuntimeLine) -> str:
    """Say what runs: #1 tensorflow:cpu 1.0.0 [python=old], 2 threads."""
    if not runtime.product:
        return f"{runtime.name} {runtime.text}"
    number, marks = given(runtime.number, "#{}"), given(runtime.marks, "[{}]")
    named = filter(None, (number, runtime.bare, runtime.version, marks))
    return f"{' '.join(named)}, {runtime.threads}"


def packed(parts: Sequence[str], width: int) -> list[str]:
    """Return the parts in lines, as many in each as have room."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines
