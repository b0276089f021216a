""".pt2, as torch.export.save writes it: JSON texts and raw tensors in a zip. Torch is not imported.

What is pickled in it (example inputs, weights of old releases) is never unpickled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from convdiff.net.models.archive import Archive
from convdiff.net.models.aten_ops import OPS
from convdiff.net.models.build import DTYPES, Building
from convdiff.net.models.built import built
from convdiff.net.models.limits import MOST_NODES, Budget, ModelError, check_count
from convdiff.net.models.model import Array, Model, UnreadError
from convdiff.net.models.operation import Operation, unique

SCALARS: Mapping[int, Any] = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
    13: ml_dtypes.bfloat16,
}
"""Of torch/_export/serde/schema.py, ScalarType."""
TARGET = re.compile(r"torch\.ops\.(aten\.)?(\w+)(\.\w+)?$")
PROGRAM = re.compile(r"[^/]+/models/[^/]+\.json$")


def read(path: Path, nominal: int) -> Model:
    """Return an exported program's layers; see `Building.nominal`. Raises ModelError."""
    archive = Archive(path)
    programs = [name for name in archive.names if PROGRAM.match(name)]
    if any("serialized_state_dict" in name for name in archive.names):
        raise ModelError(
            f"{path}: its weights are pickled, which is never read; save it again with torch ≥ 2.8"
        )
    if len(programs) != 1:
        raise ModelError(f"{path}: holds {len(programs)} programs of torch.export; expected one")
    try:
        return _Pt2File(path, archive, programs[0], nominal).model()
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(
            f"{path}: no program of torch.export: {type(error).__name__} {error}"
        ) from None


class _Pt2File:
    """One file while it is read."""

    def __init__(self, path: Path, archive: Archive, program: str, nominal: int) -> None:
        self.path, self.archive, self.root = path, archive, program.split("/", maxsplit=1)[0]
        module = archive.json(program)["graph_module"]
        self.graph, self.signature = module["graph"], module["signature"]
        check_count(str(path), "nodes", len(self.graph["nodes"]), MOST_NODES)
        self.building = Building(budget=Budget(str(path)), nominal=nominal)

    def model(self) -> Model:
        """Return what was read. Raises ModelError."""
        users, names = [], {}
        for spec in self.signature["input_specs"]:
            kind, argument = next(iter(spec.items()))
            if kind == "user_input":
                users.append(argument["arg"].get("as_tensor", {}).get("name", ""))
            else:
                held = [argument[key] for key in argument if key.endswith("_name")]
                names[argument["arg"]["name"]] = held[0]
        self.building.values.update(self.weights(names))
        self.building.begin(lambda: self.feed(users[0]), users)
        operations = self.operations()
        outputs = [one.get("as_tensor", {}).get("name", "") for one in self.graph["outputs"]]
        return built(self.building, "pt2", operations, OPS, users, outputs)

    def feed(self, name: str) -> str:
        """Make the first input the net's; return the axes that are left open."""
        meta = self.graph["tensor_values"][name]
        dtype = np.dtype(SCALARS.get(meta["dtype"], "uint8")).name
        if dtype not in DTYPES:
            raise UnreadError(f"{name} is {dtype}")
        self.building.dtype = dtype
        return self.building.feed_open(name, [size.get("as_int") for size in meta["sizes"]])

    def weights(self, names: Mapping[str, str]) -> dict[str, Array]:
        """Return all arrays by the graph's names; names: from those to the program's."""
        configs: dict[str, Any] = {}
        for member in self.archive.names:
            if member.startswith(f"{self.root}/data/") and member.endswith("_config.json"):
                folder = member.rsplit("/", 1)[0]
                for name, config in self.archive.json(member)["config"].items():
                    configs[name] = (folder, config)
        made = {}
        for graph_name, name in names.items():
            if name in configs:
                made[graph_name] = self.array(name, *configs[name])
        return made

    def array(self, name: str, folder: str, config: Mapping[str, Any]) -> Array:
        """Return one array of raw numbers. Raises ModelError."""
        if config.get("use_pickle"):
            raise ModelError(f"{self.path}: {name} is pickled; nothing is unpickled")
        meta = config["tensor_meta"]
        dtype = np.dtype(SCALARS[meta["dtype"]])
        shape = self.building.budget.take(
            name, [one.get("as_int") for one in meta["sizes"]], dtype.itemsize
        )
        strides = [one.get("as_int") for one in meta["strides"]]
        offset = meta["storage_offset"].get("as_int")
        flat = np.frombuffer(self.archive.read(f"{folder}/{config['path_name']}"), np.uint8)
        flat = flat[: len(flat) // dtype.itemsize * dtype.itemsize].view(dtype)
        if not math.prod(shape):
            return np.zeros(shape, dtype)
        steps = sum(s * (n - 1) for s, n in zip(strides, shape, strict=True))
        if min([offset, *strides]) < 0 or offset + steps >= len(flat):
            raise ModelError(f"{self.path}: {name} reaches beyond its storage")
        items = [step * dtype.itemsize for step in strides]
        view = np.lib.stride_tricks.as_strided(flat[offset:], shape, items, writeable=False)
        return np.ascontiguousarray(view)

    def operations(self) -> list[Operation]:
        """Return the graph's nodes."""
        made = []
        given = self.graph["nodes"]
        called = [_outputs(node)[0] for node in given]
        names = unique([(name, node["target"]) for name, node in zip(called, given, strict=True)])
        for node, name in zip(given, names, strict=True):
            match = TARGET.match(node["target"])
            op = match.group(2) if match and match.group(1) else node["target"]
            attributes = {argument["name"]: _plain(argument["arg"]) for argument in node["inputs"]}
            read = _tensors([argument["arg"] for argument in node["inputs"]])
            made.append(Operation(name, op, read, _outputs(node), attributes))
        return made


def _outputs(node: Mapping[str, Any]) -> tuple[str, ...]:
    return _tensors(node["outputs"]) or ("",)


def _tensors(args: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of all tensors among arguments, in their order."""
    names: list[str] = []
    for arg in args:
        several = [arg["as_tensor"]] if "as_tensor" in arg else arg.get("as_tensors", [])
        names += [tensor["name"] for tensor in several]
    return tuple(names)


def _plain(arg: Mapping[str, Any]) -> Any:
    """Return an argument's value; of a tensor its name."""
    kind, value = next(iter(arg.items()))
    if kind == "as_none":
        return None
    return value["name"] if kind == "as_tensor" else value
