"""The table of differing elements, worst first."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from convdiff.compare.comparison import Comparison
from convdiff.report.console import style, words
from convdiff.report.numbers import count, decimal, delta
from convdiff.result import CaseResult


def element_table(comparison: Comparison, case: CaseResult) -> Table:
    """Return index, both values, Δ, ulps and the exact value of the worst elements."""
    assert comparison.difference is not None and comparison.difference.worst is not None
    assert comparison.exact is not None
    worst = comparison.difference.worst
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1), header_style="dim")
    table.add_column("n,h,w,c", no_wrap=True)
    for name in (*words.sides(comparison, case), "Δ", "ulp", "exact"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in range(len(worst)):
        ulp = int(worst.ulp[row])
        colour = style.severity(ulp)
        table.add_row(
            ",".join(str(int(i)) for i in worst.index[row]),
            decimal(worst.baseline[row]),
            Text(decimal(worst.candidate[row]), style=colour),
            Text(delta(float(worst.delta[row])), style=colour),
            Text(count(ulp), style=colour),
            Text(decimal(comparison.exact[row]), style="dim"),
        )
    return table
