"""Which of the runtimes that are asked for are there, and why the others are not."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convdiff.case.device import Device
from convdiff.errors import meant
from convdiff.lab.pool import Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.fingerprints import in_modes
from convdiff.runtime.matrix import ALIASES, FRAMEWORKS
from convdiff.runtime.model import Interpreter, Runtime, Standing

BESIDE = ("numpy", "ml_dtypes", "onnx")
"""Packages that are needed, and that not every framework brings."""
PACKAGES = {"tflite": "ai-edge-litert"}
"""Packages that are not called as the framework they bring."""


def stand(
    interpreters: Sequence[Interpreter],
    devices: Sequence[Device],
    pool: Pool,
    required: Iterable[Device] = (),
) -> Iterator[Standing]:
    """Yield how each (interpreter, device) stands; `gpu` is every GPU that is visible.

    devices: those of the case, for interpreters that name none; required: of all of them.

    Waits for the frameworks to be imported. Raises NotPythonError.
    """
    for interpreter in interpreters:
        fingerprint = pool.fingerprint(interpreter)
        for wanted in dict.fromkeys([*interpreter.devices_of(devices), *required]):
            if isinstance(fingerprint, NoBits):
                reason = fingerprint.reason + remedy(interpreter, fingerprint)
                yield Standing(Runtime(interpreter, wanted), False, reason)
            else:
                yield from _devices(interpreter, fingerprint, wanted)


def _devices(
    interpreter: Interpreter, fingerprint: Mapping[str, Any], wanted: Device
) -> Iterator[Standing]:
    """Yield how each device stands that is asked for, of a framework that is there."""
    visible = _visible(wanted, fingerprint["devices"])
    unmet = _unmet(interpreter, fingerprint)
    absence = unmet or _absence(fingerprint, wanted, visible)
    if absence:
        runtime = Runtime(interpreter, wanted)
        plain = in_modes(fingerprint, ())
        yield Standing(runtime, False, absence, plain, unmet=unmet is not None)
        return
    for device in visible:
        facts = in_modes(fingerprint, device.modes)
        yield Standing(Runtime(interpreter, device), True, None, facts)


def remedy(interpreter: Interpreter, failure: NoBits) -> str:
    """Return what to do, as a suffix, where the framework or the kernel itself is not there."""
    framework = interpreter.framework
    if ":" in framework:
        return _kernel_remedy(framework.partition(":")[0], failure)
    if framework not in FRAMEWORKS:
        return meant(framework, FRAMEWORKS, ALIASES)
    if not failure.absent:
        return ""
    beside = [one for one in BESIDE if f"No module named '{one}'" in failure.reason]
    packages = dict.fromkeys([*beside, PACKAGES.get(framework, framework)])
    own = interpreter.python == sys.executable
    pip = "pip" if own else f"{shlex.quote(interpreter.python)} -m pip"
    return f"; install it there: {pip} install {' '.join(packages)}"


def _kernel_remedy(module: str, failure: NoBits) -> str:
    """Return where a kernel's module is looked for, where it is not found."""
    top = module.partition(".")[0]
    if not failure.absent or f"'{top}'" not in failure.reason:
        return ""
    here = [path.stem for path in Path.cwd().glob("*.py")]
    return f"; --kernel looks for {top}.py here, and for installed packages{meant(top, here)}"


def _visible(wanted: Device, names: Sequence[str]) -> list[Device]:
    """Return the devices that a framework names and that are asked for, in the modes asked for."""
    visible = []
    for name in names:
        try:
            device = Device.parse(name)
        except ValueError:  # an accelerator that no one can ask for
            continue
        if wanted.covers(device):
            visible.append(replace(device, modes=wanted.modes))
    return visible


def _absence(
    fingerprint: Mapping[str, Any], wanted: Device, visible: Sequence[Device]
) -> str | None:
    """Return why a device or a mode is not to be had."""
    name = f"{fingerprint['framework']} {fingerprint['version']}"
    if not visible and ":" in fingerprint["framework"]:
        return f"{name} has no {wanted.bare}: an own kernel is asked as cpu"
    if not visible and fingerprint.get("cuda") is None and wanted.kind == "gpu":
        return f"{name} is a CPU build and sees no {wanted.bare}"
    if not visible:
        return f"{name} sees no {wanted.bare}; it has {', '.join(fingerprint['devices'])}"
    unknown = [mode for mode in wanted.modes if mode not in fingerprint["modes"]]
    if unknown:
        known = ", ".join(fingerprint["modes"]) or "none"
        hint = meant(unknown[0], fingerprint["modes"])
        return f"{name} has no mode {unknown[0]!r} here; its modes are {known}{hint}"
    return None


def _unmet(interpreter: Interpreter, fingerprint: Mapping[str, Any]) -> str | None:
    """Return which requirement the framework does not meet."""
    from packaging.requirements import Requirement

    for text in interpreter.requires:
        wanted = Requirement(text)
        version = {"python": fingerprint["python"], "numpy": fingerprint["numpy"]}.get(
            wanted.name, fingerprint["version"]
        )
        if not wanted.specifier.contains(str(version), prereleases=True):
            return f"requires {text}, and it is {wanted.name} {version}"
    return None
