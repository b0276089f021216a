"""From a recording to a header and the arrays that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import convdiff
from convdiff.case.arrays import digest
from convdiff.case.axes import filters
from convdiff.case.expect import Expectation
from convdiff.plan.cell import Cell
from convdiff.recording.header import (
    Header,
    StoredArray,
    StoredCase,
    StoredCell,
    StoredEntry,
    StoredOrders,
    StoredRuntime,
)
from convdiff.recording.model import Entry, RecordedCase, Recording, SavedOrders
from convdiff.runtime.model import Runtime

Array = np.ndarray[Any, Any]


def encoded(recording: Recording) -> tuple[Header, dict[str, Array]]:
    """Return the header, its cases and arrays sorted, and the arrays it names."""
    arrays: dict[str, Array] = {}
    cases = [_Case(recording.cases[name], arrays).stored() for name in sorted(recording.cases)]
    return Header(tuple(cases), stored_arrays(arrays), convdiff.__version__), arrays


class _Case:
    """One case on its way; its arrays go into `arrays`, each under a name of its own."""

    def __init__(self, recorded: RecordedCase, arrays: dict[str, Array]) -> None:
        self.recorded, self.arrays = recorded, arrays
        self.numbers = {runtime: at for at, runtime in enumerate(recorded.fingerprints)}

    def stored(self) -> StoredCase:
        case, tensors = self.recorded.case, self.recorded.tensors
        return StoredCase(
            name=case.name,
            strides=case.conv.strides,
            dilations=case.conv.dilations,
            groups=case.conv.groups,
            expect=Expectation(case.expect, case.lock_order, case.baseline_reference),
            filter=self.put("filter", tensors.filter_hwio),
            bias=None if tensors.bias is None else self.put("bias", tensors.bias),
            input=self.put("input", tensors.input_nhwc),
            runtimes=tuple(self.runtime(number) for number in self.numbers),
            cells=tuple(self.entry(entry) for entry in self.recorded.entries),
            failed=tuple(StoredCell(**self.coordinates(cell)) for cell in self.recorded.failed),
            op=case.conv.op,
            kernel=case.conv.kernel if len(case.conv.kernel) > 2 else None,
            padding=case.conv.padding,
            output_padding=case.conv.output_padding,
            depth=case.conv.depth,
            then=case.conv.then,
            added=None if tensors.added is None else self.put("added", tensors.added),
            layout=case.layout,
        )

    def put(self, name: str, array: Array) -> str:
        """Keep an array, and return the name that it has in the file."""
        full = f"{self.recorded.case.name}/{name}".encode("utf-8", "backslashreplace").decode()
        while full in self.arrays:
            full += "'"
        self.arrays[full] = np.ascontiguousarray(array)
        return full

    def coordinates(self, cell: Cell) -> dict[str, Any]:
        return {
            "runtime": self.numbers[cell.runtime],
            "op": cell.op,
            "length": cell.length,
            "batch": cell.batch,
            "repeat": cell.repeat,
            "channels": cell.channels,
        }

    def entry(self, entry: Entry) -> StoredEntry:
        cell = entry.cell
        number = self.numbers[cell.runtime]
        name = f"{cell.op} T={cell.length} batch={cell.batch} {cell.runtime.live_id} #{number}"
        if cell.channels:
            name += f" {filters(cell.channels)}"
        if cell.repeat:
            name += f" run {cell.repeat + 1}"
        output = self.put(name, entry.output)
        orders = None if entry.orders is None else self.orders(f"{name} orders", entry.orders)
        return StoredEntry(
            **self.coordinates(cell), output=output, probes=entry.probes, orders=orders
        )

    def orders(self, name: str, orders: SavedOrders) -> StoredOrders:
        which = None
        if len(orders.orders) != 1 or orders.which.any():
            which = self.put(name, orders.which.astype(np.int32))
        return StoredOrders(orders.orders, which, orders.refusals)

    def runtime(self, runtime: Runtime) -> StoredRuntime:
        return stored_runtime(runtime, self.recorded.fingerprints[runtime])


def stored_runtime(runtime: Runtime, fingerprint: Mapping[str, Any]) -> StoredRuntime:
    """Return a runtime as a file has it, with what it said it was."""
    inner = runtime.interpreter
    named = (inner.framework, runtime.device, inner.threads, inner.settings, inner.label)
    return StoredRuntime(*named, fingerprint)


def stored_arrays(arrays: Mapping[str, Array]) -> dict[str, StoredArray]:
    """Return what a header says of the arrays beside it."""
    return {
        name: StoredArray(array.dtype.name, array.shape, digest(array))
        for name, array in sorted(arrays.items())
    }
