"""Which of the runtimes that are asked for are there, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from convdiff.case.device import Device
from convdiff.lab.pool import Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.matrix import FRAMEWORKS
from convdiff.runtime.model import Interpreter, Runtime, Standing


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
        found = pool.fingerprint(interpreter)
        for wanted in dict.fromkeys([*interpreter.devices_of(devices), *required]):
            if isinstance(found, NoBits):
                reason = found.reason + remedy(interpreter, found)
                yield Standing(Runtime(interpreter, wanted), False, reason)
                continue
            visible = _visible(wanted, found["devices"])
            unmet = _unmet(interpreter, found)
            absence = unmet or _absence(found, wanted, visible)
            if absence:
                runtime = Runtime(interpreter, wanted)
                yield Standing(runtime, False, absence, found, unmet=unmet is not None)
                continue
            for device in visible:
                yield Standing(Runtime(interpreter, device), True, None, found)


def remedy(interpreter: Interpreter, failure: NoBits) -> str:
    """Return what to install, as a suffix, where the framework itself is not there."""
    if "No module named" not in failure.reason or interpreter.framework not in FRAMEWORKS:
        return ""
    name = interpreter.framework
    package = name if name == "numpy" else f"'convdiff[{name}]'"
    return f"; install it there: pip install {package}"


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


def _absence(found: Mapping[str, Any], wanted: Device, visible: Sequence[Device]) -> str | None:
    """Return why a device or a mode is not to be had."""
    name = f"{found['framework']} {found['version']}"
    if not visible and found.get("cuda") is None and wanted.kind == "gpu":
        return f"{name} is a CPU build and sees no {wanted.bare}"
    if not visible:
        return f"{name} sees no {wanted.bare}; it has {', '.join(found['devices'])}"
    unknown = [mode for mode in wanted.modes if mode not in found["modes"]]
    if unknown:
        known = ", ".join(found["modes"]) or "none"
        return f"{name} has no mode {unknown[0]!r} here; its modes are {known}"
    return None


def _unmet(interpreter: Interpreter, found: Mapping[str, Any]) -> str | None:
    """Return which requirement the framework does not meet."""
    from packaging.requirements import Requirement

    for text in interpreter.requires:
        wanted = Requirement(text)
        version = {"python": found["python"], "numpy": found["numpy"]}.get(
            wanted.name, found["version"]
        )
        if not wanted.specifier.contains(str(version), prereleases=True):
            return f"requires {text}, and it is {wanted.name} {version}"
    return None
