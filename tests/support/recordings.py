"""Recordings made of NumPy, whose orders are known; and files taken apart, changed and sealed anew.

Nothing here uses the codecs: what is sealed anew is sealed by the format's own rules, said twice.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.case.axes import Axis
from convdiff.case.device import Device
from convdiff.case.model import DEFAULT_EXPECT, Allowance, ArraySpec, Case
from convdiff.order.geometry import Geometry
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.replay import Data, Order, replay
from convdiff.order.tree.notation import parse
from convdiff.plan.cell import Cell
from convdiff.recording.model import (
    Entry,
    RecordedCase,
    Recording,
    SavedOrder,
    SavedOrders,
    SavedProbes,
)
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
Header = dict[str, Any]

CLEAN = SavedProbes({})
ARITHMETIC = Arithmetic(zero_start=True)
FINGERPRINT = {
    "framework": "tensorflow",
    "version": "2.21.0",
    "devices": ["cpu"],
    "device_names": {"cpu": "A Processor"},
    "cpu_isa": ["avx2", "fma"],
    "threads": 2,
    "onednn": True,
    "settings": {},
    "git": "v2",
    "python": "3.11.7",
}


def runtime(device: str = "cpu", **settings: str) -> Runtime:
    return Runtime(
        Interpreter("tensorflow", "", settings=tuple(settings.items())), Device.parse(device)
    )


def tensors_of(
    filter_hwio: Sequence[int], input_nhwc: Sequence[int], *, bias: bool = True, seed: int = 0
) -> Tensors:
    """Draw float32 arrays of these shapes."""
    rng = np.random.default_rng(seed)
    drawn = [
        rng.standard_normal(shape).astype(np.float32)
        for shape in (filter_hwio, filter_hwio[3:], input_nhwc)
    ]
    return Tensors(drawn[0], drawn[1] if bias else None, drawn[2])


def case_of(
    tensors: Tensors,
    name: str = "one",
    *,
    strides: tuple[int, int] = (1, 1),
    dilations: tuple[int, int] = (1, 1),
    groups: int = 1,
    expect: Mapping[Axis, Allowance] | None = None,
) -> Case:
    """Return the case of some arrays, at their full length and batch."""
    weights, x = tensors.filter_hwio, tensors.input_nhwc
    return Case(
        name=name,
        file="case.yaml",
        conv=Convolution(
            kernel=(weights.shape[0], weights.shape[1]),
            channels_in=weights.shape[2] * groups,
            channels_out=weights.shape[3],
            strides=strides,
            dilations=dilations,
            groups=groups,
            dtype=x.dtype.name,  # type: ignore[arg-type]
        ),
        filter=ArraySpec("values", weights.shape),
        bias=None if tensors.bias is None else ArraySpec("values", tensors.bias.shape),
        input=ArraySpec("values", x.shape),
        height=x.shape[1],
        lengths=(x.shape[2],),
        batches=(x.shape[0],),
        expect={**DEFAULT_EXPECT, **(expect or {})},
    )


def computed(case: Case, tensors: Tensors, cell: Cell, notation: str) -> Array:
    """Return a cell's output in float32, added in this order."""
    cut = np.ascontiguousarray(tensors.input_nhwc[: cell.batch, :, : cell.length])
    conv = case.conv
    geometry = Geometry(
        cut.shape,
        tensors.filter_hwio.shape,
        tensors.bias is not None,
        conv.strides,
        conv.dilations,
        conv.groups,
    )
    data = Data(cut, tensors.filter_hwio, tensors.bias)
    sums = replay(Order(parse(notation), Arithmetic(zero_start=True)), geometry, data)
    return sums.reshape(geometry.output_nhwc).astype(np.float32)


def saved(output: Array, *notations: str, which: Array | None = None) -> SavedOrders:
    """Return orders of an output: the first for all of it, unless `which` says more."""
    shape = (math.prod(output.shape[:3]), output.shape[3])
    return SavedOrders(
        tuple(SavedOrder(notation, ARITHMETIC, confirmed=True) for notation in notations),
        np.zeros(shape, np.int32) if which is None else which,
        (),
    )


def recorded(
    notation: str,
    tensors: Tensors,
    *,
    case: Case | None = None,
    lengths: Sequence[int] = (),
    batches: Sequence[int] = (),
    ops: Sequence[str] = ("conv2d",),
    at: Runtime | None = None,
    probes: SavedProbes | None = CLEAN,
    orders: bool = True,
) -> RecordedCase:
    """Return a case as a runtime that adds in this order would have recorded it."""
    case, at = case or case_of(tensors), at or runtime()
    entries = []
    for op in ops:
        for length in lengths or case.lengths:
            for batch in batches or case.batches:
                cell = Cell(at, op, length, batch)
                output = computed(case, tensors, cell, notation)
                found = saved(output, notation) if orders else None
                entries.append(Entry(cell, output, probes, found))
    return RecordedCase(case, tensors, {at: FINGERPRINT}, tuple(entries))


def together(*cases: RecordedCase) -> RecordedCase:
    """Return the cells of several runtimes as one recorded case."""
    fingerprints = {one: seen for case in cases for one, seen in case.fingerprints.items()}
    entries = tuple(entry for case in cases for entry in case.entries)
    return replace(cases[0], fingerprints=fingerprints, entries=entries)


def recording(*cases: RecordedCase) -> Recording:
    return Recording({case.case.name: case for case in cases})


def seal(header: Header) -> str:
    """Return the checksum of a header, as the format has it."""
    body = {key: value for key, value in header.items() if key not in ("sha256", "values")}
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def checksum(array: Array) -> str:
    """Return the checksum of an array, as the format has it."""
    said = f"{array.dtype.name} {array.shape} ".encode()
    return hashlib.sha256(said + np.ascontiguousarray(array).tobytes()).hexdigest()


def resealed(path: Path, change: Callable[[Header], object]) -> Path:
    """Change the header (and values) of a .json recording, and seal it as if it had been so."""
    document = json.loads(path.read_text("utf-8"))
    change(document)
    document["sha256"] = seal(document)
    path.write_text(json.dumps(document), "utf-8")
    return path


def put(document: Header, name: str, array: Array) -> None:
    """Put an array in the place of another, with its checksum."""
    document["arrays"][name] = {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "sha256": checksum(array),
    }
    document["values"][name] = [[float(v), float(v).hex()] for v in array.astype(float).ravel()]


def unsealed_tensors(path: Path) -> tuple[dict[str, Any], bytes]:
    """Take a .safetensors file apart: its outer header, and the bytes of its arrays."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def same(a: Recording, b: Recording) -> bool:
    """Return whether two recordings hold the same: every bit, every word."""
    if list(a.cases) != list(b.cases):
        return False
    return all(_same_case(a.cases[name], b.cases[name]) for name in a.cases)


def _same_case(a: RecordedCase, b: RecordedCase) -> bool:
    kept = ("name", "conv", "height", "expect", "lock_order", "baseline_reference")
    if any(getattr(a.case, name) != getattr(b.case, name) for name in kept):
        return False
    arrays = ("filter_hwio", "bias", "input_nhwc")
    if not all(_same_bits(getattr(a.tensors, n), getattr(b.tensors, n)) for n in arrays):
        return False
    numbers = [{one: k for k, one in enumerate(side.fingerprints)} for side in (a, b)]
    machines = [
        [(one.live_id, one.interpreter.threads, seen) for one, seen in side.fingerprints.items()]
        for side in (a, b)
    ]
    if machines[0] != machines[1] or len(a.entries) != len(b.entries):
        return False
    return all(
        numbers[0][one.cell.runtime] == numbers[1][other.cell.runtime]
        and replace(one.cell, runtime=other.cell.runtime) == other.cell
        and _same_bits(one.output, other.output)
        and one.probes == other.probes
        and _same_orders(one.orders, other.orders)
        for one, other in zip(a.entries, b.entries, strict=True)
    )


def _same_orders(a: SavedOrders | None, b: SavedOrders | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.orders == b.orders and a.refusals == b.refusals and np.array_equal(a.which, b.which)


def _same_bits(a: Array | None, b: Array | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def changed(value: Any, path: Sequence[str | int], new: Any) -> Any:
    """Return a deep copy of plain data with the value at a path replaced."""
    whole = copy.deepcopy(value)
    at = whole
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = new
    return whole


def bfloat16() -> np.dtype[Any]:
    return numpy_dtype("bfloat16")
