"""A scheme says without a tree what the tree that it grows says."""

from __future__ import annotations

import random

import numpy as np
import pytest
import schemes_drawn
from hypothesis import given
from hypothesis import strategies as st
from soak import soak

from convdiff.order.tree.cuts import Even, Every, Panels, Whole
from convdiff.order.tree.notation import notation, parse
from convdiff.order.tree.schemes import Blocks, Chain, Halves, Lanes, Rounds, Scheme


def check(scheme: Scheme, taps: int) -> None:
    tree = schemes_drawn.grown(scheme, taps)
    rng = np.random.default_rng(taps)
    i = rng.integers(0, taps, 200)
    j = (i + rng.integers(1, taps, 200)) % taps
    sizes = [tree.size_under_lca(a, b) for a, b in zip(i.tolist(), j.tolist(), strict=True)]
    assert scheme.under(i, j, taps).tolist() == sizes, (scheme, taps)


@soak(3000, database=None)
@given(st.integers(0, 2**32), st.integers(64, 300))
def test_the_sum_that_two_terms_meet_in_has_the_size_said(seed: int, taps: int) -> None:
    check(schemes_drawn.scheme(seed, taps), taps)


@soak(3000, database=None)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_so_it_has_where_schemes_are_nested(seed: int, taps: int) -> None:
    rng = random.Random(seed)

    def scheme(depth: int) -> Scheme:
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(schemes_drawn.SIMPLE)
        if rng.random() < 0.4:
            return Lanes(rng.randint(2, 9), rng.randint(0, 3), scheme(depth - 1), rng.randint(1, 3))
        cut = rng.choice(
            [
                Every(rng.randint(2, 12), rng.randint(0, 2)),
                Panels(8 * rng.randint(1, 4)),
                Even(8 * rng.randint(1, 4)),
                Whole(rng.randint(2, 9), rng.randint(0, 3), rng.random() < 0.5),
            ]
        )
        return Blocks(cut, scheme(depth - 1), scheme(depth - 1))

    check(scheme(3), taps)


@pytest.mark.parametrize(
    ("scheme", "order"),
    [
        (Chain(), "(((((0+1)+2)+3)+4)+5)"),
        (Chain(backwards=True), "(0+(1+(2+(3+(4+5)))))"),
        (Rounds(), "(((0+1)+(2+3))+(4+5))"),
        (Halves(), "((0+(1+2))+(3+(4+5)))"),
        (Lanes(2), "(((0+2)+4)+((1+3)+5))"),
        (Lanes(2, 1), "((((0+1)+3)+5)+(2+4))"),
        (Lanes(2, 0, Rounds(), 2), "((((0+1)+4)+5)+(2+3))"),
        (Blocks(Every(4)), "((((0+1)+2)+3)+(4+5))"),
        (Blocks(Every(4, 1)), "(((0+1)+2)+((3+4)+5))"),
        (Blocks(Every(4, 2)), "((0+1)+(((2+3)+4)+5))"),
        (schemes_drawn.SHARES, "((0+((1+2)+3))+(4+5))"),
        (Blocks(Whole(4)), "(((((0+1)+2)+3)+4)+5)"),
        (Blocks(Whole(4, 0, False)), "((((0+1)+2)+3)+(4+5))"),
    ],
)
def test_small_orders_of_each_scheme(scheme: Scheme, order: str) -> None:
    assert notation(schemes_drawn.grown(scheme, 6)) == order


def test_of_eight_lanes_partners_are_taken_bit_by_bit() -> None:
    seen = schemes_drawn.grown(Lanes(8, 0, Rounds((0, 2, 1))), 8)
    assert seen == parse("<(0 1 4 5)^2+2>")
    assert schemes_drawn.grown(Lanes(8, 0, Rounds((2, 1, 0))), 8) == parse("<|0..7|>")


def test_panels_are_those_that_were_seen() -> None:
    starts = [0, 496, 504, 1000, 1008, 1504, 1512, 1992]
    assert Even(320).starts(4080).tolist() == [320 * k for k in range(13)]
    assert Even(320).starts(4067).tolist() == [312 * k for k in range(14)]
    assert Panels(512).starts(2000).tolist() == starts
    assert Panels(320).starts(1916).tolist() == [0, 320, 640, 960, 1280, 1600, 1904, 1912]
    assert Panels(320).starts(4067)[-4:].tolist() == [4048, 4056, 4064, 4066]


def test_xla_s_windows_are_those_that_were_seen() -> None:
    starts = Every(32, 1).starts(2000)
    assert starts[:3].tolist() == [0, 24, 56]
    assert starts[-1] == 1976
