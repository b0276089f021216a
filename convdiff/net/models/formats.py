"""The model files that can be read: a row a format."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from convdiff.net.models.build import NOMINAL
from convdiff.net.models.limits import MOST_BYTES, ModelError
from convdiff.net.models.model import Model


@dataclass(frozen=True)
class Format:
    """How files with one ending are read, and where their makers run them."""

    name: str
    endings: tuple[str, ...]
    reader: str
    """`module:function` of this package; imported when such a file is read."""
    framework: str

    def read(self, path: Path) -> Model:
        """Return the model of a file; of open extents, those that its layers leave something of.

        Raises ModelError.
        """
        module, _, function = self.reader.partition(":")
        read: Callable[[Path, int], Model] = getattr(
            importlib.import_module(f"convdiff.net.models.{module}"), function
        )
        model = read(path, NOMINAL[0])
        for nominal in NOMINAL[1:]:
            if not (model.open_axes.strip("N") and any(node.is_too_small for node in model.nodes)):
                break
            model = read(path, nominal)
        return model


FORMATS = (
    Format("ONNX", (".onnx",), "onnx_file:read", "onnxruntime"),
    Format("Keras", (".keras",), "keras_file:read_keras", "tensorflow"),
    Format("Keras HDF5", (".h5", ".hdf5"), "keras_file:read_h5", "tensorflow"),
    Format("TensorFlow Lite", (".tflite",), "tflite_file:read", "tensorflow"),
    Format("torch.export", (".pt2",), "pt2_file:read", "torch"),
)


_EXPORT = (
    "it may run code when it is opened; write the model as data: torch.export.save("
    "torch.export.export(model, (x,)), 'model.pt2') or torch.onnx.export"
)
_SAVED = "name the SavedModel's folder, in which it lies, or a .keras, .h5 or .tflite file"
REMEDIES = {
    **dict.fromkeys((".pt", ".pth", ".pkl", ".ckpt", ".bin"), _EXPORT),
    ".safetensors": "it holds arrays and no layers; write the whole model, as .onnx or .pt2",
    ".pb": _SAVED,
}
"""What to do about files that people have and that are not read, by their endings."""
FOLDER = Format("SavedModel", (), "saved_model:read", "tensorflow")
"""What a folder with a saved_model.pb is."""


def format_of(path: Path) -> Format | None:
    """Return the format that a file's ending says, or None for none of them."""
    if (path / "saved_model.pb").is_file():
        return FOLDER
    for row in FORMATS:
        if path.suffix.lower() in row.endings:
            return row
    return None


def read_model(path: Path) -> Model:
    """Return the model of a file, whichever format it has. Raises ModelError."""
    row = format_of(path)
    if row is None:
        if path.suffix.lower() in REMEDIES:
            raise ModelError(f"{path}: is not read: {REMEDIES[path.suffix.lower()]}")
        known = ", ".join(chain.from_iterable(one.endings for one in FORMATS))
        raise ModelError(f"{path}: no model that is known; expected {known}, or a SavedModel")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    if row is not FOLDER and not path.is_file():
        raise ModelError(f"{path}: is no regular file")
    if not size:
        raise ModelError(f"{path}: the file is empty")
    if size > MOST_BYTES:
        raise ModelError(f"{path}: has {size:,} bytes; {MOST_BYTES:,} are read at most")
    try:
        return row.read(path)
    except MemoryError:
        raise ModelError(f"{path}: needs more memory than there is") from None
