"""PyTorch computes every op, padded by itself where it can, and refuses in its own words."""

from __future__ import annotations

from typing import Any

import pytest
from asking import Lab
from small_ops import CONVOLUTIONS, DENSE, answers, check, every, geometry, in_all, question, some
from watched_torch import strides, torch, watched

from convdiff.plan.cell import NoBits
from convdiff.worker.framework import Device
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework

__all__ = ["torch"]

SAME_WITH_STRIDES = "padding='same' is not supported for strided convolutions"
NO_SUCH_FORMAT = "required rank 4 tensor to use channels_last format"
LONGER = "output padding must be smaller than either stride or dilation"


def strided_same(conv: Convolution) -> tuple[str, ...]:
    refused = conv.padding == "same" and not conv.transposed and max(conv.strides) > 1
    return (SAME_WITH_STRIDES,) if refused else ()


def of_rank_four_only(conv: Convolution) -> tuple[str, ...]:
    return (NO_SUCH_FORMAT,) if conv.rank == 1 else strided_same(conv)


@pytest.mark.parametrize("op", CONVOLUTIONS)
def test_every_padding_and_move_is_exact_or_is_same_with_a_stride(lab: Lab, op: str):
    convs = list(every(op))
    exact = check(convs, answers(lab, "torch:cpu", convs), strided_same)
    assert exact == len([conv for conv in convs if not strided_same(conv)])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("spec", ["torch:cpu", "torch:cpu+mkldnn_off"])
def test_every_dtype_is_exact(lab: Lab, spec: str, dtype: str):
    convs = in_all([conv for op in CONVOLUTIONS for conv in some(op)] + [DENSE], dtype)
    exact = check(convs, answers(lab, spec, convs), strided_same)
    assert exact == len([conv for conv in convs if not strided_same(conv)])


@pytest.mark.parametrize(
    "modes",
    [
        "channels_last",
        "weights_channels_last",
        "input_sliced+weights_permuted",
        "input_channel_slice+weights_channel_slice",
        "input_permuted+weights_sliced",
    ],
)
def test_however_arrays_lie_it_is_exact(lab: Lab, modes: str):
    convs = [conv for op in CONVOLUTIONS for conv in some(op)] + [DENSE]
    words = of_rank_four_only if "channels_last" in modes else strided_same
    exact = check(convs, answers(lab, f"torch:cpu+{modes}", convs), words)
    assert exact == len([conv for conv in convs if not words(conv)])


def test_compiled_it_is_exact(lab: Lab):
    convs = [
        geometry("conv1d", "one side", "strides"),
        geometry("conv2d_transpose", "same", "groups, strides"),
    ]
    assert check(convs, answers(lab, "torch:cpu+compiled", convs), strided_same) == 2


@pytest.mark.parametrize(
    ("spec", "conv", "words"),
    [
        ("torch:cpu", geometry("conv2d", "same", "strides"), SAME_WITH_STRIDES),
        ("torch:cpu+channels_last", geometry("conv1d", "valid"), NO_SUCH_FORMAT),
        ("torch:cpu+channels_last", DENSE, NO_SUCH_FORMAT),
        (
            "torch:cpu",
            geometry("conv1d_transpose", "valid")._replace(output_padding=(0, 1)),
            LONGER,
        ),
        (
            "torch:cpu",
            geometry("conv2d_transpose", "valid")._replace(padding=((-1, -1), (0, 0))),
            "negative padding is not supported",
        ),
    ],
)
def test_what_it_refuses_it_refuses_in_its_own_words(
    lab: Lab, spec: str, conv: Convolution, words: str
):
    (found,) = answers(lab, spec, [conv])
    assert isinstance(found, NoBits) and not found.died
    assert words in found.reason


OWN = {
    "valid": True,
    "same": True,
    "same_lower": False,
    "causal": False,
    "both sides": True,
    "one side": False,
}


@pytest.mark.parametrize("padding", OWN)
@pytest.mark.parametrize("op", CONVOLUTIONS)
def test_f_pad_is_called_where_the_sides_differ_and_it_says_so(torch: Any, op: str, padding: str):
    framework, calls = watched(torch)
    conv = geometry(op, padding, "plain")
    own = OWN[padding]
    if conv.transposed and padding == "same":
        own = all((kernel - 1) % 2 == 0 for kernel in conv.kernel)
    if padding == "same_lower":
        own = all((kernel - 1) % 2 == 0 for kernel in conv.kernel)
    assert framework.pads_itself(conv) == own
    arrays = question(conv).tensors
    getattr(framework, op)(
        conv,
        Device("cpu"),
        conv.own_input(arrays.input_nhwc),
        conv.own_filter(arrays.filter_hwio),
        arrays.bias,
    )
    (call,) = (torch.Call(*arguments[4:]) for arguments in calls)
    padded = call.behind if conv.transposed else call.ahead
    assert bool(padded) != own
    assert not (call.ahead if conv.transposed else call.behind)


def test_a_length_that_pads_unevenly_makes_the_difference(torch: Any):
    framework = torch.open(None)
    odd = Convolution((1, 3), 1, 1, (1, 2), op="conv1d", padding="same_lower")
    assert [odd.axes[1].pad(n) for n in (4, 5)] == [(1, 0), (1, 1)]
    assert not framework.pads_itself(odd), "at length 4 it is F.pad's"
    assert framework.pads_itself(odd._replace(strides=(1, 1)))


def test_three_dimensions_have_a_channels_last_of_their_own(torch: Any):
    framework, calls = watched(torch)
    conv = geometry("conv3d", "same")
    arrays = question(conv).tensors
    framework.conv3d(
        conv,
        Device("cpu", ("channels_last",)),
        conv.own_input(arrays.input_nhwc),
        conv.own_filter(arrays.filter_hwio),
        None,
    )
    assert [strides(call) for call in calls] == [((324, 1, 81, 27, 3), (18, 1, 9, 9, 3))]
