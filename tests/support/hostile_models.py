"""Model files that somebody made to do harm; each writes a canary if anything of it is run."""

from __future__ import annotations

import json
import marshal
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper


class Payload:
    """Writes the canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def keras_layer(kind: str, config: Mapping[str, Any], module: str = "keras.layers") -> Any:
    """Return a layer of a .keras file."""
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": "evil", "dtype": "float32", **config},
        "registered_name": None,
    }


def keras_config(*layers: Any, shape: Any = (None, 8, 8, 3)) -> str:
    """Return the configuration of a Sequential model."""
    first = keras_layer("InputLayer", {"batch_shape": list(shape), "name": "x"})
    whole = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "m", "layers": [first, *layers]},
    }
    return json.dumps(whole)


def lambda_config(canary: Path) -> Any:
    """Return a Lambda layer whose function touches the canary."""
    code = compile(f"__import__('os').system('touch {canary}')", "x", "eval")
    held = {"class_name": "__lambda__", "config": {"code": marshal.dumps(code).hex()}}
    return keras_layer("Lambda", {"function": held})


def write_keras(path: Path, config: str, **others: bytes) -> Path:
    """Write a .keras file without weights."""
    weights = path.with_suffix(".weights")
    with h5py.File(weights, "w") as file:
        file.create_group("layers")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
        archive.write(weights, "model.weights.h5")
        for name, data in others.items():
            archive.writestr(name, data)
    weights.unlink()
    return path


def within(*layers: Any, times: int = 1) -> Any:
    """Return layers in a Sequential model, in another one, so many times."""
    made = list(layers)
    for number in range(times):
        first = keras_layer("InputLayer", {"batch_shape": [None, 8, 8, 3], "name": "i"})
        inside = {"name": f"{'m' * 10_000}{number}", "layers": [first, *made]}
        made = [keras_layer("Sequential", inside, "keras")]
    return made[0]


def keras_lambda_within(folder: Path, canary: Path) -> Path:
    return write_keras(folder / "m.keras", keras_config(within(lambda_config(canary), times=2)))


def keras_foreign_within(folder: Path, canary: Path) -> Path:
    layer = keras_layer("system", {"command": f"touch {canary}"}, "os")
    return write_keras(folder / "m.keras", keras_config(within(layer)))


def keras_deep_models(folder: Path, canary: Path) -> Path:
    relu = keras_layer("ReLU", {})
    return write_keras(folder / "m.keras", keras_config(within(relu, times=60)))


def keras_lambda(folder: Path, canary: Path) -> Path:
    return write_keras(folder / "m.keras", keras_config(lambda_config(canary)))


def keras_foreign(folder: Path, canary: Path) -> Path:
    layer = keras_layer("system", {"command": f"touch {canary}"}, module="os")
    return write_keras(folder / "m.keras", keras_config(layer))


def keras_saved_model_layer(folder: Path, canary: Path) -> Path:
    layer = keras_layer("TFSMLayer", {"filepath": str(canary.parent)})
    return write_keras(folder / "m.keras", keras_config(layer))


def keras_nan_shape(folder: Path, canary: Path) -> Path:
    return write_keras(folder / "m.keras", keras_config(shape=(None, float("nan"), 8, 3)))


def keras_huge_shape(folder: Path, canary: Path) -> Path:
    return write_keras(folder / "m.keras", keras_config(shape=(None, 10**9, 10**9, 3)))


def keras_deep_json(folder: Path, canary: Path) -> Path:
    return write_keras(folder / "m.keras", "[" * 200_000)


def keras_pickled(folder: Path, canary: Path) -> Path:
    held = {"weights.pkl": pickle.dumps(Payload(canary))}
    return write_keras(folder / "m.keras", keras_config(), **held)


def zip_slip(folder: Path, canary: Path) -> Path:
    return write_keras(folder / "m.keras", keras_config(), **{f"../{canary.name}": b"x"})


def zip_bomb(folder: Path, canary: Path) -> Path:
    path = folder / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("config.json", keras_config())
        with archive.open("model.weights.h5", "w", force_zip64=True) as member:
            for _ in range(2100):
                member.write(bytes(2**20))
    return path


def zip_many(folder: Path, canary: Path) -> Path:
    path = folder / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}", b"")
    return path


def h5_lambda(folder: Path, canary: Path) -> Path:
    path = folder / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = keras_config(lambda_config(canary))
        file.create_group("model_weights")
    return path


def _dense() -> str:
    return keras_config(
        keras_layer("Dense", {"name": "d", "units": 2, "use_bias": False}), shape=(None, 3)
    )


def h5_external_link(folder: Path, canary: Path) -> Path:
    with h5py.File(folder / "secret.h5", "w") as file:
        file["w"] = np.ones((3, 2), "float32")
    path = folder / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = _dense()
        group = file.create_group("model_weights/d")
        group.attrs["weight_names"] = np.array([b"w"])
        group["w"] = h5py.ExternalLink(str(folder / "secret.h5"), "w")
    return path


def h5_external_storage(folder: Path, canary: Path) -> Path:
    (folder / "secret").write_bytes(bytes(24))
    path = folder / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = _dense()
        group = file.create_group("model_weights/d")
        group.attrs["weight_names"] = np.array([b"w"])
        external = [(str(folder / "secret"), 0, 24)]
        group.create_dataset("w", (3, 2), "float32", external=external)
    return path


def write_onnx(path: Path, nodes: list[Any], initializers: list[Any], domain: str = "") -> Path:
    """Write a model that reads x, (1, 3), and gives y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], initializers)
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    return path


def _external(location: str, length: int = 24) -> Any:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def _product(tensor: Any, path: Path) -> Path:
    return write_onnx(path, [helper.make_node("MatMul", ["x", "w"], ["y"], "product")], [tensor])


def onnx_parent(folder: Path, canary: Path) -> Path:
    (folder.parent / "secret").write_bytes(bytes(24))
    return _product(_external("../secret"), folder / "m.onnx")


def onnx_absolute(folder: Path, canary: Path) -> Path:
    (folder.parent / "secret").write_bytes(bytes(24))
    return _product(_external(str(folder.parent / "secret")), folder / "m.onnx")


def onnx_symlink(folder: Path, canary: Path) -> Path:
    (folder.parent / "secret").write_bytes(bytes(24))
    (folder / "w").symlink_to(folder.parent / "secret")
    return _product(_external("w"), folder / "m.onnx")


def onnx_linked_folder(folder: Path, canary: Path) -> Path:
    (folder.parent / "secret").write_bytes(bytes(24))
    (folder / "up").symlink_to(folder.parent)
    return _product(_external("up/secret"), folder / "m.onnx")


def onnx_hard_link(folder: Path, canary: Path) -> Path:
    (folder.parent / "secret").write_bytes(bytes(24))
    os.link(folder.parent / "secret", folder / "w")
    return _product(_external("w"), folder / "m.onnx")


def onnx_fifo(folder: Path, canary: Path) -> Path:
    os.mkfifo(folder / "w")
    return _product(_external("w"), folder / "m.onnx")


def onnx_huge(folder: Path, canary: Path) -> Path:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[10**6, 10**6])
    return _product(tensor, folder / "m.onnx")


def onnx_negative(folder: Path, canary: Path) -> Path:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-1, 2])
    return _product(tensor, folder / "m.onnx")


def onnx_filled(folder: Path, canary: Path) -> Path:
    shape = onnx.numpy_helper.from_array(np.array([10**6, 10**6]), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["w"], "filled"),
        helper.make_node("MatMul", ["x", "w"], ["y"], "product"),
    ]
    return write_onnx(folder / "m.onnx", nodes, [shape])


def onnx_many_nodes(folder: Path, canary: Path) -> Path:
    nodes = [helper.make_node("Relu", ["x"], [f"y{n}"]) for n in range(100_001)]
    return write_onnx(folder / "m.onnx", nodes, [])


def onnx_no_protobuf(folder: Path, canary: Path) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(pickle.dumps(Payload(canary)))
    return path


def write_pt2(path: Path, config: Mapping[str, Any], weights: bytes) -> Path:
    """Write an exported program of one linear layer."""
    size = {"sizes": [{"as_int": 2}, {"as_int": 3}], "dtype": 7}
    fed = {"sizes": [{"as_int": 1}, {"as_int": 3}], "dtype": 7}
    arguments = [
        {"name": name, "arg": {"as_tensor": {"name": given}}, "kind": 1}
        for name, given in (("input", "x"), ("weight", "w"))
    ]
    node = {
        "target": "torch.ops.aten.linear.default",
        "inputs": arguments,
        "outputs": [{"as_tensor": {"name": "y"}}],
    }
    graph = {
        "nodes": [node],
        "outputs": [{"as_tensor": {"name": "y"}}],
        "tensor_values": {"x": fed},
    }
    specs = [
        {"parameter": {"arg": {"name": "w"}, "parameter_name": "w"}},
        {"user_input": {"arg": {"as_tensor": {"name": "x"}}}},
    ]
    program = {"graph_module": {"graph": graph, "signature": {"input_specs": specs}}}
    meta = {
        **size,
        "strides": [{"as_int": 3}, {"as_int": 1}],
        "storage_offset": {"as_int": 0},
    }
    held = {"w": {"path_name": "weight_0", "use_pickle": False, "tensor_meta": meta, **config}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/models/model.json", json.dumps(program))
        archive.writestr("m/data/weights/model_weights_config.json", json.dumps({"config": held}))
        archive.writestr("m/data/weights/weight_0", weights)
    return path


def pt2_pickled(folder: Path, canary: Path) -> Path:
    pickled = pickle.dumps(Payload(canary))
    return write_pt2(folder / "m.pt2", {"use_pickle": True}, pickled)


def pt2_beyond(folder: Path, canary: Path) -> Path:
    return write_pt2(folder / "m.pt2", {}, bytes(8))


def pt2_old(folder: Path, canary: Path) -> Path:
    path = folder / "m.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", pickle.dumps(Payload(canary)))
    return path


def tflite_beyond(folder: Path, canary: Path) -> Path:
    path = folder / "m.tflite"
    path.write_bytes(b"\xff\xff\xff\x7fTFL3" + bytes(64))
    return path


def _encoded(number: int) -> bytes:
    """Return a number as protobuf writes it."""
    data = b""
    while number > 127:
        data, number = data + bytes([number & 127 | 128]), number >> 7
    return data + bytes([number])


def part(field: int, *data: bytes | str | int) -> bytes:
    """Return fields of a protobuf message: of bytes, text or a number."""
    made = b""
    for one in data:
        if isinstance(one, int):
            made += _encoded(field << 3) + _encoded(one)
            continue
        raw = one.encode() if isinstance(one, str) else one
        made += _encoded(field << 3 | 2) + _encoded(len(raw)) + raw
    return made


def node(name: str, op: str, *inputs: str, **attributes: bytes) -> bytes:
    """Return a NodeDef."""
    told = b"".join(part(5, part(1, key) + part(2, one)) for key, one in attributes.items())
    return part(1, name) + part(2, op) + part(3, *inputs) + told


def write_saved_model(folder: Path, *nodes: bytes, functions: bytes = b"") -> Path:
    """Write a SavedModel that reads x, (1, 3), and gives y."""
    path = folder / "saved"
    path.mkdir()
    shape = part(2, part(1, 1), part(1, 3))
    named = part(1, "x:0") + part(2, 1) + part(3, shape), part(1, "y:0")
    signature = b"".join(
        part(field, part(1, "t") + part(2, info)) for field, info in enumerate(named, 1)
    )
    graph = part(1, node("x", "Placeholder"), *nodes) + functions
    held = part(5, part(1, "serving_default") + part(2, signature))
    (path / "saved_model.pb").write_bytes(part(2, part(2, graph) + held))
    return path


def saved_reads_file(folder: Path, canary: Path) -> Path:
    read = node("read", "ReadFile", "name")
    decoded = node("y", "DecodeRaw", "read")
    return write_saved_model(folder, node("name", "Const"), read, decoded)


def saved_calls_itself(folder: Path, canary: Path) -> Path:
    call = {"f": part(10, part(1, "again"))}
    signature = part(1, "again") + part(2, part(1, "a")) + part(3, part(1, "b"))
    inner = part(3, node("call", "PartitionedCall", "a", **call))
    body = part(1, signature) + inner + part(4, part(1, "b") + part(2, "call:output:0"))
    whole = node("y", "PartitionedCall", "x", **call)
    return write_saved_model(folder, whole, functions=part(2, part(1, body)))


def saved_symlink(folder: Path, canary: Path) -> Path:
    path = write_saved_model(folder, node("y", "Relu", "x"))
    (path / "saved_model.pb").rename(folder.parent / "secret.pb")
    (path / "saved_model.pb").symlink_to(folder.parent / "secret.pb")
    return path


HOSTILE: Mapping[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a Lambda layer": (keras_lambda, "Lambda"),
    "a Lambda layer in a model in a model": (keras_lambda_within, "Lambda"),
    "a foreign module in a model in a model": (keras_foreign_within, "os.system"),
    "models 60 deep": (keras_deep_models, "deep"),
    "a layer of a foreign module": (keras_foreign, "os.system"),
    "a layer that loads a SavedModel": (keras_saved_model_layer, "TFSMLayer"),
    "a shape with NaN": (keras_nan_shape, "nan"),
    "a shape of 10⁹ by 10⁹": (keras_huge_shape, "2 GB"),
    "JSON 200,000 deep": (keras_deep_json, "JSON"),
    "a pickle in a .keras file": (keras_pickled, "unpickled"),
    "a zip slip": (zip_slip, "outside"),
    "a zip bomb": (zip_bomb, "unpacks"),
    "a zip of 10,001 members": (zip_many, "10,001 members"),
    "a Lambda layer in HDF5": (h5_lambda, "Lambda"),
    "an external link in HDF5": (h5_external_link, "link"),
    "external storage in HDF5": (h5_external_storage, "another file"),
    "external data of the parent folder": (onnx_parent, "outside"),
    "external data by an absolute path": (onnx_absolute, "outside"),
    "external data through a symbolic link": (onnx_symlink, "symbolic link"),
    "external data through a linked folder": (onnx_linked_folder, "symbolic link"),
    "external data through a hard link": (onnx_hard_link, "hard link"),
    "external data in a pipe": (onnx_fifo, "regular file"),
    "a tensor of 10¹² elements": (onnx_huge, "2 GB"),
    "a tensor of −1 rows": (onnx_negative, "-1"),
    "a constant that is filled to 10¹² elements": (onnx_filled, "2 GB"),
    "100,001 nodes": (onnx_many_nodes, "100,001 nodes"),
    "a pickle called .onnx": (onnx_no_protobuf, "ONNX"),
    "pickled weights in a .pt2 file": (pt2_pickled, "unpickled"),
    "weights that reach beyond their storage": (pt2_beyond, "beyond"),
    "a .pt2 file of an old release": (pt2_old, "pickled"),
    "a SavedModel that reads files": (saved_reads_file, "ReadFile"),
    "a function that calls itself": (saved_calls_itself, "calls"),
    "a SavedModel through a link": (saved_symlink, "symbolic link"),
    "a flatbuffer that leads out of itself": (tflite_beyond, "damaged"),
}
"""What is wrong with each, who writes it into a folder, and what is said of it."""
