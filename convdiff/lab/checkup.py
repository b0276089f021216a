"""What an interpreter can do: its framework, devices and ISA, asked of the framework itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from convdiff.lab.availability import remedy
from convdiff.lab.pool import Job, Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter


@dataclass(frozen=True)
class Checkup:
    """What was found, as (name, value) rows."""

    usable: bool
    rows: tuple[tuple[str, str], ...]


def check(pool: Pool, interpreter: Interpreter) -> Checkup:
    """Ask one interpreter for its fingerprint, and oneDNN for the instruction set it chose."""
    found = pool.fingerprint(interpreter)
    if isinstance(found, NoBits):
        return Checkup(False, (("absent", found.reason + remedy(interpreter, found)),))
    settings = ", ".join(f"{name}={value}" for name, value in found["settings"].items())
    build = [f"compiler {found['compiler']}", f"CUDA {found['cuda']}" if found["cuda"] else "CPU"]
    rows = [
        ("version", f"{found['version']} ({found['git']}; {', '.join(build)})"),
        ("python", f"{found['python']}, NumPy {found['numpy']}, {found['mode']} mode"),
        (
            "devices",
            ", ".join(f"{d} ({found['device_names'].get(d, '')})" for d in found["devices"]),
        ),
        ("processor", f"{found['cores']} cores, {' '.join(found['cpu_isa'])}"),
        ("threads", str(found["threads"])),
        ("oneDNN", _onednn(pool, interpreter, found)),
        ("settings", settings or "none"),
    ]
    if found["isa_not_compiled_in"]:
        rows.insert(4, ("unused", f"its own kernels lack {' '.join(found['isa_not_compiled_in'])}"))
    return Checkup(True, tuple(rows))


def _onednn(pool: Pool, interpreter: Interpreter, found: dict[str, Any]) -> str:
    if not found["onednn"]:
        return {None: "not in this version", False: "off"}[found["onednn"]]
    import numpy as np

    talking = replace(interpreter, settings=(*interpreter.settings, ("ONEDNN_VERBOSE", "1")))
    conv = {
        "kernel": (1, 1),
        "strides": (1, 1),
        "dilations": (1, 1),
        "groups": 1,
        "channels_in": 1,
        "channels_out": 1,
        "dtype": "float32",
    }
    cell = {"op": "conv2d", "device": "cpu", "x": "x", "w": "x", "b": None, "length": 1, "batch": 1}
    job = Job(talking, conv, {"x": np.ones((1, 1, 1, 1), np.float32)}, [cell])
    for _ in pool.observe([job]):
        pass
    said = re.findall(r"onednn_verbose.*?info,(?:oneDNN (v\S+)|cpu,isa:(.*))", pool.log(talking))
    parts = [version or isa.strip() for version, isa in said]
    return "on, " + ", ".join(dict.fromkeys(parts)) if parts else "on"
