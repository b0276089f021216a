"""What frameworks refuse of padded, dilated, transposed convolutions, and what they get wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from answers import Question
from geometries import Shape

from convdiff.behaviour.seen import sources
from convdiff.plan.cell import NoBits
from convdiff.worker.ops.convolution import Convolution


@dataclass(frozen=True)
class Known:
    """Geometries that a framework refuses, in its own words, or computes wrongly."""

    framework: str
    name: str
    when: Callable[[Convolution, Shape], bool]
    """A geometry that it may hit; any other is to be right."""
    words: str
    """In its refusal; of a wrong answer, in what is said of it."""
    example: tuple[Convolution, Shape] | None
    """One that it hits on every machine."""


def named_same(conv: Convolution) -> bool:
    """Whether the framework itself computes the padding from the extents."""
    return conv.padding in ("same", "same_lower")


def longer_than(conv: Convolution, *limits: str) -> bool:
    """Whether output padding reaches a limit of its axis, which are all to be greater."""
    most = [max(entries) for entries in zip(*(getattr(conv, one) for one in limits), strict=True)]
    return any(o >= m > 0 for o, m in zip(conv.output_padding, most, strict=True) if o)


def cut(conv: Convolution) -> bool:
    """Whether some padding is negative."""
    return not isinstance(conv.padding, str) and min(map(min, conv.padding)) < 0


def cut_far(conv: Convolution) -> bool:
    """Whether more is cut off an end than the filter reaches beyond its input."""
    return any(max(axis.pad(1)) >= axis.reach for axis in conv.axes)


def beyond_onednn(conv: Convolution) -> bool:
    """Whether oneDNN, whose transposed convolution is a gradient, may have no kernel."""
    return max(conv.dilations) > 1 or cut_far(conv) or longer_than(conv, "strides")


def gaps(conv: Convolution) -> bool:
    """Whether a stride is longer than the dilated filter, so that some outputs see nothing."""
    return any(s > r for s, r in zip(conv.strides, conv.reach, strict=True))


def strided_and_dilated(conv: Convolution) -> bool:
    """Whether a filter both steps and is spread out."""
    return max(conv.strides) > 1 and max(conv.dilations) > 1


def one_column(conv: Convolution, shape: Shape) -> bool:
    """Whether outputs of one channel step along other axes than the last only."""
    alone = conv.channels_in == 1 and conv.outputs(*shape[1:3])[-1] == 1
    return alone and conv.strides[-1] > 1 and not conv.transposed


def leaves_inputs(conv: Convolution, shape: Shape) -> bool:
    """Whether SAME has nothing to pad along an axis, since some inputs at its end are not read."""
    pairs = zip(conv.axes, conv.extents(*shape[1:3]), strict=True)
    left = [n - (axis.extent(n) - 1) * axis.stride - axis.reach for axis, n in pairs]
    return conv.padding == "same" and not conv.transposed and max(left) > 0


def pointwise_cut(conv: Convolution, shape: Shape) -> bool:
    """Whether a transposed convolution of one tap and no stride is cut in front."""
    one = max(conv.kernel) == max(conv.strides) == 1
    return conv.transposed and one and any(before for before, _ in conv.pads(*shape[1:3]))


def cut_in_front(conv: Convolution, shape: Shape) -> bool:
    """Whether a transposed convolution has more cut off in front than its filter reaches beyond."""
    ends = zip(conv.pads(*shape[1:3]), conv.reach, strict=True)
    beyond = [before >= reach > after + 1 for (before, after), reach in ends]
    return conv.transposed and any(beyond)


def _one(
    op: str, extents: tuple[int, int], channels: int = 1, **more: Any
) -> tuple[Convolution, Shape]:
    """Return a convolution of (1, 3) of few channels on an input of these rows and columns."""
    return Convolution((1, 3), channels, channels, op=op, **more), (1, *extents, channels)


REFUSED = (
    Known(
        "onnxruntime",
        "SAME with dilation",
        lambda conv, _: named_same(conv) and not conv.transposed and max(conv.dilations) > 1,
        "Dilation not supported for AutoPadType::SAME_UPPER or AutoPadType::SAME_LOWER",
        _one("conv1d", (1, 9), dilations=(1, 2), padding="same"),
    ),
    Known(
        "onnxruntime",
        "output padding as long as stride and dilation",
        lambda conv, _: longer_than(conv, "strides", "dilations"),
        "must be less than max(stride, dilation)",
        _one("conv1d_transpose", (1, 5), strides=(1, 2), output_padding=(0, 2)),
    ),
    Known(
        "onnxruntime",
        "output padding as long as the stride",
        lambda conv, _: longer_than(conv, "strides"),
        "may be too large for stride",
        _one("conv1d_transpose", (1, 5), dilations=(1, 2), output_padding=(0, 1)),
    ),
    Known(
        "onnxruntime",
        "a transposed convolution that is cut by a negative number",
        lambda conv, _: conv.transposed and cut(conv),
        "Attribute pads must not contain negative values",
        _one("conv1d_transpose", (1, 5), padding=((0, 0), (-1, 0))),
    ),
    Known(
        "torch",
        "SAME with a stride",
        lambda conv, _: conv.padding == "same" and not conv.transposed and max(conv.strides) > 1,
        "padding='same' is not supported for strided convolutions",
        _one("conv1d", (1, 9), strides=(1, 2), padding="same"),
    ),
    Known(
        "torch",
        "output padding as long as stride and dilation",
        lambda conv, _: longer_than(conv, "strides", "dilations"),
        "output padding must be smaller than either stride or dilation",
        _one("conv1d_transpose", (1, 5), strides=(1, 2), output_padding=(0, 2)),
    ),
    Known(
        "torch",
        "a transposed convolution that is cut by a negative number",
        lambda conv, _: conv.transposed and cut(conv),
        "negative padding is not supported",
        _one("conv1d_transpose", (1, 5), padding=((0, 0), (-1, -1))),
    ),
    Known(
        "tensorflow",
        "groups of a 3-D convolution",
        lambda conv, _: conv.rank == 3 and conv.groups > 1,
        "input and filter must have the same depth",
        None,
    ),
    Known(
        "tensorflow",
        "groups of a 3-D convolution, but in oneDNN",
        lambda conv, _: conv.rank == 3 and conv.groups > 1,
        "must match last dimension of input",
        None,
    ),
    Known(
        "tensorflow",
        "dilation of a 3-D convolution, but in oneDNN",
        lambda conv, _: conv.rank == 3 and max(conv.dilations) > 1,
        "only supports dilated rates of 1",
        None,
    ),
    Known(
        "tensorflow",
        "groups of a transposed convolution",
        lambda conv, _: conv.transposed and conv.groups > 1,
        "Gradients for grouped convolutions are not supported on CPU",
        None,
    ),
    Known(
        "tensorflow",
        "dilation of a transposed convolution",
        lambda conv, _: conv.transposed and max(conv.dilations) > 1,
        "not yet support dilation rates larger than 1",
        None,
    ),
    Known(
        "tensorflow",
        "a transposed convolution that is dilated, cut far or lengthened by a stride, in oneDNN",
        lambda conv, _: conv.transposed and beyond_onednn(conv),
        "could not create a primitive descriptor",
        None,
    ),
    Known(
        "tensorflow",
        "output padding as long as the stride",
        lambda conv, _: longer_than(conv, "strides"),
        "Size of out_backprop doesn't match computed",
        None,
    ),
    Known(
        "tensorflow",
        "a transposed convolution that is cut by a negative number",
        lambda conv, _: conv.transposed and cut(conv),
        "Expected string for argument 'padding'",
        _one("conv1d_transpose", (1, 5), padding=((0, 0), (-1, 0))),
    ),
    Known(
        "tensorflow",
        "the same of two axes, which it pads by numbers",
        lambda conv, _: conv.transposed and cut(conv),
        "All elements of explicit_paddings must be nonnegative",
        _one("conv2d_transpose", (1, 5), padding=((0, 0), (-1, 0))),
    ),
    Known(
        "openvino",
        "a transposed convolution that is cut by a negative number",
        lambda conv, _: conv.transposed and cut(conv),
        "could not create a primitive descriptor for the deconvolution",
        None,  # its other kernels can
    ),
    Known(
        "tflite",
        "groups of a 3-D convolution",
        lambda conv, _: conv.rank == 3 and conv.groups > 1,
        "input->dims->data[4] != filter->dims->data[3]",
        (
            Convolution(
                (1, 1, 1), 2, 2, (1, 1, 1), (1, 1, 1), 2, "float32", "conv3d", "valid", (0, 0, 0), 2
            ),
            (1, 4, 2, 2),
        ),
    ),
    Known(
        "tflite",
        "groups of a transposed convolution",
        lambda conv, _: conv.transposed and conv.groups > 1,
        "has no groups",
        _one("conv1d_transpose", (1, 5), 2, groups=2),
    ),
    Known(
        "tflite",
        "dilation of a transposed convolution",
        lambda conv, _: conv.transposed and max(conv.dilations) > 1,
        "has no dilations",
        _one("conv1d_transpose", (1, 5), dilations=(1, 2)),
    ),
    Known(
        "tflite",
        "a transposed convolution that is cut or lengthened otherwise than it can be",
        lambda conv, _: conv.transposed and (cut(conv) or longer_than(conv, "strides")),
        "lengthens a transposed output at its end only, by less than a stride",
        _one("conv1d_transpose", (1, 5), padding=((0, 0), (-1, 0))),
    ),
)
"""Each with a geometry that is refused today."""

WRONG = (
    Known(
        "tensorflow",
        "a depthwise convolution with strides and dilation, of which its documentation has but one",
        lambda conv, _: strided_and_dilated(conv) and conv.groups == conv.channels_in > 1,
        "",
        (
            Convolution((1, 3), 2, 2, (2, 2), (2, 2), 2, padding="same"),
            (1, 9, 9, 2),
        ),
    ),
    Known(
        "tensorflow",
        "an input smaller than the filter comes back as it is",
        lambda conv, shape: min(conv.outputs(*shape[1:3])) < 1,
        "its shape is",
        None,  # oneDNN's kernel; the other has no output
    ),
    Known(
        "onnxruntime",
        "a transposed SAME whose stride is longer than the filter: the last outputs are missing",
        lambda conv, _: conv.transposed and named_same(conv) and gaps(conv),
        "its shape is",
        _one("conv1d_transpose", (1, 5), strides=(1, 4), padding="same"),
    ),
    Known(
        "tensorflow",
        "of a 3-D convolution the same as OpenVINO's, which also calls oneDNN",
        lambda conv, shape: conv.rank == 3 and one_column(conv, shape),
        "elements are off by",
        None,
    ),
    Known(
        "openvino",
        "one input channel, one output column, a stride along it: rows are mixed up",
        one_column,
        "elements are off by",
        None,  # a kernel that not every CPU chooses
    ),
    Known(
        "openvino",
        "a transposed convolution of one tap, as long as its input: the cut in front is ignored",
        pointwise_cut,
        "elements are off by",
        None,
    ),
    Known(
        "jax",
        "a transposed convolution with more cut off in front than behind: other memory is read",
        cut_in_front,
        "elements are off by",
        None,  # what that memory holds is another thing each time
    ),
    Known(
        "tflite",
        "SAME that leaves inputs over: XNNPACK's windows start later",
        leaves_inputs,
        "elements are off by",
        (Convolution((2, 1), 3, 4, (2, 3), padding="same"), (1, 12, 12, 3)),
    ),
)
"""Each with a geometry that is wrong today; the answer is the framework's own."""


def asked_of(spec: str, conv: Convolution) -> str:
    """Return the runtime that a geometry is asked of.

    TensorFlow Lite's own CONV_3D reads and writes beyond its memory where it is dilated: what it
    gives is anything, and its process may die of it or give other cells wrong. Its reference does
    not.
    """
    is_dilated = conv.op == "conv3d" and max(conv.dilations) > 1
    return f"{spec}+reference" if spec == "tflite:cpu" and is_dilated else spec


def is_deadly(spec: str, conv: Convolution, shape: Shape) -> bool:
    """Return whether a runtime's process may die of a geometry, or be wrong ever after."""
    if spec == "tflite:cpu":
        return conv.op == "conv3d_transpose" and conv.is_padded and max(conv.dilations) > 1
    return spec.startswith("openvino") and spec.endswith("+constant") and sees_little(conv, shape)


def sees_little(conv: Convolution, shape: Shape) -> bool:
    """Whether outputs of a stepping filter see nothing but what is padded."""
    blind = any((read < 0).all(axis=1).any() for read in sources(conv, shape))
    return blind and max(conv.strides) > 1 and not conv.transposed


def check(
    spec: str,
    question: Question,
    answer: np.ndarray | NoBits,
    bound: np.ndarray | float = 0.0,
    may_say: Sequence[str] = (),
) -> None:
    """Assert that an answer is right, or what is known of its framework.

    bound: how far each element may be off; may_say: words of other refusals.
    """
    framework, conv = spec.partition(":")[0], question.conv
    shape = question.tensors.input_nhwc.shape
    where, table, words = f"{spec}: {conv} of {shape}", REFUSED, list(may_say)
    said = question.refusal(answer)
    if said and not question.right.size:
        return  # there is nothing to compute
    if isinstance(answer, np.ndarray):
        table, words, said = WRONG, [], question.fault(answer, bound)
    rows = [row for row in table if row.framework == framework and row.when(conv, shape)]
    words += [row.words for row in rows]
    assert not said or any(word in said for word in words), f"{where}: {said}"
