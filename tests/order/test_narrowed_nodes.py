"""Which sums are narrowed: an answer for every tree, whatever level or step is asked of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from synthetic import random_tree

from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.narrowed import narrowed_nodes
from convdiff.order.tree.levels import levels
from convdiff.order.tree.notation import parse


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """Fail where there is no answer, instead of waiting for one."""

    def late(*_: object) -> None:
        raise AssertionError("no answer")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("level", [1, 2, 3, 64])
@pytest.mark.parametrize("bias", [False, True])
def test_every_tree_has_an_answer_at_every_level(level: int, bias: bool):
    """A counterfactual asks a chain for another tree's blocks, a recording for anything."""
    for seed in range(60):
        tree = random_tree(2 + seed % 23, bias, seed)
        for formats in ({"total": "bfloat16"}, {"block": "bfloat16"}):
            nodes = narrowed_nodes(tree, Arithmetic(level=level, **formats))
            assert set(nodes.values()) <= {"bfloat16"}
            assert all(tree.leaves <= node <= tree.root for node in nodes)
            if levels(tree)[tree.root] <= level:
                assert not nodes, "there is no total that blocks are added to"


def test_a_chain_has_no_blocks_and_two_blocks_have_a_total():
    asked = Arithmetic(level=1, total="bfloat16")
    assert not narrowed_nodes(parse("((((0+1)+2)+3)+4)"), asked)
    blocks = parse("((0+1)+(2+3))")
    assert blocks.root in narrowed_nodes(blocks, asked)
