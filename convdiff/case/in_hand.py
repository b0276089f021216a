"""Files that people have in hand and that are no case: what each is, and how a case is made of it.

Told by content, and by the name where the content leaves it open; text is never taken for a model.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from convdiff.case.layout import written
from convdiff.case.npy import array_header
from convdiff.errors import CaseError, Place

BEGINNING = 4096
"""Bytes that tell what a file is."""
MOST_MEMBERS = 8
"""Arrays of an archive that are named."""

HWIO = (
    "{filter: {file: filter.npy}, bias: {file: bias.npy}, input: {normal: 1}, height: 64,"
    " lengths: 64}"
)
OIHW = HWIO.replace("{filter:", "{layout: nchw, filter:", 1)
"""Cases that read what was taken out of a model, as its library has it."""

MODELS = (".onnx", ".keras", ".h5", ".tflite", ".pt2")
"""Names of models whose layers are read."""


@dataclass(frozen=True)
class Seen:
    """A file's beginning and its name."""

    path: Path
    head: bytes

    @property
    def binary(self) -> bool:
        """Return whether it is no text: it holds a control character that text has not."""
        return re.search(rb"[\x00-\x08\x0e-\x1a]", self.head) is not None

    def has_member(self, pattern: str) -> bool:
        """Return whether it is a zip archive with a member that is called so."""
        return any(re.fullmatch(pattern, name) for name in _members(self.path))


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    what: str
    is_it: Callable[[Seen], bool]
    advice: Callable[[Path], str]
    """What to do with it, in one line."""


def _layer(how: str, case: str) -> Callable[[Path], str]:
    """Advise to take a layer out of a model: by `extract` where its name says that it is read."""
    text = f"save a layer's arrays as filter.npy and bias.npy ({how}) and write a case: {case}"
    return lambda path: _extracted(path) if path.suffix in MODELS else text


def _extracted(path: Path) -> str:
    return (
        f"convdiff trace {path} compares it; inspect instead of trace lists its layers, and"
        " extract, with --layer NAME -o case.yaml, writes a case of one"
    )


def _zip(start: Seen) -> bool:
    return start.head.startswith(b"PK\x03\x04")


def _onnx(start: Seen) -> bool:
    """Return whether it is binary and called so, or a protobuf with a version and ONNX's words."""
    begins = re.match(rb"\x08[\x01-\x20][\x12\x1a\x22\x28\x32\x3a\x42]", start.head)
    speaks = re.search(rb"onnx|torch|Conv", start.head) is not None
    return (begins is not None and speaks) or (start.binary and start.path.suffix == ".onnx")


def _pickle(start: Seen) -> bool:
    return re.match(rb"\x80[\x02-\x05]", start.head) is not None


def _safetensors(start: Seen) -> bool:
    return start.head[8:10] == b'{"' and int.from_bytes(start.head[:8], "little") < 10**8


def _recording(start: Seen) -> bool:
    """Return whether it is a recording: what says so may stand far from the beginning."""
    if not (_safetensors(start) or start.head.lstrip().startswith(b"{")):
        return False
    with start.path.open("rb") as file:
        text = file.read(10 * 2**20)
    return re.search(rb'\\?"kind\\?": ?\\?"convdiff recording', text) is not None


def _to_array(path: Path) -> str:
    """Say what a lone array holds and is for. Raises CaseError for a damaged one."""
    shape, dtype = array_header(path, None, Place(str(path)))
    name = _quoted(path.name)
    return (
        f"it holds {dtype} {written(shape)}; a case names it:"
        f" {{filter: {{file: filter.npy}}, input: {{file: {name}}}}} (PyTorch's: `layout: nchw`);"
        f" two outputs are judged by convdiff compare {path.name} OTHER.npy --case CASE"
    )


def _to_members(path: Path) -> str:
    """Say how the arrays of an archive are named."""
    names = [name.removesuffix(".npy") for name in _members(path) if name.endswith(".npy")]
    held = ", ".join(names[:MOST_MEMBERS]) + ", …" * (len(names) > MOST_MEMBERS)
    first, last = (_quoted(f"{path.name}#{name}") for name in (names[0], names[-1]))
    case = f"{{filter: {{file: {first}}}, input: {{file: {last}}}}}"
    return f"it holds {held}; a case names them: {case}"


KINDS: Sequence[Kind] = (
    Kind("a NumPy array", lambda start: start.head.startswith(b"\x93NUMPY"), _to_array),
    Kind(
        "a recording",
        _recording,
        lambda path: f"convdiff show {path.name} prints it; compare and --baseline read it",
    ),
    Kind(
        "a Keras model",
        lambda start: _zip(start) and start.has_member(r"model\.weights\.h5|config\.json"),
        _layer("layer.get_weights()", HWIO),
    ),
    Kind(
        "a PyTorch model",
        lambda start: _zip(start) and start.has_member(r"(.*/)?(data|constants)\.pkl"),
        _layer("layer.weight.detach().numpy()", OIHW),
    ),
    Kind(
        "an archive of NumPy arrays",
        lambda start: _zip(start) and start.has_member(r".*\.npy"),
        _to_members,
    ),
    Kind(
        "an HDF5 file, as Keras writes them",
        lambda start: start.head.startswith(b"\x89HDF\r\n\x1a\n"),
        _layer("layer.get_weights()", HWIO),
    ),
    Kind(
        "a TensorFlow Lite model",
        lambda start: start.head[4:8] == b"TFL3",
        _layer("interpreter.get_tensor(index).transpose(1, 2, 3, 0), from OHWI", HWIO),
    ),
    Kind(
        "a PyTorch model, or another pickle, which is never loaded",
        _pickle,
        _layer("layer.weight.detach().numpy()", OIHW),
    ),
    Kind(
        "weights in safetensors",
        _safetensors,
        _layer("safetensors.numpy.load_file(name)[key]; here of PyTorch's layout", OIHW),
    ),
    Kind(
        "a TensorFlow graph",
        lambda start: start.binary and start.path.suffix == ".pb",
        _layer("variable.numpy() of tf.saved_model.load(folder)", HWIO),
    ),
    Kind("an ONNX model", _onnx, _layer("onnx.numpy_helper.to_array(initializer)", OIHW)),
    Kind(
        "an OpenVINO model",
        lambda start: re.match(rb"\s*<\?xml[^>]*>\s*<net\b", start.head) is not None,
        _layer("constant.data of a Constant in model.get_ops()", OIHW),
    ),
)
"""The first that a file is decides."""


def kind_of(path: Path) -> Kind | None:
    """Return what a file is, where it is one of these; None where it can't be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            start = Seen(path, file.read(BEGINNING))
        return next((kind for kind in KINDS if kind.is_it(start)), None)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None


def refuse_in_hand(path: Path) -> None:
    """Raise CaseError with what to do where a file is one of these, and no case."""
    kind = kind_of(path)
    if kind is not None:
        raise CaseError(Place(str(path)), f"{kind.what}, no case; {kind.advice(path)}")


def refuse_folder(folder: Path) -> None:
    """Raise CaseError for a folder without cases: what it holds instead, where that is known."""
    empty = "this folder holds no .yaml case"
    for path in sorted(folder.iterdir()):
        kind = kind_of(path)
        if kind is not None:
            text = f"{path.name} in it is {kind.what}; {kind.advice(path)}"
            raise CaseError(Place(str(folder)), f"{empty}; {text}")
    raise CaseError(Place(str(folder)), empty)


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _quoted(name: str) -> str:
    """Write a file's name as YAML takes it."""
    return name if re.fullmatch(r"[\w.-]+", name) else json.dumps(name, ensure_ascii=False)
