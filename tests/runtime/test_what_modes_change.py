"""What a runtime says it is in an execution mode."""

from __future__ import annotations

from typing import Any

from convdiff.case.device import Device
from convdiff.lab.availability import stand
from convdiff.report.runtime_line import fingerprint
from convdiff.runtime.fingerprints import in_modes
from convdiff.runtime.model import Interpreter

TORCH = {
    "framework": "torch",
    "version": "2.13.0",
    "devices": ["cpu"],
    "modes": ["compiled", "mkldnn_off"],
    "by_mode": {"mkldnn_off": {"onednn": False}},
    "onednn": True,
    "threads": 2,
    "python": "3.11",
}


class OnlyTorch:
    def fingerprint(self, interpreter: Interpreter) -> dict[str, Any]:
        return TORCH


def test_a_mode_that_switches_onednn_off_is_described_without_it():
    devices = [Device.parse(name) for name in ("cpu", "cpu+compiled", "cpu+compiled+mkldnn_off")]
    standings = list(stand([Interpreter("torch", "python")], devices, OnlyTorch()))  # type: ignore[arg-type]
    lines = [fingerprint(standing) for standing in standings]
    assert ["oneDNN on" in line for line in lines] == [True, True, False]
    assert "oneDNN off" in lines[2]
    assert [standing.fingerprint["onednn"] for standing in standings] == [True, True, False]


def test_what_modes_could_change_is_no_part_of_what_is():
    changed = in_modes(TORCH, ["mkldnn_off"])
    assert set(changed) == set(TORCH) - {"by_mode"}
    assert in_modes({"onednn": True}, ["mkldnn_off"]) == {"onednn": True}, "an older worker's"
