"""From a checked header and its arrays to a recording, which is refused where they don't fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.model import ArraySpec, Case
from convdiff.case.override import some_filters
from convdiff.plan.cell import Cell
from convdiff.recording.header import (
    Header,
    StoredCase,
    StoredCell,
    StoredEntry,
    StoredOrders,
    StoredRuntime,
)
from convdiff.recording.model import (
    Entry,
    RecordedCase,
    Recording,
    RecordingError,
    SavedOrders,
    quoted,
)
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]


def decoded(header: Header, arrays: Arrays, file: str) -> Recording:
    """Return the recording of a header and its arrays; `file` names it in runtime ids.

    Raises RecordingError for cases that can't be.
    """
    cases: dict[str, RecordedCase] = {}
    for number, stored in enumerate(header.cases):
        if stored.name in cases:
            raise RecordingError(f"{file}: two cases are called {quoted(stored.name)}")
        try:
            cases[stored.name] = _case(stored, arrays, file)
        except (KeyError, IndexError, ValueError) as error:
            raise RecordingError(f"{file}: damaged: case {number}: {quoted(error)}") from None
    return Recording(cases)


def _case(stored: StoredCase, arrays: Arrays, file: str) -> RecordedCase:
    bias, added = (None if name is None else arrays[name] for name in (stored.bias, stored.added))
    tensors = Tensors(arrays[stored.filter], bias, arrays[stored.input], added)
    conv = _convolution(stored, tensors)
    runtimes = runtimes_of(stored.runtimes, file)
    entries = tuple(_entry(one, arrays, runtimes, conv) for one in stored.cells)
    cells = [entry.cell for entry in entries]
    _refuse_cells(cells, tensors, conv)
    case = Case(
        name=stored.name,
        file=file,
        conv=conv,
        filter=_spec(tensors.filter_hwio),
        bias=_spec_or_none(tensors.bias),
        input=_spec(tensors.input_nhwc),
        added=_spec_or_none(tensors.added),
        height=tensors.input_nhwc.shape[1],
        lengths=tuple(sorted({cell.length for cell in cells})),
        batches=tuple(sorted({cell.batch for cell in cells})),
        channels_out=tuple(sorted({cell.channels for cell in cells} - {0})),
        devices=tuple(dict.fromkeys(runtime.device for runtime in runtimes)),
        layout=stored.layout,
        expect=stored.expect.axes,
        lock_order=stored.expect.lock_order,
        baseline_reference=stored.expect.baseline_reference,
    )
    reports = [runtime.fingerprint for runtime in stored.runtimes]
    failed = tuple(_cell(one, runtimes) for one in stored.failed)
    return RecordedCase(case, tensors, dict(zip(runtimes, reports, strict=True)), entries, failed)


def _refuse_cells(cells: Sequence[Cell], tensors: Tensors, conv: Convolution) -> None:
    """Raise ValueError for cells beyond the input or filter, and for one that is named twice."""
    batch, _, length, _ = tensors.input_nhwc.shape
    some_filters(conv, tuple(cell.channels for cell in cells))
    if any(cell.length > length or cell.batch > batch for cell in cells):
        raise ValueError("a cell is larger than the input")
    if len(set(cells)) < len(cells):
        raise ValueError("a cell is named twice")


def runtimes_of(stored: Sequence[StoredRuntime], file: str) -> list[Runtime]:
    """Return the runtimes by number; each is one of its own, also where two have one id."""
    runtimes: list[Runtime] = []
    for one in stored:
        interpreter = Interpreter(one.framework, "", one.threads, one.settings, one.label)
        runtime = Runtime(interpreter, one.device, file)
        if runtime in runtimes:  # the same on another machine, or of another version
            runtime = Runtime(interpreter, one.device, f"{file} #{len(runtimes)}")
        runtimes.append(runtime)
    return runtimes


def _cell(stored: StoredCell, runtimes: Sequence[Runtime]) -> Cell:
    runtime = runtimes[stored.runtime]
    sizes = stored.length, stored.batch, stored.repeat
    return Cell(runtime, stored.op, *sizes, channels=stored.channels)


def _convolution(stored: StoredCase, tensors: Tensors) -> Convolution:
    """Return the geometry that the arrays' shapes and the header say together."""
    weights, x, groups = tensors.filter_hwio, tensors.input_nhwc, stored.groups
    if weights.ndim != 4 or x.ndim != 4 or 0 in weights.shape or 0 in x.shape:
        raise ValueError("the filter is not HWIO, or the input not NHWC")
    conv = Convolution(
        kernel=stored.kernel or (weights.shape[0], weights.shape[1]),
        channels_in=weights.shape[2] * groups,
        channels_out=weights.shape[3],
        strides=stored.strides,
        dilations=stored.dilations,
        groups=groups,
        dtype=x.dtype.name,
        op=stored.op,
        padding=stored.padding,
        output_padding=stored.output_padding,
        depth=stored.depth,
        then=stored.then,
    )
    _refuse_axes(conv, weights.shape, x.shape[1])
    if x.shape[3] != conv.channels_in or conv.channels_out % groups:
        raise ValueError("the channels of filter, input and groups do not fit together")
    if min(conv.output_shape(*x.shape[:3])) < 1:
        raise ValueError("the input is smaller than the filter")
    if tensors.bias is not None and tensors.bias.shape != (conv.channels_out,):
        raise ValueError("the bias does not fit the filter")
    _refuse_dtypes(tensors)
    _refuse_added(conv, tensors)
    return conv


def _refuse_added(conv: Convolution, tensors: Tensors) -> None:
    """Raise ValueError where a step adds an array that is not there, or not of the output's shape.

    Or where one is there that no step adds.
    """
    added = tensors.added
    if (conv.then == "add") != (added is not None):
        raise ValueError("what a step adds is missing, or added by none")
    if added is None:
        return
    wanted = conv.output_shape(*tensors.input_nhwc.shape[:3])
    fits = added.ndim == 4 and all(
        n == 1 or n >= most for n, most in zip(added.shape, wanted, strict=True)
    )
    if not fits or added.shape[3] not in (1, wanted[3]):
        raise ValueError("what a step adds does not fit the output")


def _refuse_axes(conv: Convolution, filter_shape: tuple[int, ...], rows: int) -> None:
    """Raise ValueError unless all that is said of each spatial axis is of as many axes."""
    each = [conv.strides, conv.dilations, conv.output_padding]
    if not isinstance(conv.padding, str):
        each.append(conv.padding)
    if any(len(values) != len(conv.kernel) for values in each):
        raise ValueError("kernel, strides, dilations and padding are of different axes")
    if conv.window != filter_shape[:2] or rows % conv.depth:
        raise ValueError("the kernel does not fit the filter, or the depth the input")


def _refuse_dtypes(tensors: Tensors) -> None:
    """Raise ValueError unless all arrays are of one floating-point dtype."""
    given = (tensors.filter_hwio, tensors.input_nhwc, tensors.bias, tensors.added)
    arrays = [array for array in given if array is not None]
    if len({array.dtype.name for array in arrays}) > 1 or arrays[0].dtype.name == "int32":
        raise ValueError("filter, bias and input are not of one floating-point dtype")


def _entry(
    stored: StoredEntry, arrays: Arrays, runtimes: Sequence[Runtime], conv: Convolution
) -> Entry:
    cell = _cell(stored, runtimes)
    if cell.length < conv.axes[-1].least:
        raise ValueError(f"length {cell.length} is below the filter's width")
    output = arrays[stored.output]  # of whatever shape it was: a wrong one is a finding
    if not output.ndim:
        raise ValueError(f"{stored.output!r} is one number")
    if output.dtype.name != conv.dtype:
        raise ValueError(f"{stored.output!r} is {output.dtype.name}, expected {conv.dtype}")
    if stored.orders is None:
        return Entry(cell, output, stored.probes)
    shape = (math.prod(output.shape[:-1]), output.shape[-1])
    return Entry(cell, output, stored.probes, _orders(stored.orders, arrays, shape))


def _orders(stored: StoredOrders, arrays: Arrays, shape: tuple[int, int]) -> SavedOrders:
    which = np.broadcast_to(np.int32(0), shape)
    if stored.which is not None:
        which = arrays[stored.which]
    if which.shape != shape or which.dtype != np.int32:
        raise ValueError("an order's elements are not those of its output")
    if which.size and (int(which.min()) < -1 or int(which.max()) >= len(stored.orders)):
        raise ValueError("an element has an order that is not there")
    return SavedOrders(stored.orders, which, stored.refusals)


def _spec_or_none(array: Array | None) -> ArraySpec | None:
    return None if array is None else _spec(array)


def _spec(array: Array) -> ArraySpec:
    return ArraySpec("recorded", array.shape)
