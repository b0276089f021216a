"""A comparison as a Python script of its own, with no convdiff in it: ready for a bug report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.case.write import written
from convdiff.compare.align import shared
from convdiff.errors import ConvdiffError
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell
from convdiff.report.script_calls import call_of, helpers_of
from convdiff.runtime.model import Runtime
from convdiff.runtime.required import COMPANIONS
from convdiff.worker.ops.convolution import Convolution

SHORT = "ml_dtypes"
"""Brings bfloat16 to NumPy."""

SCRIPT = '''\
# /// script
# requires-python = "{python}"
# dependencies = [{packages}]
# ///
"""{title}

`uv run` this file, or run it where there is {where}. It exits with 1 while both sides
differ.
"""

import json
import os
import subprocess
import sys

import numpy as np
{imports}
FILTER = {filter}
BIAS = {bias}
INPUT = {input}
ADDED = {added}
DTYPE = {dtype}
SHOWN = 8  # of the outputs that are equal
SHARED = {shared}  # outputs along the length that see the same inputs on both sides
SIDES = [
    {sides},
]


{calls}
def outputs(side):
    """Print one side's outputs, as numbers that round-trip."""
    channels_in, channels_out = side["channels"]
    x = np.array(INPUT, DTYPE)[: side["batch"], ..., : side["length"], :channels_in]
    w = np.array(FILTER, DTYPE)[..., :channels_out]
    b = None if BIAS is None else np.array(BIAS, DTYPE)[:channels_out]
    a = None if ADDED is None else np.array(ADDED, DTYPE)[tuple(map(slice, side["added"]))]
    y = globals()[side["call"]](*map(ready, (x, w, b, a)), threads=side["threads"])
    batch = min(other["batch"] for other in SIDES)
    channels = min(other["channels"][1] for other in SIDES)
    y = np.asarray(y)[:batch, ..., :SHARED, :channels]
    print(json.dumps([float(value) for value in y.reshape(-1)]))


def ready(array):
    return None if array is None else np.ascontiguousarray(array)


def ran(number):
    """Return what a process of its own prints: settings count only before an import."""
    side = SIDES[number]
    environment = dict(os.environ, **side["environment"])
    command = [sys.executable, os.path.abspath(__file__), str(number)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.decode().splitlines()[-1])


def bits(value):
    """Return a number's bits in DTYPE, as hex."""
    data = np.array(value, DTYPE).tobytes()[::-1]
    return "".join("%02x" % byte for byte in data)


def main():
    one, other = ran(0), ran(1)
    width = max([24] + [len(side["name"]) for side in SIDES])
    print("  ".join(side["name"].rjust(width) for side in SIDES))
    equal = 0
    for a, b in zip(one, other):
        same = bits(a) == bits(b)
        equal += same
        if not same or equal <= SHOWN:
            pair = ["%14s %s" % (repr_of(value), bits(value)) for value in (a, b)]
            mark = "" if same else "  <- differ"
            print("  ".join(value.rjust(width - 1) for value in pair) + mark)
    print("%d of %d outputs differ" % (len(one) - equal, len(one)))
    return int(equal < len(one))


def repr_of(value):
    return str(np.array(value, DTYPE)[()])


if __name__ == "__main__":
    sys.exit(main() if len(sys.argv) == 1 else outputs(SIDES[int(sys.argv[1])]))
'''


def script(
    case: Case,
    tensors: Tensors,
    cells: Sequence[Cell],
    fingerprints: Mapping[Runtime, Mapping[str, Any]],
    title: str,
) -> str:
    """Return the text of a script that computes two cells and compares them.

    title: what it shows, in one line. Raises ConvdiffError for what no script is written of.
    """
    prints = [fingerprints[cell.runtime] for cell in cells]
    _refuse(cells, prints)
    conv = case.conv
    packages: set[str] = set().union(*map(_packages, prints))
    imports, dtype = "", f'"{conv.dtype}"'
    if conv.dtype == "bfloat16":
        packages.add(SHORT)
        imports, dtype = f"import {SHORT}\n", f"{SHORT}.bfloat16"
    named: dict[str, str] = {}
    sides = []
    for cell, one in zip(cells, prints, strict=True):
        call = call_of(cell.conv_of(conv), cell.runtime, str(one["version"]))
        name = named.setdefault(call, f"convolve_{len(named) + 1}")
        sides.append(_side(case, tensors, cell, name))
    return SCRIPT.format(
        python=_python(prints),
        packages=", ".join(f'"{name}"' for name in sorted(packages)),
        title=title,
        where=" and ".join(sorted({str(one["framework"]) for one in prints})),
        imports=imports,
        filter=_numbers(conv.own_filter(tensors.filter_hwio)),
        bias=_numbers(tensors.bias),
        input=_numbers(conv.own_input(tensors.input_nhwc)),
        added=_numbers(_added(conv, tensors, tensors.input_nhwc.shape)),
        dtype=dtype,
        shared=shared(conv, (cells[0].length, cells[1].length)),
        sides=",\n    ".join(map(_literal, sides)),
        calls=_functions(named),
    )


def _functions(named: Mapping[str, str]) -> str:
    """Return the functions of calls by their names, and what they need besides."""
    texts = [text.replace("convolve", name, 1) for text, name in named.items()]
    return "\n\n".join([*texts, *helpers_of(texts), ""])


def _numbers(array: Array | None) -> str:
    """Return an array as Python writes it."""
    if array is None:
        return "None"
    return written(array).replace(".inf", 'float("inf")').replace(".nan", 'float("nan")')


def _added(conv: Convolution, tensors: Tensors, shape: Sequence[int]) -> Array | None:
    """Return what a step adds to the output for an input of this shape, with the op's own axes."""
    return None if tensors.added is None else conv.own_addend(tensors.added, shape)


def _refuse(cells: Sequence[Cell], prints: Sequence[Mapping[str, Any]]) -> None:
    """Raise ConvdiffError for what one environment can't compute."""
    if any(cell.is_reference or cell.is_exact for cell in cells):
        raise ConvdiffError("--script: a script is of two runs of the convolution itself")
    versions: dict[str, set[str]] = {}
    for one in prints:
        versions.setdefault(str(one["framework"]), set()).add(str(one["version"]))
    versions["Python"] = {str(one["python"]) for one in prints}
    for name, several in versions.items():
        if len(several) > 1:
            what = f"two versions of {name}"
            raise ConvdiffError(f"--script: a script has one environment, and these are {what}")


def _packages(fingerprint: Mapping[str, Any]) -> list[str]:
    """Return the requirements of a framework's environment."""
    framework, version = str(fingerprint["framework"]), str(fingerprint["version"])
    numpy = f"numpy=={fingerprint['numpy']}"
    return [f"{framework}=={version.partition('+')[0]}", *COMPANIONS.get(framework, ()), numpy]


def _python(prints: Sequence[Mapping[str, Any]]) -> str:
    major, minor = str(prints[0]["python"]).split(".")[:2]
    return f"=={major}.{minor}.*"


def _side(case: Case, tensors: Tensors, cell: Cell, call: str) -> dict[str, Any]:
    """Return what a side is computed with, as a literal."""
    interpreter = cell.runtime.interpreter
    environment = dict(interpreter.settings)
    if interpreter.threads:
        count = str(interpreter.threads)
        environment |= {"OMP_NUM_THREADS": count, "TF_NUM_INTRAOP_THREADS": count}
    conv = case.conv.first(cell.channels)
    shape = cell.batch, case.height, cell.length, conv.channels_in
    added = _added(conv, tensors, shape)
    return {
        "name": f"{cell.runtime.id} {_differing(cell)}",
        "call": call,
        "environment": environment,
        "threads": interpreter.threads,
        "length": cell.length,
        "batch": cell.batch,
        "channels": [conv.channels_in, conv.channels_out],
        "added": None if added is None else list(added.shape),
    }


def _literal(side: Mapping[str, Any]) -> str:
    lines = "".join(f"        {json.dumps(key)}: {value!r},\n" for key, value in side.items())
    return f"{{\n{lines}    }}"


def _differing(cell: Cell) -> str:
    if cell.batch > 1:
        return f"length {cell.length} batch {cell.batch}"
    return f"length {cell.length}"
