"""What is padded or transposed wrongly has a name: the faults are made by code that is not ours."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from findings import judged, tensors
from kernels import CELL, Kernel, direct, measure_with, shuffled
from labelled import given
from labelled_faults import Asked, Fault, named, nothing_added
from labelled_sums import PLAIN, Order, convolved
from labels_judged import kernel_of
from soak import WHOLE

from convdiff.behaviour.examine import examine_cell
from convdiff.behaviour.known_faults import fit_data
from convdiff.behaviour.mistakes import mistakes
from convdiff.case.arrays import Tensors
from convdiff.compare.other_ops import shape_owners
from convdiff.worker.ops.convolution import Convolution

Shape = tuple[int, ...]
UNEVEN = ((0, 1), (2, 1))
GEOMETRIES = (
    (Convolution((3, 4), 3, 4, padding="same"), (1, 7, 9, 3)),
    (Convolution((3, 2), 4, 6, (2, 1), padding=UNEVEN, groups=2), (2, 8, 7, 4)),
    (Convolution((3, 3), 2, 3, (2, 2), (1, 2), padding=((2, 1), (-1, 3))), (1, 9, 8, 2)),
    (Convolution((1, 4), 3, 2, padding="causal", op="conv1d"), (2, 1, 9, 3)),
    (Convolution((1, 3), 3, 5, (1, 2), padding=((0, 0), (0, 2)), op="conv1d"), (2, 1, 11, 3)),
    (Convolution((2, 3, 2), 2, 3, (1, 2, 1), (1, 1, 1), 1, "float32", "conv3d", "same",
                 (0, 0, 0), 4), (1, 20, 6, 2)),
    (Convolution((4, 3), 3, 2, (2, 2), padding=((1, 0), (1, 1)), op="conv2d_transpose",
                 output_padding=(1, 1)), (1, 5, 6, 3)),
    (Convolution((3, 3), 4, 4, (2, 1), groups=2, op="conv2d_transpose"), (1, 4, 5, 4)),
    (Convolution((1, 5), 2, 3, (1, 2), padding="same", op="conv1d_transpose"), (2, 1, 8, 2)),
    (Convolution((1, 1), 6, 5, op="dense"), (2, 1, 7, 6)),
)  # fmt: skip


def asked_of(conv: Convolution, shape: Shape) -> Asked:
    rng = np.random.default_rng(11)
    sizes = (shape, conv.filter_shape, (conv.channels_out,))
    x, w, b = (rng.integers(1, 9, size) * rng.choice([-1.0, 1.0], size) for size in sizes)
    return Asked(conv, x, w, b)


CASES = GEOMETRIES if WHOLE else GEOMETRIES[1::3]
"""The others are left to the soak."""
ORDER = Order("chain", 1, fused=False)


@pytest.mark.soak
@pytest.mark.parametrize(("conv", "shape"), CASES, ids=str)
def test_every_fault_has_its_name(conv: Convolution, shape: Shape):
    asked = asked_of(conv, shape)
    right = convolved(*asked, ORDER)
    wrongly = []
    for fault in (*named(asked, np.random.default_rng(5)), *nothing_added()):
        try:
            made = given(asked, [fault], ORDER, PLAIN)
        except ValueError:  # the steps leave nothing of the output
            continue
        if made.shape == right.shape and np.array_equal(made, right):
            continue
        fits = fits_of(fault, conv, shape)
        if plain(fault.name) not in [plain(one) for one in (fits or "").split(" or ")]:
            wrongly.append((fault.name, fits))
    assert not wrongly


def fits_of(fault: Fault, conv: Convolution, shape: Shape) -> str | None:
    kernel = kernel_of(lambda a: given(a, [fault], ORDER, PLAIN))
    cell = replace(CELL, batch=shape[0], length=shape[2])
    return examine_cell(cell, conv, shape[1], True, measure_with(kernel, conv)).fits


def plain(name: str) -> str:
    """Return a name without whose padding it is."""
    return re.sub(r": [A-Z_]+'s", "", name)


@pytest.mark.parametrize(("conv", "shape"), GEOMETRIES, ids=str)
def test_the_faults_made_elsewhere_are_all_of_the_table(conv: Convolution, shape: Shape):
    table = {row.name for row in mistakes(conv, shape, bias=True)}
    faults = (*named(asked_of(conv, shape), np.random.default_rng(5)), *nothing_added())
    assert table <= {fault.name for fault in faults}


SAME = Convolution((3, 4), 3, 4, (1, 2), padding="same")
UP = SAME._replace(op="conv2d_transpose", padding=((1, 1), (1, 2)), output_padding=(0, 1))


def instead(conv: Convolution, **changes: object) -> Kernel:
    return lambda _, data: direct(conv._replace(**changes), data)


@pytest.mark.parametrize(
    ("conv", "changes", "name"),
    [
        (
            SAME,
            {"padding": "same_lower"},
            "the padding is at the other end: SAME_LOWER's "
            "(zeros: 1 above, 1 below, 2 left, 1 right)",
        ),
        (SAME, {"padding": "valid"}, "the padding is ignored (VALID)"),
        (UP, {"output_padding": (0, 0)}, "output_padding is ignored"),
        (
            UP,
            {"padding": ((1, 1), (2, 1))},
            "the padding is at the other end (cut: 1 above, 1 below, 2 left, 1 right)",
        ),
        (UP, {"op": "conv2d", "padding": "valid"}, "a plain convolution"),
    ],
)
def test_the_words_for_it(conv: Convolution, changes: dict[str, object], name: str):
    data = tensors(conv, (1, 8, 9, 3), 5, bias=True)
    finding = judged(conv, data, direct, instead(conv, **changes))
    assert finding.verdict == "wrong"
    assert finding.fits == name


def test_what_nobody_wrote_is_told():
    """Outputs that see padding only must be zero, or the bias."""
    conv = Convolution((2, 2), 2, 3, padding=((3, 0), (0, 0)))
    data = tensors(conv, (1, 6, 7, 2), 5, bias=True)

    def unwritten(conv: Convolution, data: Tensors):
        y = direct(conv, data)
        y[:, 0, 0] += np.float32(1e-20) + np.float32(1e-7) * (data.bias is not None)
        return y

    finding = judged(conv, data, direct, unwritten)
    assert finding.verdict == "wrong"
    assert "see padding only and must be 0, or the bias" in " ".join(map(str, finding.evidence))


def test_the_own_axes_of_a_wrong_shape_are_read():
    """A worker gives what it did not expect with the op's own axes."""
    conv, shape = GEOMETRIES[5]

    def unpadded(conv: Convolution, data: Tensors):
        valid = conv._replace(padding="valid")
        y = direct(valid, data)
        return y.reshape(len(y), *valid.outputs(*shape[1:3]), y.shape[3])

    cell = replace(CELL, batch=shape[0], length=shape[2])
    found = examine_cell(cell, conv, shape[1], True, measure_with(unpadded, conv))
    assert found.traits is not None
    assert found.traits.shape_error
    assert found.fits == "the padding is ignored (VALID)"
    observed = (1, *conv._replace(padding="valid").outputs(*shape[1:3]), 3)
    assert "VALID" in shape_owners(conv, shape, observed)


@pytest.mark.parametrize(("conv", "shape"), GEOMETRIES[:9], ids=str)
def test_on_the_cases_own_data_too(conv: Convolution, shape: Shape):
    data = tensors(conv, shape, 4, bias=True)
    pads = conv.pads(*shape[1:3])
    other = conv._replace(padding=tuple(pair[::-1] for pair in pads))
    output = shuffled(3)(other, data)
    fits = fit_data(conv, data, output)
    if np.array_equal(output, shuffled(3)(conv, data)):
        assert fits is None
    elif output.shape == direct(conv, data).shape:
        assert "the padding is at the other end" in (fits or "")
    assert fit_data(conv, data, shuffled(5)(conv, data)) is None
