"""What the short report calls runtimes and sides: by what tells them apart, where that is short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
    ids = {f"#{runtime.number}": runtime.id for runtime in case.runtimes}
    name = _short(case).get(number) or ids.get(number)
    return number if name is None else f"{name} ({number})"


def _short(case: CaseSummary) -> Mapping[str, str]:
    """Return a short name for each runtime's number, of one kind for all; else none."""
    runtimes = [runtime for runtime in case.runtimes if runtime.available and runtime.number]
    for kind in ("bare", "product", "marks"):
        names = [str(getattr(runtime, kind)) for runtime in runtimes]
        if (
            all(names)
            and len(set(names)) == len(names)
            and max(map(len, names), default=0) <= SHORT
        ):
            return {f"#{one.number}": name for one, name in zip(runtimes, names, strict=True)}
    return {}


def runtime_parts(case: CaseSummary, *, reasons: bool) -> Iterator[str]:
    """Yield what runs, each with its version and threads, then what is absent, and why."""
    for one in case.runtimes:
        if one.available:
            yield runtime_part(one)
    absent = [runtime for runtime in case.runtimes if not runtime.available]
    if absent:
        why = f": {absent[0].reason}" if reasons and len(absent) == 1 else ""
        yield f"{', '.join(dict.fromkeys(one.missing for one in absent))} untested{why}"


def runtime_part(runtime: RuntimeLine) -> str:
    """Say what runs: #1 tensorflow:cpu 1.0.0 [python=old], 2 threads."""
    if not runtime.product:
        return f"{runtime.name} {runtime.text}"
    number = f"#{runtime.number}" if runtime.number else ""
    marks = f"[{runtime.marks}]" if runtime.marks else ""
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
