"""Summation schemes drawn at random, the trees that they grow, and orders seen of real kernels."""

from __future__ import annotations

import random

from convdiff.order.tree.cuts import Even, Every, Panels, Whole
from convdiff.order.tree.schemes import Blocks, Chain, Halves, Lanes, Rounds, Scheme
from convdiff.order.tree.tree import Tree

SIMPLE: tuple[Scheme, ...] = (Chain(), Chain(backwards=True), Rounds(), Halves())

#: How Eigen adds the shares of threads, where they are no whole registers.
THREES = Blocks(Whole(3, 1), Blocks(Every(3, 2)))
SHARES = Blocks(Every(4), THREES, THREES)

ORDERS = {
    # In the notation, with the (kh, kw, cin) of the filter.
    "one chain": ("[0..599]*", (1, 600, 1)),
    "one chain, bias first": ("[b 0..599]", (1, 600, 1)),
    "one chain, bias last": ("[0..767 b]*", (1, 12, 64)),
    "channels outside, bias first": ("[b (0..704:64)^64+1]", (1, 12, 64)),
    "channels outside, (kh, kw) inside": ("[(0..512:64)^64+1]", (3, 3, 64)),
    "blocks of 16": ("[([0..15])^62+16 [992..1000]]", (1, 1001, 1)),
    "blocks of 4 positions": (
        "[([0..192:64] [256..448:64] [512..704:64])^64+1 b]",
        (1, 12, 64),
    ),
    "blocks of 288": ("[[0..287]* [288..575]* b]", (3, 3, 64)),
    "blocks of 56 channels": ("[[(0..55)^9+64]* [(56..63)^9+64]* b]", (3, 3, 64)),
    "8 lanes": ("<([0..1992:8])^8+1>", (1, 2000, 1)),
    "4 fused lanes": ("<([0..764:4]*)^4+1>", (1, 1, 768)),
    "lanes of halves, 4 taps before and after": (
        "[[0..4 12..756:8] [8..760:8] [[6..758:8] [10..762:8]] <|([5..757:8])^4+2|> 764..767]",
        (1, 1, 768),
    ),
    "4 lanes, 1 tap before": (
        "[[0 1..997:4] [3..999:4] [[2..998:4] [4..1000:4]]]",
        (1, 1001, 1),
    ),
    "unequal lanes": ("[<([0..3840:8])^4+1> <([4..3836:8])^4+1>]", (62, 62, 1)),
    "8 lanes in a register's order": (
        "<([0..568:8]* [1..569:8]* [4..572:8]* [5..573:8]*)^2+2>",
        (3, 3, 64),
    ),
    "panels of lanes": (
        "[(<([0..488:8]* [1..489:8]* [4..492:8]* [5..493:8]*)^2+2> <(496 497 500 501)^2+2>)^3+504 "
        "<([1512..1984:8]* [1513..1985:8]* [1516..1988:8]* [1517..1989:8]*)^2+2> "
        "<(1992 1993 1996 1997)^2+2> b]",
        (1, 2000, 1),
    ),
    "two shares of panels of lanes": (
        "[<(([0..248:8]* [1..249:8]* [4..252:8]* [5..253:8]*)^2+2)^2+256> "
        "<([512..760:8]* [513..761:8]* [516..764:8]* [517..765:8]*)^2+2> "
        "<([768..984:8]* [769..985:8]* [772..988:8]* [773..989:8]*)^2+2> "
        "<(992 993 996 997)^2+2> "
        "[<(([1000..1248:8]* [1001..1249:8]* [1004..1252:8]* [1005..1253:8]*)^2+2)^2+256> "
        "<([1512..1760:8]* [1513..1761:8]* [1516..1764:8]* [1517..1765:8]*)^2+2> "
        "<([1768..1984:8]* [1769..1985:8]* [1772..1988:8]* [1773..1989:8]*)^2+2> "
        "<1992..1995> [1996 1997] 1998]]",
        (1, 1999, 1),
    ),
    "two shares of panels": (
        "[([0..319]*)^12+320 [3840..4079]* [([4080..4391]*)^13+312 [8136..8146]*]]",
        (1, 8147, 1),
    ),
    "four shares of panels, pairwise": (
        "[[[0..255]* [256..503]*] [[504..759]* [760..1007]*] [[1008..1263]* [1264..1511]* "
        "[[1512..1759]* [1760..2002]*]]]",
        (1, 2003, 1),
    ),
    "four shares of panels, the first one last": (
        "[[([1504..1807]*)^4+304 [2720..3007]*] [([3008..3311]*)^4+304 [4224..4511]*] "
        "[([4512..4815]*)^4+304 [5728..6006]*] [([0..303]*)^4+304 [1216..1503]*]]",
        (1, 6007, 1),
    ),
    "eight shares of panels": (
        "[([[752..1007]* [1008..1263]* [1264..1503]*])^3+752 [[0..255]* [256..511]* [512..751]*] "
        "[[[3760..4015]* [4016..4271]* [4272..4511]*] [[4512..4767]* [4768..5023]* [5024..5263]*] "
        "[[5264..5519]* [5520..5775]* [5776..6006]*] [[3008..3263]* [3264..3519]* [3520..3759]*]]]",
        (1, 6007, 1),
    ),
    "windows of 32, and of these": (
        "[[24..55] [0..23] ([56..87])^30+32 [([1016..1047])^30+32 [1976..1999]]]",
        (1, 2000, 1),
    ),
    "windows in two axes": ("<([(0..30)^31+62] [(31..61)^31+62])^2+1922>", (62, 62, 1)),
    "lanes of channel pairs": ("<|([([(0 1)^125+64]*)^4+16])^8+2|>", (1, 4000, 2)),
}


def grown(scheme: Scheme, taps: int, fused: bool = False) -> Tree:
    """Return the tree that a scheme grows over taps in memory's order, fused in its chains."""
    children: list[tuple[int, int]] = []
    marks: list[int] = []

    def join(one: int, other: int, kind: str) -> int:
        children.append((one, other))
        marks.append(other if fused and kind == "chain" and other < taps else -1)
        return taps + len(children) - 1

    scheme.grow(range(taps), join)
    return Tree.build(taps, taps, children, marks)


def scheme(seed: int, taps: int) -> Scheme:
    """Draw a scheme of the families that guesses know."""
    rng = random.Random(seed)
    draw = rng.choice([_simple, _lanes, _blocks, _short_first, _panels, _shares])
    return draw(rng, taps)


def _simple(rng: random.Random, taps: int) -> Scheme:
    return rng.choice(SIMPLE)


def _lanes(rng: random.Random, taps: int) -> Scheme:
    width = rng.choice([2, 3, 4, 5, 7, 8, 12, 16])
    ahead = rng.choice([0, rng.randrange(width)]) if width in (4, 8) else 0
    across = rng.choice(SIMPLE)
    if width in (4, 8, 16) and rng.random() < 0.6:
        bits = list(range(width.bit_length() - 1))
        rng.shuffle(bits)
        across = Rounds(tuple(bits))
    lanes = Lanes(width, ahead, across)
    return rng.choice([lanes, *(Blocks(Whole(width, ahead, one), lanes) for one in (True, False))])


def _blocks(rng: random.Random, taps: int) -> Scheme:
    inside = rng.choice([Chain(), Chain(), Rounds(), Halves()])
    return Blocks(Every(rng.randrange(2, taps // 4)), inside, rng.choice([Chain(), Rounds()]))


def _short_first(rng: random.Random, taps: int) -> Scheme:
    return Blocks(Every(rng.randrange(2, taps // 4), rng.choice([1, 2])))


def _panels(rng: random.Random, taps: int) -> Scheme:
    return Blocks(Panels(8 * rng.randint(4, 4 + taps // 16)), Lanes(8, 0, Rounds((0, 2, 1))))


def _shares(rng: random.Random, taps: int) -> Scheme:
    panels = Blocks(Even(8 * rng.randint(2, taps // 32)))
    share = 8 * rng.randint(taps // 64 + 1, taps // 16)
    return Blocks(Every(share), panels, rng.choice([Chain(), Rounds(), SHARES]))
