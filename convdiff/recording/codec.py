"""A recording as a header of plain values and named arrays, which is what both codecs write.

The header names every array with its SHA-256, and ends with one over itself: whatever is changed,
in a payload or about it, is noticed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

import convdiff
from convdiff.case.arrays import Tensors, digest
from convdiff.case.device import Device
from convdiff.case.expect import read_expect, write_expect
from convdiff.case.model import ArraySpec, Case, Convolution
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell
from convdiff.recording.model import (
    Entry,
    RecordedCase,
    Recording,
    RecordingError,
    SavedOrder,
    SavedOrders,
    SavedProbes,
    quoted,
)
from convdiff.recording.schema import KIND, VERSION, validator
from convdiff.runtime.model import Interpreter, Runtime

Header = dict[str, Any]
Arrays = Mapping[str, Array]

DEEPEST = 64
"""Levels of a header; a report of deeper ones would not end well."""


def to_document(recording: Recording) -> tuple[Header, dict[str, Array]]:
    """Return the header, sorted and sealed, and the arrays it names."""
    arrays: dict[str, Array] = {}
    cases = [_case(recording.cases[name], arrays) for name in sorted(recording.cases)]
    header: Header = {
        "kind": KIND,
        "schema_version": VERSION,
        "tool_version": convdiff.__version__,
        "cases": cases,
        "arrays": {
            name: {
                "dtype": array.dtype.name,
                "shape": list(array.shape),
                "sha256": digest(array),
            }
            for name, array in sorted(arrays.items())
        },
    }
    return {**header, "sha256": _seal(header)}, arrays


def parsed(text: str | bytes) -> Any:
    """Return what a JSON text says. Raises ValueError for NaN, Infinity and keys named twice."""
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)


def check_header(header: Any, name: str) -> Header:
    """Return a header that is one, whole and of a version that is known; else RecordingError."""
    if not isinstance(header, dict) or header.get("kind") != KIND:
        raise RecordingError(f"{name}: not a convdiff recording")
    version = header.get("schema_version")
    if isinstance(version, int) and version > VERSION:
        raise RecordingError(
            f"{name}: written by a newer convdiff (schema_version {quoted(version)}, this one "
            f"reads {VERSION}); upgrade convdiff to read it"
        )
    import fastjsonschema

    body = {key: value for key, value in header.items() if key != "sha256"}
    try:
        _refuse_odd(body)
        validator()(header)
        sound = _seal(body) == header["sha256"]
    except (fastjsonschema.JsonSchemaException, ValueError, RecursionError) as error:
        raise RecordingError(f"{name}: damaged header: {quoted(error)}") from None
    if not sound:
        raise RecordingError(f"{name}: damaged, or edited by hand: its checksum does not hold")
    return header


def check_array(name: str, spec: Header, array: Array, file: str) -> Array:
    """Return an array that is what the header says of it; else RecordingError."""
    if array.dtype.name != spec["dtype"] or list(array.shape) != spec["shape"]:
        raise RecordingError(f"{file}: damaged: {quoted(name)} has another shape or dtype")
    if digest(array) != spec["sha256"]:
        raise RecordingError(f"{file}: damaged: the bits of {quoted(name)} changed (checksum)")
    return array


def from_document(header: Header, arrays: Arrays, file: str) -> Recording:
    """Return the recording of a checked header and its arrays; `file` names it in runtime ids."""
    cases: dict[str, RecordedCase] = {}
    for number, raw in enumerate(header["cases"]):
        if raw["name"] in cases:
            raise RecordingError(f"{file}: two cases are called {quoted(raw['name'])}")
        try:
            cases[raw["name"]] = _read_case(raw, arrays, file)
        except (KeyError, IndexError, ValueError) as error:
            raise RecordingError(f"{file}: damaged: case {number}: {quoted(error)}") from None
    return Recording(cases)


def _no_constant(said: str) -> None:
    raise ValueError(f"{said} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> Header:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is named twice")
    return found


def _refuse_odd(header: Header) -> None:
    """Raise ValueError for what JSON Schema takes for a whole number and Python does not: 1.0.

    A fingerprint may have fractions, but 1e999, which is infinite, nobody may. Nor may anything be
    nested deeply.
    """
    left: list[tuple[Any, bool, int]] = [(header, False, 0)]
    while left:
        value, free, depth = left.pop()
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        if isinstance(value, float) and not (free and math.isfinite(value)):
            raise ValueError(f"{value} is not a whole number")
        if isinstance(value, dict):
            inside = [(one, free or key == "fingerprint") for key, one in value.items()]
        else:
            inside = [(one, free) for one in value] if isinstance(value, list) else []
        left += [(*one, depth + 1) for one in inside]


def _seal(body: Header) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _case(recorded: RecordedCase, arrays: dict[str, Array]) -> Header:
    case, tensors = recorded.case, recorded.tensors
    runtimes = list(recorded.fingerprints)

    def put(name: str, array: Array | None) -> str | None:
        if array is None:
            return None
        said = f"{case.name}/{name}".encode("utf-8", "backslashreplace").decode()
        while said in arrays:
            said += "'"
        arrays[said] = np.ascontiguousarray(array)
        return said

    def cell(entry: Entry) -> Header:
        at = entry.cell
        number = runtimes.index(at.runtime)
        name = f"{at.op} T={at.length} batch={at.batch} {at.runtime.live_id} #{number}"
        name += f" run {at.repeat + 1}" if at.repeat else ""
        said: Header = {**_place(at, runtimes), "output": put(name, entry.output)}
        if entry.probes is not None:
            said["probes"] = {**asdict(entry.probes), "traits": dict(entry.probes.traits)}
        if entry.orders is not None:
            orders = entry.orders
            alone = len(orders.orders) == 1 and not orders.which.any()
            said["orders"] = {
                "orders": [
                    {
                        "notation": one.notation,
                        "arithmetic": dict(one.arithmetic),
                        "confirmed": one.confirmed,
                    }
                    for one in orders.orders
                ],
                "which": None if alone else put(f"{name} orders", orders.which.astype(np.int32)),
                "refusals": [list(refusal) for refusal in orders.refusals],
            }
        return said

    return {
        "name": case.name,
        "strides": list(case.conv.strides),
        "dilations": list(case.conv.dilations),
        "groups": case.conv.groups,
        "expect": write_expect(case.expect, lock_order=case.lock_order),
        "filter": put("filter", tensors.filter_hwio),
        "bias": put("bias", tensors.bias),
        "input": put("input", tensors.input_nhwc),
        "runtimes": [_runtime(one, recorded.fingerprints[one]) for one in runtimes],
        "cells": [cell(entry) for entry in recorded.entries],
        **(
            {"failed": [_place(one, runtimes) for one in recorded.failed]}
            if recorded.failed
            else {}
        ),
    }


def _place(cell: Cell, runtimes: Sequence[Runtime]) -> Header:
    """Return a cell as plain values; its runtime by its number."""
    return {
        "runtime": runtimes.index(cell.runtime),
        "op": cell.op,
        "length": cell.length,
        "batch": cell.batch,
        "repeat": cell.repeat,
    }


def _runtime(runtime: Runtime, fingerprint: Mapping[str, Any]) -> Header:
    inner = runtime.interpreter
    return {
        "framework": inner.framework,
        "device": str(runtime.device),
        "threads": inner.threads,
        "settings": [list(pair) for pair in inner.settings],
        "label": inner.label,
        "fingerprint": dict(fingerprint),
    }


def _read_case(raw: Header, arrays: Arrays, file: str) -> RecordedCase:
    tensors = Tensors(
        arrays[raw["filter"]],
        None if raw["bias"] is None else arrays[raw["bias"]],
        arrays[raw["input"]],
    )
    conv = _convolution(raw, tensors)
    runtimes: list[Runtime] = []
    for one in raw["runtimes"]:
        runtime = _read_runtime(one, file)
        if runtime in runtimes:  # the same on another machine, or of another version
            runtime = _read_runtime(one, f"{file} #{len(runtimes)}")
        runtimes.append(runtime)
    entries = [_entry(one, arrays, runtimes, conv) for one in raw["cells"]]
    for entry in entries:
        if entry.cell.length > tensors.input_nhwc.shape[2] or (
            entry.cell.batch > tensors.input_nhwc.shape[0]
        ):
            raise ValueError("a cell is larger than the input")
    if len({entry.cell for entry in entries}) < len(entries):
        raise ValueError("a cell is named twice")
    expect, lock_order = read_expect(raw["expect"])
    case = Case(
        name=raw["name"],
        file=file,
        conv=conv,
        filter=_spec(tensors.filter_hwio),
        bias=None if tensors.bias is None else _spec(tensors.bias),
        input=_spec(tensors.input_nhwc),
        height=tensors.input_nhwc.shape[1],
        lengths=tuple(sorted({entry.cell.length for entry in entries})),
        batches=tuple(sorted({entry.cell.batch for entry in entries})),
        devices=tuple(dict.fromkeys(runtime.device for runtime in runtimes)),
        expect=expect,
        lock_order=lock_order,
    )
    fingerprints = {
        runtime: one["fingerprint"] for runtime, one in zip(runtimes, raw["runtimes"], strict=True)
    }
    failed = tuple(_cell(one, runtimes) for one in raw.get("failed", ()))
    return RecordedCase(case, tensors, fingerprints, tuple(entries), failed)


def _cell(raw: Header, runtimes: Sequence[Runtime]) -> Cell:
    return Cell(runtimes[raw["runtime"]], raw["op"], raw["length"], raw["batch"], raw["repeat"])


def _read_runtime(raw: Header, file: str) -> Runtime:
    settings = tuple((name, value) for name, value in raw["settings"])
    return Runtime(
        Interpreter(raw["framework"], "", raw["threads"], settings, raw["label"]),
        Device.parse(raw["device"]),
        file,
    )


def _convolution(raw: Header, tensors: Tensors) -> Convolution:
    """Return the geometry that the arrays' shapes and the header say together."""
    weights, x, groups = tensors.filter_hwio, tensors.input_nhwc, raw["groups"]
    if weights.ndim != 4 or x.ndim != 4 or 0 in weights.shape or 0 in x.shape:
        raise ValueError("the filter is not HWIO, or the input not NHWC")
    conv = Convolution(
        kernel=(weights.shape[0], weights.shape[1]),
        channels_in=weights.shape[2] * groups,
        channels_out=weights.shape[3],
        strides=(raw["strides"][0], raw["strides"][1]),
        dilations=(raw["dilations"][0], raw["dilations"][1]),
        groups=groups,
        dtype=x.dtype.name,
    )
    kinds = {array.dtype.name for array in (weights, x, tensors.bias) if array is not None}
    if len(kinds) > 1 or x.dtype.name == "int32":
        raise ValueError("filter, bias and input are not of one floating-point dtype")
    if x.shape[3] != conv.channels_in or conv.channels_out % groups:
        raise ValueError("the channels of filter, input and groups do not fit together")
    if x.shape[1] < conv.reach[0] or x.shape[2] < conv.reach[1]:
        raise ValueError("the input is smaller than the filter")
    if tensors.bias is not None and tensors.bias.shape != (conv.channels_out,):
        raise ValueError("the bias does not fit the filter")
    for array in (weights, x, tensors.bias):
        with np.errstate(invalid="ignore"):  # a signalling NaN
            if array is not None and not np.isfinite(array.astype(np.float64)).all():
                raise ValueError("NaN or infinity in the inputs")
    return conv


def _entry(raw: Header, arrays: Arrays, runtimes: list[Runtime], conv: Convolution) -> Entry:
    cell = _cell(raw, runtimes)
    if cell.length < conv.reach[1]:
        raise ValueError(f"length {cell.length} is below the filter's width")
    output = arrays[raw["output"]]  # of whatever shape it was: a wrong one is a finding
    if not output.ndim:
        raise ValueError(f"{raw['output']!r} is one number")
    if output.dtype.name != conv.dtype:
        raise ValueError(f"{raw['output']!r} is {output.dtype.name}, expected {conv.dtype}")
    probes = None
    if "probes" in raw:
        probes = SavedProbes(**raw["probes"])
    orders = None
    if "orders" in raw:
        shape = (math.prod(output.shape[:-1]), output.shape[-1])
        orders = _orders(raw["orders"], arrays, shape)
    return Entry(cell, output, probes, orders)


def _orders(raw: Header, arrays: Arrays, shape: tuple[int, int]) -> SavedOrders:
    orders = tuple(SavedOrder(**one) for one in raw["orders"])
    alone = np.broadcast_to(np.int32(0), shape)
    which = alone if raw["which"] is None else arrays[raw["which"]]
    if which.shape != shape or which.dtype != np.int32:
        raise ValueError("an order's elements are not those of its output")
    if which.size and (int(which.min()) < -1 or int(which.max()) >= len(orders)):
        raise ValueError("an element has an order that is not there")
    return SavedOrders(orders, which, tuple((kind, reason) for kind, reason in raw["refusals"]))


def _spec(array: Array) -> ArraySpec:
    return ArraySpec("recorded", array.shape)
