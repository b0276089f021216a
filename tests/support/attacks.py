"""A thousand recordings that are not what they say; run as a program, in a process of its own.

Each is shown and compared with a sound one in this process. Prints a line for all that is neither
success nor one clear line with exit code 2, then how many there were and the most memory it took.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from recordings import (
    FINGERPRINT,
    changed,
    put,
    recorded,
    recording,
    runtime,
    seal,
    tensors_of,
    together,
    unsealed_tensors,
)

from convdiff.cli import exit_code
from convdiff.recording.files import read_recording, write_recording
from convdiff.recording.model import RecordingError

Json = Any
LONGEST = 500
HANG = 20
"""Seconds after which one file is called a hang."""
SPACE = 4 << 30
"""Address space: more is a bomb that went off, and ends in a MemoryError instead of the machine."""
STRANGE: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.0,
    1.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    10**9,
    10**18,
    10**30,
    10**4000,
    "",
    "x",
    "\x1b[31m\n\u2028\ud800",
    "a" * 5000,
    [],
    {},
    [[]],
    [None],
    {"a": None},
    [1, 2, 3, 4, 5],
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


NOTATIONS = (
    "(0)^1000000000+1",
    "[0 1 2 (b)^1000000000+1]",
    "[0 1 2 ((0)^0+1)^1000000000+1 b]",
    "[0 1 2 (((0)^0+1)^999999999+1)^999999999+1 b]",
    "[(0)^0+1 0 1 2 b]",
    "[0..1000000000 b]",
    "0..3",
    "(" * 100_000,
    "(" * 100_000 + "0" + ")" * 100_000,
    "[" * 100_000 + "0" + "]" * 100_000,
    "[" * 900 + "0 1 2 b" + "]" * 900,
    "(" * 400 + "0" + "+b)" * 400,
    "{" * 5000 + "0" + "}" * 5000,
    "".join("(" for _ in range(2000)) + "0" + ")^1+1" * 2000,
    "[0 1 2 b] [0 1 2 b]",
    "[0 0 1 2]",
    "[0 1 2]",
    "[0 1 3 b]",
    "[(0)^3-1 b]",
    "[(0)^2-1 1 2]",
    "[(2)^3-1 b]",
    "[(1)^4-1]",
    "[(0 1)^2+" + "9" * 4000 + "]",
    "[(0)^" + "9" * 4000 + "+1 b]",
    "[(0)^" + "9" * 4400 + "+1 b]",
    "9" * 4000,
    "[9" + "9" * 3000 + " 1 2 b]",
    "<0 1 2 b>",
    "<|0 1 2 b|>",
    "{0 1 2 b}",
    "&{0 1 2 b}",
    "[0 &{1 2} b]",
    "[0 1 2 b]*",
    "",
    " ",
    "\x00",
    "\ud800",
    "[0 1 2 b" + " " * 4_000_000 + "]",
    "0 " * 2_000_000,
    "b",
    "(b+b)",
    "((0+1)+(2*+b*))",
    "[0* 1* 2* b*]",
)


def base(folder: Path) -> tuple[Path, Path, Path]:
    """Write a sound recording in both formats, and the one that all are compared with."""
    tensors = tensors_of((1, 3, 1, 2), (2, 1, 6, 1))
    one = recorded("[0 1 2 b]", tensors, lengths=(4, 6), ops=("conv2d", "manual"))
    two = recorded("[[0 1*] [2 b]]", tensors, lengths=(4, 6), at=runtime(TF_X="1"))
    other = recorded("[[0 1] [2 b]]", tensors, lengths=(4, 6), ops=("conv2d", "manual"))
    paths = folder / "sound.json", folder / "sound.safetensors", folder / "other.json"
    for path, whole in zip(paths, (together(one, two), together(one, two), other), strict=True):
        write_recording(path, recording(whole))
    return paths


def places(value: Json, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value inside a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inside:
        yield (*at, key)
        if isinstance(one, dict | list):
            yield from places(one, (*at, key))


class Attacks:
    """Yields what to write where: a suffix and the bytes of a file."""

    def __init__(self, plain: Path, packed: Path) -> None:
        self.plain, self.packed = plain.read_bytes(), packed.read_bytes()
        self.document = json.loads(self.plain)
        self.outer, self.payload = unsealed_tensors(packed)
        self.random = random.Random(1)

    def sealed(self, document: Json) -> bytes:
        """Return a .json recording whose header is sealed."""
        if isinstance(document, dict):
            document["sha256"] = seal(document)
        return json.dumps(document).encode("utf-8")

    def packed_with(self, header: Json) -> bytes:
        """Return a .safetensors recording whose header is sealed."""
        header = {key: value for key, value in header.items() if key != "values"}
        header["sha256"] = seal(header)
        outer = {**self.outer, "__metadata__": {"convdiff": json.dumps(header)}}
        text = json.dumps(outer).encode()
        return len(text).to_bytes(8, "little") + text + self.payload

    def all(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield (name, suffix, bytes) of every attack."""
        yield from self.rough()
        yield from self.headers()
        yield from self.typed()
        yield from self.named()
        yield from self.orders()

    def rough(self, each: int = 50) -> Iterator[tuple[str, str, bytes]]:
        """Truncate, flip, insert, delete, repeat: no thought given to the format."""
        for suffix, raw in ((".json", self.plain), (".safetensors", self.packed)):
            for number in range(each):
                at = self.random.randrange(len(raw))
                more = self.random.randbytes(self.random.choice((1, 2, 8, 100)))
                bit = bytes([raw[at] ^ (1 << self.random.randrange(8))])
                yield f"cut {number}", suffix, raw[:at]
                yield f"flip {number}", suffix, raw[:at] + bit + raw[at + 1 :]
                yield f"insert {number}", suffix, raw[:at] + more + raw[at:]
                yield f"delete {number}", suffix, raw[:at] + raw[at + len(more) :]

    def headers(self) -> Iterator[tuple[str, str, bytes]]:
        """Forge what frames a file."""
        raw = self.packed
        for size in (0, 1, 2**20, 2**31, 2**32, 2**62, 2**63, 2**64 - 1, len(raw), len(raw) - 8):
            yield f"header of {size}", ".safetensors", size.to_bytes(8, "little") + raw[8:]
        for name in list(self.outer)[1:4]:
            for shape in ([2**31], [2**62, 2**62], [0], [-1], [1.5], [1] * 100, []):
                yield (f"{shape}", ".safetensors", self.framed({name: {"shape": shape}}))
            for offsets in ([0, 2**63], [2**62, 0], [-1, 4], [0, 4], [0], "no"):
                yield (f"{offsets}", ".safetensors", self.framed({name: {"data_offsets": offsets}}))
            for dtype in ("F64", "U8", "BOOL", "F8_E4M3", "C64", "F4", "", None):
                yield (f"{dtype}", ".safetensors", self.framed({name: {"dtype": dtype}}))
        for raw in (
            b"",
            b"{",
            b"[]",
            b"0",
            b"null",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b"NaN",
            b'"x"',
        ):
            yield f"{raw!r}", ".json", raw
            yield f"{raw!r}", ".safetensors", raw
        for depth in (900, 1000, 5000, 100_000):
            deep = nested(depth).encode()
            yield f"nested {depth}", ".json", deep
            kept = self.plain.replace(b'"threads": 2', b'"threads": 2, "x": ' + deep, 1)
            yield f"nested fingerprint {depth}", ".json", kept
            text = json.dumps(self.document)
            for key in ("kind", "cases", "arrays", "values"):
                raw = text.replace(f'"{key}": ', f'"{key}": {nested(depth)}, "was": ', 1).encode()
                yield f"nested {key} {depth}", ".json", raw
        for depth in (10, 100, 300, 440, 480):
            document = copy.deepcopy(self.document)
            inside = document["cases"][0]["runtimes"][0]["fingerprint"]
            for number in range(depth):
                inside["x"] = {} if number % 2 else [{}]
                inside = inside["x"] if number % 2 else inside["x"][0]
            yield f"sealed and nested {depth}", ".json", self.sealed(document)
            yield f"sealed and nested {depth}", ".safetensors", self.packed_with(document)
        for digits in (4000, 4400, 10_000):
            version = b'"schema_version": ' + b"9" * digits
            yield f"{digits} digits", ".json", self.plain.replace(b'"schema_version": 1', version)
        for key in ("cases", "values", "sha256", "kind", "arrays"):
            twice = json.dumps(self.document)[:-1] + f', "{key}": 1}}'
            yield f"{key} twice", ".json", twice.encode()
            first = f'{{"{key}": 1, ' + json.dumps(self.document)[1:]
            yield f"{key} twice, the first odd", ".json", first.encode()

    def framed(self, changes: dict[str, Json]) -> bytes:
        outer = copy.deepcopy(self.outer)
        for name, change in changes.items():
            outer[name].update(change)
        text = json.dumps(outer).encode()
        return len(text).to_bytes(8, "little") + text + self.payload

    def typed(self) -> Iterator[tuple[str, str, bytes]]:
        """Put strange values in every place of a header, and seal it."""
        header = {key: value for key, value in self.document.items() if key != "values"}
        found = list(places(header))
        for number, path in enumerate(found):
            strange = self.random.choice(STRANGE)
            document = changed(self.document, path, strange)
            name = f"{path} = {strange!r:.40}"
            if number % 4:
                yield name, ".json", self.sealed(document)
            else:
                yield name, ".safetensors", self.packed_with(document)
        for key in FINGERPRINT:
            path = ("cases", 0, "runtimes", 0, "fingerprint", key)
            for strange in self.random.sample(STRANGE, 8):
                document = changed(self.document, path, strange)
                yield f"{path} = {strange!r:.40}", ".json", self.sealed(document)
        cell = ("cases", 0, "cells", 0)
        for key in ("length", "batch", "runtime", "repeat"):
            for value in (0, 1, 2, 3, 5, 7, 10**9, 10**9 + 1, 2.0, 4.0, 1e9, True):
                document = changed(self.document, (*cell, key), value)
                yield f"{key} = {value}", ".json", self.sealed(document)
        for key in ("length", "batch"):  # both large: more elements than memory has addresses
            document = changed(self.document, (*cell, key), 10**9)
            document["cases"][0]["cells"][0]["length"] = 10**9
            document["cases"][0]["cells"][0]["batch"] = 10**9
            yield f"large {key}", ".json", self.sealed(document)
        for key in ("strides", "dilations"):
            for pair in ([1, 10**9], [10**9, 1], [2.0, 1.0], [2, 2]):
                document = changed(self.document, ("cases", 0, key), pair)
                yield f"{key} = {pair}", ".json", self.sealed(document)
        for groups in (2, 3, 1.0, 10**9):
            document = changed(self.document, ("cases", 0, "groups"), groups)
            yield f"groups = {groups}", ".json", self.sealed(document)

    def named(self) -> Iterator[tuple[str, str, bytes]]:
        """Put values and arrays in others' places, with the right checksums."""
        names = list(self.document["arrays"])
        odd = (
            np.zeros((), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 0, 0, 0), np.float32),
            np.zeros((1, 1, 1, 1), np.float32),
            np.full((1, 3, 1, 2), np.inf, np.float32),
            np.full((2, 1, 6, 1), np.nan, np.float32),
            np.zeros((1, 1, 2, 2), np.float64),
            np.zeros((2, 1, 2, 3), np.float32),
        )
        for name in names:
            for array in odd:
                document = copy.deepcopy(self.document)
                put(document, name, array)
                yield f"{name}: {array.dtype} {array.shape}", ".json", self.sealed(document)
            for other in names[:2]:
                document = copy.deepcopy(self.document)
                document["arrays"][name] = document["arrays"][other]
                document["values"][name] = document["values"][other]
                yield f"{name} is {other}", ".json", self.sealed(document)
            for row in (
                [1.0, 5],
                [1],
                1,
                "12",
                [None, None],
                [1, "nan:"],
                [1, "nan:-1"],
                {},
                [[], []],
            ):
                document = copy.deepcopy(self.document)
                document["values"][name][0] = row
                yield f"{name}[0] = {row!r}", ".json", self.sealed(document)
            document = copy.deepcopy(self.document)
            document["values"][name] = [["nan", "nan:" + "f" * 5000]]
            yield f"{name} a long NaN", ".json", self.sealed(document)
        document = copy.deepcopy(self.document)
        document["cases"] *= 2
        yield "a case twice", ".json", self.sealed(document)
        document = copy.deepcopy(self.document)
        document["cases"][0]["runtimes"] *= 2
        yield "runtimes twice", ".json", self.sealed(document)
        document = copy.deepcopy(self.document)
        document["cases"][0]["cells"] *= 2
        yield "cells twice", ".json", self.sealed(document)
        document = copy.deepcopy(self.document)
        document["cases"][0]["cells"] = []
        yield "no cells", ".json", self.sealed(document)
        document = copy.deepcopy(self.document)
        document["cases"] = []
        yield "no cases", ".json", self.sealed(document)

    def orders(self) -> Iterator[tuple[str, str, bytes]]:
        """Write orders that are none, or bombs."""
        for notation in NOTATIONS:
            cell = ("cases", 0, "cells", 0)
            path = (*cell, "orders", "orders", 0, "notation")
            document = changed(self.document, path, notation)
            yield f"{notation:.40}", ".json", self.sealed(document)
            yield f"{notation:.40}", ".safetensors", self.packed_with(document)
        for key, values in (
            ("dtype", ("float16", "float64", "tf32", "bfloat16")),
            ("inputs", ("float16", "tf32", "float64")),
            ("accumulator", ("float16", "bfloat16", "float64", "tf32")),
            ("early", (True,)),
            ("zero_start", (False,)),
            ("guard", (64, 1.0)),
        ):
            for value in values:
                document = copy.deepcopy(self.document)
                for cell in document["cases"][0]["cells"]:
                    cell["orders"]["orders"][0]["arithmetic"][key] = value
                yield f"{key} = {value}", ".json", self.sealed(document)
        for count in (0, 2, 1000, 10_001):
            document = copy.deepcopy(self.document)
            orders = document["cases"][0]["cells"][0]["orders"]
            orders["orders"] = orders["orders"] * count
            yield f"{count} orders", ".json", self.sealed(document)


class HangError(BaseException):
    """A command took too long."""


def attacked(path: Path, other: Path) -> Iterator[str]:
    """Yield what is wrong with how the commands end on a file; nothing if all is well.

    What can't be read is refused once, in words that every command prints.
    """
    try:
        read_recording(path)
    except RecordingError as error:
        line = f"convdiff: {error}"
        if error.exit_code != 2 or not line.isprintable() or len(line) >= LONGEST:
            yield f"refused with {len(line)} characters: {line[-LONGEST:]!r}"
        return
    except BaseException as error:  # whatever gets out is the finding
        yield f"{type(error).__name__}: {error}"
        return
    yield from filter(None, [ended(["show", str(path)])])
    yield from filter(None, [ended(["compare", str(other), str(path), "--json", "-"])])


def ended(arguments: list[str]) -> str:
    """Run a command in this process; return what is wrong with how it ended, or nothing."""
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["convdiff", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code()
    said, line = err.getvalue(), err.getvalue().removesuffix("\n")
    if code in (0, 1, 125) and not said:
        return ""
    if code != 2 or not line.isprintable() or len(line) >= LONGEST or out.getvalue():
        return f"{arguments[0]} ended with {code}, {len(said)} characters: {said[-400:]!r}"
    return ""


def most_memory() -> int:
    """Return the most memory this process ever held, in MiB."""
    with Path("/proc/self/status").open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10


def main() -> None:
    """Run all attacks and print what went wrong."""

    def late(*_: object) -> None:
        raise HangError

    signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    tried = 0
    with tempfile.TemporaryDirectory() as name:
        plain, packed, other = base(Path(name))
        for what, suffix, raw in Attacks(plain, packed).all():
            path = Path(name) / f"bad{suffix}"
            path.write_bytes(raw)
            tried += 1
            try:
                signal.alarm(HANG)
                for wrong in attacked(path, other):
                    print(f"{what} {suffix}: {wrong}")
            except HangError:
                print(f"{what} {suffix}: hangs")
            finally:
                signal.alarm(0)
    print(json.dumps({"tried": tried, "memory": most_memory()}))


if __name__ == "__main__":
    main()
