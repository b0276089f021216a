"""What the outputs of the nine-layer net see: a stride of 64 inputs, and a field of 452."""

import numpy as np
import pytest
from small_nets import conv, layer, net, nine_layers

from convdiff.net.along import along, positions
from convdiff.net.field import aligned, shifted, spans

FIXED = 2048


def test_first_and_last_input_of_each_output():
    first, last = spans(along(nine_layers()), FIXED)["conv9"]
    assert list(first) == [64 * p for p in range(25)]
    assert list(last - first) == [451] * 25


@pytest.mark.parametrize("length, outputs", [(452, 1), (515, 1), (516, 2), (579, 2), (580, 3)])
def test_all_outputs_of_a_prefix_see_what_the_fixed_length_shows_them(length, outputs):
    masks = aligned(along(nine_layers()), (length, FIXED))
    assert all(mask.all() for mask in masks.values())
    assert len(masks["conv9"]) == outputs == positions(along(nine_layers()), length)["conv9"]


def test_a_length_without_outputs_names_the_layer():
    with pytest.raises(ValueError, match="layer conv9: too few positions to read, 4"):
        aligned(along(nine_layers()), (451, FIXED))


def test_an_output_that_reads_padding_at_one_length_is_not_aligned():
    padded = net(conv("a", 3, (1, 1), padding="same"), conv("b", 3, (1, 1), padding="same"))
    masks = aligned(along(padded), (6, 9))
    assert list(masks["a"]) == [True] * 5 + [False]
    assert list(masks["b"]) == [True] * 4 + [False] * 2
    assert not shifted(padded, (6, 9))


def test_same_with_a_stride_moves_the_grid_and_aligns_nothing():
    strided = net(conv("a", 3, (1, 1)), conv("b", 4, (1, 1), padding="same", strides=3))
    assert shifted(strided, (11, 12)) == ("b",)
    masks = aligned(along(strided), (11, 12))
    assert masks["a"].all() and not masks["b"].any()
    assert not shifted(strided, (11, 14)) and aligned(along(strided), (11, 14))["b"][:2].all()


def test_a_join_is_aligned_where_all_its_sources_are():
    joined = net(
        conv("a", 3, (1, 2), padding=(1, 1)),
        conv("b", 5, (1, 2), padding=(2, 2), sources=("input",)),
        layer("sum", "add", "a", "b"),
    )
    masks = aligned(along(joined), (8, 10))
    assert [int(masks[name].sum()) for name in ("a", "b", "sum")] == [7, 6, 6]
    first, last = spans(along(joined), 8)["sum"]
    assert list(first) == [0, 0, 0, 1, 2, 3, 4, 5] and list(last) == [2, 3, 4, 5, 6, 7, 7, 7]


def test_a_mean_over_all_is_never_aligned_and_spreads_to_what_it_scales():
    gated = net(
        conv("a", 3, (1, 2)),
        layer("mean", "global_avg_pool"),
        layer("gate", "multiply", "a", "mean"),
    )
    assert not aligned(along(gated), (8, 9))["gate"].any()
    assert aligned(along(gated), (8, 8))["gate"].all()
    assert np.array_equal(spans(along(gated), 8)["gate"][1], [7] * 6)


def test_what_is_padded_flattened_or_reshaped_moves_the_positions():
    padded = net(layer("p", "pad", padding=(2, 1)), conv("a", 3, (1, 1)))
    masks = aligned(along(padded), (5, 8))
    assert list(masks["p"]) == [True] * 7 + [False]
    assert list(masks["a"]) == [True] * 5 + [False]
    assert aligned(along(padded), (5, 5))["p"].all()
    flat = net(layer("f", "flatten"))
    reshaped = net(layer("r", "reshape", shape=(2, 4, 1)))
    assert list(aligned(along(flat), (5, 8))["f"]) == [False]
    assert list(aligned(along(flat), (8, 8))["f"]) == [True]
    assert not aligned(along(reshaped), (8, 10))["r"].any()


def test_sources_of_unlike_sizes_are_refused_by_the_name_of_their_layer():
    unlike = net(conv("a", 3, (1, 1)), layer("sum", "add", "a", "input"))
    with pytest.raises(ValueError, match="layer sum: its sources have 6 and 8 positions"):
        aligned(along(unlike), (8, 9))


def test_a_mean_that_counts_padding_counts_none_of_what_hangs_over():
    """Taps on 4 and 6: the second is padding at length 6, which counts, and nothing at length 5."""
    settings = {"padding": (0, 1), "dilations": 2, "strides": 2, "ceil_mode": True}
    for counted in (False, True):
        pool = layer("p", "avg_pool", size=2, count_include_pad=counted, **settings)
        assert list(aligned(along(net(pool)), (5, 6))["p"]) == [True, True, not counted]
