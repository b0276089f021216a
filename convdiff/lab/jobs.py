"""Cells in, bits out: what travels to the workers, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from convdiff.behaviour.checks import Check
from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.model import Case
from convdiff.case.nonfinite import cleaned
from convdiff.lab.pool import Job, Pool
from convdiff.numerics.array import Array
from convdiff.plan.cell import CLEAN, Cell, NoBits
from convdiff.plan.sampled import Part, places_of
from convdiff.worker.ops.convolution import Convolution

Places = Callable[[Cell], "Array | None"]
"""The flat positions at which a cell is computed; None of all."""


def observe(
    case: Case, cells: Sequence[Cell], tensors: Tensors, pool: Pool, places: Places
) -> Iterator[tuple[Cell, Array | NoBits, float]]:
    """Run cells; yield what each gives as it comes, and its seconds, runtimes side by side.

    What is computed at some places is (1, 1, k, cout). Random inputs meet the weights without NaN
    and infinity, lest nothing be known of a channel.
    """
    arrays, weights = _arrays_of(case, cells, tensors, places)
    by_interpreter: dict[Any, list[Cell]] = {}
    for cell in cells:
        by_interpreter.setdefault(cell.runtime.interpreter, []).append(cell)
    members = list(by_interpreter.values())
    jobs = [
        _job(case.conv, interpreter, arrays, [_of_case(case, cell, weights) for cell in group])
        for interpreter, group in by_interpreter.items()
    ]
    for job, number, outcome, seconds in pool.observe(jobs):
        yield members[job][number], _bits(outcome, case), seconds


def _arrays_of(
    case: Case, cells: Sequence[Cell], tensors: Tensors, places: Places
) -> tuple[dict[str, Array | None], dict[str, str]]:
    """Return all arrays that cells are run on, and which filter and bias random inputs meet."""
    trials, finite = sorted({cell.trial for cell in cells} - {0}), cleaned(tensors)
    arrays: dict[str, Array | None] = {"w": tensors.filter_hwio, "b": tensors.bias}
    arrays |= {"a": tensors.added, "x0": tensors.input_nhwc}
    arrays |= {_places_key(cell): places(cell) for cell in cells}
    weights = {"w": "w", "b": "b", "added": "a"}  # of random inputs
    if trials and finite is not tensors:
        weights = {name: f"finite {key}" for name, key in weights.items()}
        arrays |= {"finite w": finite.filter_hwio, "finite b": finite.bias}
        arrays["finite a"] = finite.added
    for trial in trials:
        clean = trial == CLEAN
        arrays[f"x{trial}"] = finite.input_nhwc if clean else trial_input(finite.input_nhwc, trial)
    for channels in sorted({cell.channels for cell in cells} - {0}):
        some = tensors.first(case.conv.first(channels))
        arrays |= {f"w {channels}": some.filter_hwio, f"b {channels}": some.bias}
    return arrays, weights


def measure(case: Case, cell: Cell, data: Sequence[Tensors], pool: Pool) -> list[Array | None]:
    """Run a cell on other numbers of the same shapes; None where the runtime gave none."""
    return _measured(case, cell, data, pool, None)


def probe(
    case: Case, cell: Cell, data: Sequence[Tensors], pool: Pool
) -> Sequence[Array | Part | None]:
    """Run a cell on probes' numbers; None where the runtime gave none.

    Of a large reference some calls are made, each with the shape that it has in the whole.
    """
    places = places_of(case, cell)
    outputs = _measured(case, cell, data, pool, places)
    if places is None:
        return outputs
    part = (1, 1, len(places), case.conv.first(cell.channels).channels_out)
    return [
        Part(places, output[0, 0]) if output is not None and output.shape == part else output
        for output in outputs
    ]


def check(case: Case, cell: Cell, question: Check, pool: Pool) -> tuple[int, int] | None:
    """Put a check to a cell: how many outputs are wrong, and how many of those are zero.

    None where the runtime gave none. A large reference is checked where it is computed.
    """
    conv = cell.conv_of(case.conv)
    shape = (cell.batch, case.height, cell.length, conv.channels_in)
    places = places_of(case, cell)
    header, arrays = question.written(conv, shape, places, bias=case.bias is not None)
    header |= {"do": "check", "op": cell.op, "device": str(cell.runtime.device)}
    answers = pool.ask(cell.runtime.interpreter, header, arrays)
    if isinstance(answers, NoBits):
        return None
    wrong, zeros = answers[0].tolist()
    return wrong, zeros


def _measured(
    case: Case, cell: Cell, data: Sequence[Tensors], pool: Pool, places: Array | None
) -> list[Array | None]:
    arrays: dict[str, Array | None] = {_places_key(cell): places}
    requests = []
    for number, tensors in enumerate(data):
        keys = {name: f"{name}{number}" for name in "xwb"}
        arrays[keys["x"]], arrays[keys["w"]] = tensors.input_nhwc, tensors.filter_hwio
        arrays[keys["b"]], arrays[f"a{number}"] = tensors.bias, tensors.added
        requests.append({**_request(cell, ""), **keys, "added": f"a{number}"})
    outputs: list[Array | None] = [None] * len(data)
    conv = cell.conv_of(case.conv)
    job = _job(conv, cell.runtime.interpreter, arrays, requests)
    for _, number, outcome, _ in pool.observe([job]):
        bits = _bits(outcome, case)
        outputs[number] = None if isinstance(bits, NoBits) else bits
    return outputs


def trial_input(like: Array, trial: int) -> Array:
    """Return the n-th random input, in the shape and dtype of the case's.

    Alternately normal and uniform in [1, 2): the first cancels, the second fills every bit, and
    where orders of few taps differ, the one shows what the other hides.
    """
    rng = np.random.default_rng([7, trial])
    values = rng.uniform(1, 2, like.shape) if trial % 2 else rng.normal(0, 1, like.shape)
    return np.asarray(values, like.dtype)


def _job(
    conv: Convolution,
    interpreter: Any,
    arrays: Mapping[str, Array | None],
    requests: Sequence[dict[str, Any]],
) -> Job:
    """Make a job of the arrays that exist; a request for one that does not asks for none."""
    held = {key: array for key, array in arrays.items() if array is not None}
    named = ("b", "places", "added")
    cells = [{**one, **{key: _held(one[key], held) for key in named}} for one in requests]
    return Job(interpreter, conv._asdict(), held, cells)


def _held(key: str, held: Mapping[str, Array]) -> str | None:
    return key if key in held else None


def _of_case(case: Case, cell: Cell, weights: Mapping[str, str]) -> dict[str, Any]:
    """Return the request for a cell on the case's own data, or on a random input and weights."""
    own = _request(cell, f"x{cell.trial}")
    if cell.bare:
        own |= {"conv": cell.conv_of(case.conv)._asdict(), "added": ""}
    if cell.channels:
        conv = cell.conv_of(case.conv)._asdict()
        return {**own, "w": f"w {cell.channels}", "b": f"b {cell.channels}", "conv": conv}
    return {**own, **weights} if cell.trial else own


def _request(cell: Cell, x: str) -> dict[str, Any]:
    return {
        "op": cell.op,
        "device": str(cell.runtime.device),
        "x": x,
        "w": "w",
        "b": "b",
        "added": "a",
        "places": _places_key(cell),
        "length": cell.length,
        "batch": cell.batch,
    }


def _places_key(cell: Cell) -> str:
    return f"places of {cell.op}, {cell.batch} x {cell.length}"


def _bits(outcome: Array | NoBits, case: Case) -> Array | NoBits:
    """Return what a worker gave in the case's dtype; another dtype is no answer."""
    if isinstance(outcome, NoBits):
        return outcome
    dtype = numpy_dtype(case.conv.dtype)
    if dtype.name == "bfloat16" and outcome.dtype == np.uint16:
        outcome = outcome.view(dtype)
    if outcome.dtype != dtype:
        return NoBits(f"gave {outcome.dtype.name}, expected {dtype.name}")
    return outcome
