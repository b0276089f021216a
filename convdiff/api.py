"""convdiff from Python: run a case, or explain one's own kernel without a case file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convdiff import pipeline
from convdiff.case import load
from convdiff.case.arrays import refuse_too_big
from convdiff.case.model import Case
from convdiff.explaining.own_function import kernel_of
from convdiff.lab.session import Session
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS
from convdiff.order.orders import BUDGET, Orders, orders_of
from convdiff.order.replay.replay import Data
from convdiff.pipeline import Ask
from convdiff.result import Result
from convdiff.runtime.matrix import interpreters


def load_case(path: str | os.PathLike[str]) -> Case:
    """Read and check one case file. Raises CaseError, with file:line:column; makes no array."""
    return load.load_case(Path(path))


def run(
    case: Case | str | os.PathLike[str],
    frameworks: Sequence[str] = ("tensorflow",),
    *,
    pythons: Sequence[str] = (),
    threads: Sequence[int] = (),
    strict: bool = False,
    budget: int = BUDGET,
    timeout: float = 600.0,
) -> Result:
    """Observe, compare, diagnose: what `convdiff run` does, as data.

    case: a case, or the path of its file. frameworks: each a name such as "tensorflow", a name with
    a device and modes as "torch:cpu+channels_last", or "module:function"; the first is the
    baseline. pythons: interpreters that they run in ("this" is this one), the default. threads:
    thread counts to compare. strict: tell −0 from +0, and one NaN from another. budget: probe calls
    that explanations may take; 0 explains nothing. timeout: seconds that a worker may be silent.

    Frameworks run in processes of their own, never in this one. Raises ConvdiffError for a case
    that can't be read, and for a framework or an interpreter that there is none of.
    """
    if not isinstance(case, Case):
        case = load_case(case)
    refuse_too_big(case)
    asked = interpreters(frameworks, pythons, threads, ())
    with Session(asked, timeout) as session:
        session.start()
        return pipeline.run([case], session, Ask(strict=strict, budget=budget))


def explain(
    fn: Callable[[Array, Array, Array | None], Any],
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    op: str = "conv2d",
    strides: int | Sequence[int] = 1,
    dilations: int | Sequence[int] = 1,
    groups: int = 1,
    padding: str | int | Sequence[Any] = "valid",
    output_padding: int | Sequence[int] = 0,
    dtype: str | None = None,
    budget: int = BUDGET,
) -> Orders:
    """Reveal the summation order of every output of `fn(x, w, b)`, and replay it.

    fn: the op of x, (N, [[D, ]H, ]W, C), with w, ([[kd, ]kh, ]kw, C/groups, cout), of `dense`
    (C, cout), and a bias b, (cout,) or None; returns (N, [[OD, ]OH, ]OW, cout). It is called many
    times on other numbers of the same shapes. x, w, b: float32, float64 or float16; for bfloat16
    give float32 arrays and dtype="bfloat16", and let fn narrow them. op, strides, dilations,
    groups, padding, output_padding: as in a case file, and what fn does by itself. budget: calls of
    fn at most.

    The result says which orders were proved and for which elements (`status`, `replayed`,
    `orders`, `which()`); `convdiff.notation` and `convdiff.describe` write an order down. Raises
    ValueError for shapes that do not fit together, or where fn returns another shape.
    """
    kind = dtype or np.asarray(x).dtype.name
    if kind not in FORMATS:
        raise ValueError(f"x is {kind}; expected float32, float64, float16 or bfloat16")
    stored = np.dtype("float32" if kind == "bfloat16" else kind)
    bias = None if b is None else np.asarray(b, stored)
    data = Data(np.asarray(x, stored), np.asarray(w, stored), bias)
    moves = {"strides": strides, "dilations": dilations, "output_padding": output_padding}
    keys = {"op": op, "groups": groups, "padding": padding, "dtype": kind, **moves}
    kernel, data = kernel_of(fn, data, keys)
    return orders_of(kernel, data, None, budget)
