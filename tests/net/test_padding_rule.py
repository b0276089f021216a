"""Rules behind safe lengths, and the paper minima of nets that pad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_nets import conv, layer, net, nine_layers

from convdiff.net.along import along
from convdiff.net.field import aligned
from convdiff.net.padding.paper import Paper
from convdiff.net.padding.rule import find_rule

UP = "conv2d_transpose"
NINE = Paper(nine_layers(), 1200)


def minima(paper: Paper, data: range) -> dict[int, int]:
    return {one: group.minimum for group in paper.groups(data) for one in group.data}


@pytest.mark.slow
@given(st.integers(1, 700))
def test_the_minimum_of_the_nine_layers_is_the_formula(data):
    assert NINE.minimum(data) == max(data, (-(-data // 64) - 1) * 64 + 452)


def test_a_net_that_pads_needs_its_last_outputs_away_from_the_border():
    padded = net(*(conv(f"c{n}", 3, (1, 1), padding="same") for n in range(2)))
    paper = Paper(padded, 40)
    found = minima(paper, range(1, 20))
    assert found == {data: data + 4 for data in range(1, 20)}
    for data, length in found.items():  # outputs up to data + 1 depend on it
        assert aligned(along(padded), (length, 40))["c1"][: data + 2].all()
        assert not aligned(along(padded), (length - 1, 40))["c1"][: data + 2].all()


def test_a_grid_that_moves_with_the_length_allows_every_second_length_alone():
    strided = net(conv("c", 3, (1, 1)), layer("p", "max_pool", size=3, strides=2, padding="same"))
    paper = Paper(strided, 40)
    enough = [length for length in range(5, 40) if paper.enough(2, length)]
    assert {length % 2 for length in enough} == {0} and len(enough) > 10
    assert paper.moving == ("p",) and not NINE.moving


def test_rules_of_padded_and_upsampled_nets_give_their_minima():
    nets = [
        net(*(conv(f"c{n}", 3, (1, 1), padding="same") for n in range(2))),
        net(
            conv("a", 4, (1, 1), strides=3), conv("b", 3, (1, 1), op="conv2d_transpose", strides=2)
        ),
        net(conv("a", 4, (1, 1), strides=2, padding=(1, 1)), layer("p", "avg_pool", size=3)),
    ]
    for one, multiple in zip(nets, (1, 3, 6), strict=True):
        groups = list(Paper(one, 90).groups(range(3, 50)))
        rule = find_rule(groups, [group.minimum for group in groups], multiple)
        assert rule and not rule.least and not rule.beyond
        for group in groups:
            assert {rule.length(data) for data in group.data} == {group.minimum}


def test_data_is_never_cut_off_even_where_no_output_reads_its_end():
    sparse = net(conv("c", 1, (1, 1), strides=5))
    assert minima(Paper(sparse, 40), range(1, 9)) == {data: data for data in range(1, 9)}


def test_answers_without_a_pattern_have_no_rule():
    groups = list(Paper(nine_layers(), 2048).groups(range(20, 401)))
    answers = [group.minimum for group in groups]
    assert find_rule(groups, answers, 64)
    answers[3] += 1
    assert find_rule(groups, answers, 64) is None
