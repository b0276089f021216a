"""A suggested `expect` passes on what was seen, is no looser than needed, and hides no bug."""

from __future__ import annotations

from dataclasses import replace

from findings import CELL, OTHER
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.axes import AXES
from convdiff.case.model import DEFAULT_EXPECT, Allowance
from convdiff.compare.comparison import Comparison
from convdiff.compare.difference import Difference
from convdiff.diagnose.suggest import FEW_ULPS, suggest
from convdiff.diagnose.verdict import Finding, largest_ulp
from convdiff.diagnose.verdicts import permits

ALLOWANCES = st.sampled_from(
    [*map(Allowance, ("bitwise", "rounding", "anything")), *(Allowance("ulps", n) for n in (1, 5))]
)
EXPECTS = st.fixed_dictionaries({axis: ALLOWANCES for axis in AXES})


@st.composite
def findings(draw: st.DrawFn, verdicts: tuple[str, ...]) -> tuple[dict, list[Finding]]:
    """Draw an `expect` and findings that were held against it."""
    expect, made = draw(EXPECTS), []
    for _ in range(draw(st.integers(1, 5))):
        axis, verdict = draw(st.sampled_from(list(AXES))), draw(st.sampled_from(verdicts))
        ulps = 0 if verdict in ("same", "untested") else draw(st.integers(1, 18))
        appeared = int(verdict == "rounding" and draw(st.integers(0, 9)) == 9)
        difference = Difference(10, int(ulps > 0), float(ulps), ulps, appeared=appeared)
        comparison = Comparison(axis, CELL, OTHER, None if verdict == "untested" else difference)
        allowed = permits(expect[axis], verdict, largest_ulp(comparison))
        made.append(Finding(comparison, verdict, allowed))
    return expect, made


@given(findings(("same", "rounding", "untested")))
def test_a_suggestion_passes_on_every_finding(drawn):
    expect, made = drawn
    suggestion = suggest(expect, made)
    drifted = [finding for finding in made if not finding.allowed]
    assert (suggestion is None) == (not drifted), "rounding that drifted can always be accepted"
    if suggestion is not None:
        for finding in made:
            comparison = finding.comparison
            allowance = suggestion[comparison.axis]
            assert permits(allowance, finding.verdict, largest_ulp(comparison))


@given(findings(("same", "rounding")))
def test_a_suggestion_changes_only_what_drifted_and_no_more_than_needed(drawn):
    expect, made = drawn
    suggestion = suggest(expect, made)
    if suggestion is None:
        return
    drifted = {finding.comparison.axis for finding in made if not finding.allowed}
    for axis in AXES:
        if axis not in drifted:
            assert suggestion[axis] == expect[axis]
            continue
        of_axis = [finding for finding in made if finding.comparison.axis == axis]
        most = max(largest_ulp(finding.comparison) for finding in of_axis)
        assert suggestion[axis].kind == ("ulps" if most <= FEW_ULPS else "rounding")
        if most <= FEW_ULPS:
            tighter = replace(suggestion[axis], ulps=suggestion[axis].ulps - 1)
            assert not all(
                permits(tighter, finding.verdict, largest_ulp(finding.comparison))
                for finding in of_axis
            )


@given(findings(("same", "rounding", "wrong", "unstable", "precision", "transform")))
def test_no_suggestion_accepts_more_than_rounding(drawn):
    expect, made = drawn
    if any(f.verdict not in ("same", "rounding") and not f.allowed for f in made):
        assert suggest(expect, made) is None


def test_nothing_is_suggested_where_nothing_drifted():
    assert suggest(DEFAULT_EXPECT, []) is None
