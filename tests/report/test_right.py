"""Which side is right: at its worst, and how often."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made import case_of, drifted

from convdiff.compare.comparison import Nearness
from convdiff.report.sentences import nearer

ERRORS = "largest error: T=9: {:.3g}, T=7: {:.3g}"


@pytest.mark.parametrize(
    ("sizes", "often", "said"),
    [
        ((1, 1), (2, 5), "T=7 is nearer more often, at 5 of 9 elements, T=9 at 2; their largest"),
        ((1, 1), (5, 2), "T=9 is nearer more often, at 5 of 9 elements, T=7 at 2; their largest"),
        ((1, 2), (2, 5), "; T=7 is nearer more often, at 5 of 9 elements, T=9 at 2"),
        ((2, 1), (3, 3), "; each is nearer at 3 of 9 elements"),
        ((1, 1), (3, 3), "both; their largest errors are equal"),
        ((1, 1), (0, 0), "each is nearer at 0 of 9 elements"),
    ],
)
def test_right_is_both_only_where_neither_is_nearer_more_often(
    sizes: tuple[float, float], often: tuple[int, int], said: str
) -> None:
    finding = drifted()
    nearness = Nearness(1.0, 1.0, *sizes, *often, elements=9)
    comparison = replace(finding.comparison, nearness=nearness)
    text = nearer(comparison, case_of([replace(finding, comparison=comparison)]))
    assert said in text
    assert ("both" in text) == (sizes[0] == sizes[1] and often[0] == often[1])
    if sizes[0] != sizes[1]:
        name = "T=9" if sizes[0] < sizes[1] else "T=7"
        assert text.startswith(f"{name} is closer to the exact result ({ERRORS.format(*sizes)})")
