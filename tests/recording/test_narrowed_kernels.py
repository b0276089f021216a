"""What only some CPUs do, held by recordings: bfloat16 by default, rounded before the bias."""

from __future__ import annotations

import pytest
from machines import between_runtimes

from convdiff.case.record import record
from convdiff.order.replay.arithmetic import ADDED, Arithmetic

BOTH = "precision+narrowed before the bias"


@pytest.mark.parametrize("name", ["before_bias", "before_bias_1d"])
def test_openvinos_bfloat16_is_explained_by_its_rounding_before_the_bias(name: str) -> None:
    (finding,) = between_runtimes("bfloat16", name, "numpy:cpu", "openvino:cpu")
    assert (finding.verdict, finding.allowed) == ("precision", False)
    assert finding.why is not None
    assert finding.why.status == "proved"
    assert {"narrowed before the bias", BOTH} <= set(finding.why.causes)
    assert set(finding.why.causes) <= {"precision", "narrowed before the bias", BOTH}
    (order,) = (order for order in finding.why.orders if order.side == "candidate")
    said = "inputs and weights kept as bfloat16, the sum rounded to bfloat16 before the bias"
    assert order.words.endswith(said)


FORM = record(Arithmetic, whole=True, added=ADDED)


@pytest.mark.parametrize(
    "arithmetic",
    [
        Arithmetic(),
        Arithmetic("float16", accumulator="float32", early=True),
        Arithmetic(weights="float16"),
        Arithmetic(inputs="bfloat16", before_bias="bfloat16"),
        Arithmetic(total="float16", block="float16", level=1),
        Arithmetic(total="tf32", every=32),
        Arithmetic(flush="all"),
        Arithmetic(output="bfloat16", flush="output"),
    ],
)
def test_an_arithmetic_is_written_as_before_but_for_what_is_set(arithmetic: Arithmetic) -> None:
    written = FORM.write(arithmetic)
    assert FORM.read(written) == arithmetic
    assert set(ADDED) & set(written) == {name for name in ADDED if getattr(arithmetic, name)}
    assert {"dtype", "inputs", "accumulator", "early", "zero_start", "guard"} <= set(written)
