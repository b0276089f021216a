"""What is expected and large is explained where it is asked for, and says how to ask."""

from __future__ import annotations

import pytest
from findings import tensors
from kernels import direct, shuffled
from trip import explained

from convdiff.cli.options import options_of
from convdiff.cli.recordings import refuse_options
from convdiff.cli.run import command as run
from convdiff.errors import ConvdiffError
from convdiff.plan.cost import LIGHT
from convdiff.worker.ops.convolution import Convolution

CONV, SHAPE = Convolution((3, 3), 4, 8), (1, 62, 62, 4)
PRODUCTS = 60 * 60 * 8 * 36


@pytest.mark.slow
def test_what_is_large_and_expected_says_which_option_asks_for_its_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert PRODUCTS < LIGHT
    finding = explained(CONV, tensors(CONV, SHAPE, 3, bias=False), direct, shuffled(3))
    assert finding.why is not None
    monkeypatch.setattr("convdiff.diagnose.attribute.LIGHT", PRODUCTS - 1)
    finding = explained(CONV, tensors(CONV, SHAPE, 3, bias=False), direct, shuffled(3))
    assert finding.allowed
    assert finding.why is None
    assert "--explain asks for all" in finding.unasked


@pytest.mark.slow
@pytest.mark.parametrize(
    ("up_to", "asked"), [(float("inf"), True), (PRODUCTS, True), (PRODUCTS - 1, False)]
)
def test_it_is_explained_up_to_the_size_that_is_asked_for(up_to: float, asked: bool) -> None:
    finding = explained(CONV, tensors(CONV, SHAPE, 3, bias=False), direct, shuffled(3), up_to)
    assert (finding.why is not None) == asked
    if finding.why is not None:
        assert finding.why.status == "proved"
        assert finding.verdict == "rounding"


@pytest.mark.parametrize(
    ("words", "up_to"),
    [
        ([], None),
        (["--explain"], float("inf")),
        (["--explain-up-to", "1e7"], 1e7),
        (["--explain", "--explain-up-to", "5"], 5),
        (["--no-explain"], None),
    ],
)
def test_options_say_how_much_is_explained(words: list[str], up_to: float | None) -> None:
    values = dict(run.make_context("run", list(words)).params)
    values.pop("cases")
    assert options_of(values).explained_up_to == up_to


def test_a_size_to_explain_and_no_explanation_are_refused_together() -> None:
    values = dict(run.make_context("run", ["--no-explain", "--explain-up-to", "5"]).params)
    values.pop("cases")
    with pytest.raises(ConvdiffError, match="--explain-up-to or --no-explain"):
        refuse_options(options_of(values), [])
