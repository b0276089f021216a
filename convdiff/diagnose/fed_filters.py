"""What is to be known where a runtime is fed its filter: a model's may take another kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from convdiff.case.axes import AXES
from convdiff.diagnose.verdict import Finding
from convdiff.runtime.constant import as_in_a_model, is_fed
from convdiff.runtime.model import Runtime

OF_KERNELS = ("rounding", "transform")
"""Verdicts that another kernel brings."""


def fed_filter_notes(findings: Sequence[Finding], runtimes: Sequence[Runtime]) -> Iterator[str]:
    """Yield a note for each runtime of a drift between runtimes that is fed its filter.

    Of drift that another kernel brings; not where the same runtime with a constant is among those
    of the run, and not of what is recorded. runtimes: of the run.
    """
    drifting = [one for one in findings if not one.allowed and _is_of_kernels(one)]
    cells = chain.from_iterable(one.comparison.cells for one in drifting)
    for runtime in dict.fromkeys(cell.runtime for cell in cells):
        constant = as_in_a_model(runtime)
        if is_fed(runtime) and not runtime.origin and constant not in runtimes:
            yield (
                f"{runtime.id} is fed the filter; a model's is a constant, which may have other"
                f" bits: {constant.id}"
            )


def _is_of_kernels(finding: Finding) -> bool:
    between = AXES[finding.axis].between_runtimes
    return between and finding.verdict in OF_KERNELS
