"""SavedModels: a graph and its variables, read without TensorFlow; never loaded by it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from convdiff.net.models.axes import LAST
from convdiff.net.models.build import DTYPES as FLOATS
from convdiff.net.models.build import Building
from convdiff.net.models.built import built
from convdiff.net.models.bundle import DTYPES, Bundle, extents_of
from convdiff.net.models.external import open_inside
from convdiff.net.models.graphdef import Function, Unfolding, functions_of
from convdiff.net.models.limits import MOST_BYTES, MOST_NODES, Budget, ModelError, check_count
from convdiff.net.models.model import Model, UnreadError
from convdiff.net.models.operation import unique
from convdiff.net.models.protobuf import Message, ProtobufError
from convdiff.net.models.tensorflow_ops import OPS

FILE = "saved_model.pb"
SIGNATURE = "serving_default"
KEY = "/.ATTRIBUTES/VARIABLE_VALUE"


def read(path: Path, nominal: int) -> Model:
    """Return the layers of a SavedModel's serving signature; see `Building.nominal`.

    Raises ModelError.
    """
    with open_inside(path / FILE, FILE, FILE) as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise ModelError(f"{path}: {FILE} is larger than {MOST_BYTES:,} bytes")
        data = file.read()
    try:
        return _read(path, Message(memoryview(data)), nominal)
    except (ProtobufError, KeyError, IndexError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: no SavedModel: {type(error).__name__} {error}") from None


def _read(path: Path, proto: Message, nominal: int) -> Model:
    meta = next(iter(proto.messages(2)), Message(memoryview(b"")))
    signatures = meta.table(5)
    if SIGNATURE not in signatures:
        raise ModelError(f"{path}: has no signature {SIGNATURE}")
    inputs, outputs = (signatures[SIGNATURE].table(field) for field in (1, 2))
    names = {info.text(1).partition(":")[0]: info for info in inputs.values()}
    budget = Budget(str(path))
    unfolding, answers = _unfolded(path, meta, names, outputs, budget)
    building = Building(LAST, budget=budget, nominal=nominal)
    if unfolding.variables:
        bundle = Bundle(path, budget)
        building.values.update((name, bundle.array(name)) for name in unfolding.variables)
    building.begin(partial(_feed, building, names), names)
    called = unique([(one.name, one.outputs[0]) for one in unfolding.operations])
    pairs = zip(unfolding.operations, called, strict=True)
    operations = [replace(one, name=name) for one, name in pairs]
    return built(building, "SavedModel", operations, OPS, list(names), answers)


def _unfolded(
    path: Path,
    meta: Message,
    names: Mapping[str, Message],
    outputs: Mapping[str, Message],
    budget: Budget,
) -> tuple[Unfolding, list[str]]:
    """Return the operations that a signature's outputs need, and what those are called."""
    graph = meta.message(2)
    whole = Function({node.text(1): node for node in graph.messages(1)})
    check_count(str(path), "nodes", len(whole.nodes), MOST_NODES)
    captured = _captured(meta.message(7))
    unfolding = Unfolding(str(path), functions_of(graph), budget, captured)
    given = {name: name for name in names}
    answers = [unfolding.value(whole, info.text(1), "", given) for info in outputs.values()]
    return unfolding, answers


def _captured(objects: Message) -> dict[str, tuple[str, ...]]:
    """Return the keys of the variables that each function captures.

    A variable's key is its path from the root of the graph of objects.
    """
    children = [one.messages(1) for one in objects.messages(1)]
    paths, left = {0: ""}, deque([0])
    while left:  # the shortest path, of those the first
        at = left.popleft()
        if at >= len(children):
            continue
        for child in children[at]:
            number = child.integer(1)
            if number not in paths:
                paths[number] = f"{paths[at]}/{child.text(2)}".lstrip("/")
                left.append(number)
    captured = {}
    for name, function in objects.table(2).items():
        variables = [paths.get(number, "?") for number in function.integers(2)]
        captured[name] = tuple(f"{variable}{KEY}" for variable in variables)
    return captured


def _feed(building: Building, names: Mapping[str, Message]) -> str:
    """Make the first input of floating point the net's; return the axes that are left open."""
    for name, info in names.items():
        dtype: Any = DTYPES.get(info.integer(2), "")
        if dtype not in FLOATS:
            continue
        building.dtype = dtype
        if info.message(3).integer(3):
            raise UnreadError("it has no shape")
        return building.feed_open(name, extents_of(info.message(3)))
    raise UnreadError("none of floating point")
