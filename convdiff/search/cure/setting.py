"""Switches set on runtimes: interpreters and devices as they are started, and what is padded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from convdiff.case.device import Device
from convdiff.case.model import Case
from convdiff.runtime.fingerprints import Fingerprint
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.search.cure.padded import Pads, pads_to
from convdiff.search.cure.switches import Switch

LISTS = ("XLA_FLAGS",)
"""Variables that hold several settings: what sets one of them would take the others away."""
Fingerprints = Mapping[Runtime, Fingerprint]


def set_on(runtime: Runtime, switches: Iterable[Switch]) -> Runtime:
    """Return a runtime with switches set."""
    interpreter, device = runtime.interpreter, runtime.device
    for switch in switches:
        settings = {**dict(interpreter.settings), **dict(switch.env)}
        threads = switch.threads or interpreter.threads
        interpreter = replace(interpreter, settings=tuple(settings.items()), threads=threads)
        if switch.mode:
            device = replace(device, modes=(*device.modes, switch.mode))
    return Runtime(interpreter, device, runtime.origin)


def slowed(runtimes: Sequence[Runtime], switches: Sequence[Switch]) -> Runtime:
    """Return the runtime with the most threads of those that switches change, else of all."""
    changed = [runtime for runtime in runtimes if set_on(runtime, switches) != runtime]
    return max(changed or runtimes, key=lambda one: one.interpreter.threads or math.inf)


def interpreters_of(runtimes: Sequence[Runtime]) -> list[Interpreter]:
    """Return the interpreters to start, each with the devices that are asked of it."""
    devices: dict[Interpreter, dict[Device, None]] = {}
    for runtime in runtimes:
        devices.setdefault(runtime.interpreter, {})[runtime.device] = None
    return [replace(one, devices=tuple(several)) for one, several in devices.items()]


def pads_of(case: Case, switches: Iterable[Switch], equal: Sequence[int]) -> Pads:
    """Return what switches pad to, of the lengths that have equal bits without it."""
    kinds = {switch.pads for switch in switches}
    lengths = (pads_to(case, equal) or {}) if "length" in kinds else {}
    return Pads(lengths, case.batches[-1] if "batch" in kinds else 0)


def applicable(
    switches: Iterable[Switch], case: Case, runtimes: Sequence[Runtime], known: Fingerprints
) -> list[Switch]:
    """Return the switches that can be set on the runtimes of one framework and change anything."""
    fingerprints = [known[runtime] for runtime in runtimes]
    fitting = [switch for switch in switches if switch.fits(fingerprints)]
    return [switch for switch in fitting if _is_news(switch, case, runtimes)]


def _is_news(switch: Switch, case: Case, runtimes: Sequence[Runtime]) -> bool:
    """Return whether a switch is not set already, and there is something to pad."""
    if switch.pads:
        sizes = case.lengths if switch.pads == "length" else case.batches
        return len(sizes) > 1
    return any(set_on(one, [switch]) != one and _is_free(switch, one) for one in runtimes)


def _is_free(switch: Switch, runtime: Runtime) -> bool:
    """Return whether a switch takes nothing else away: its mode is new, no list of flags set."""
    there = {**os.environ, **dict(runtime.interpreter.settings)}
    lost = [name for name, _ in switch.env if name in LISTS and name in there]
    return not lost and (not switch.mode or switch.mode not in runtime.device.modes)
