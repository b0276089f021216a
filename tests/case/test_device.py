"""Devices: one grammar, read and written by one type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.device import Device

MODES = st.lists(st.from_regex(r"[a-z0-9_]+", fullmatch=True), max_size=3).map(tuple)
DEVICES = st.one_of(
    st.builds(Device, st.just("cpu"), st.none(), MODES),
    st.builds(Device, st.just("gpu"), st.one_of(st.none(), st.integers(0, 10**12)), MODES),
)


@given(DEVICES)
def test_what_is_written_is_read(device: Device):
    assert Device.parse(str(device)) == device


def test_a_device_is_kind_index_and_modes():
    device = Device.parse("gpu:1+xla+graph")
    assert device == Device("gpu", 1, ("xla", "graph"))
    assert str(device.bare) == "gpu:1"
    assert str(device.of_any_index) == "gpu+xla+graph"


@pytest.mark.parametrize(
    "text",
    [
        *("", "tpu", "CPU", "cpu:0", "gpu:", "gpu:x", "gpu:-1", f"gpu:{'9' * 5000}"),
        *("cpu+", "+xla", "cpu+XLA", "cpu +xla", "cpu++xla", "cpu\n"),
    ],
)
def test_what_is_no_device_is_refused(text: str):
    with pytest.raises(ValueError):
        Device.parse(text)


def test_gpu_covers_every_gpu_and_gpu_1_one():
    gpus = [Device("gpu", n) for n in range(3)]
    assert [Device("gpu").covers(gpu) for gpu in gpus] == [True, True, True]
    assert [Device("gpu", 1, ("xla",)).covers(gpu) for gpu in gpus] == [False, True, False]
    assert not Device("gpu").covers(Device("cpu"))
    assert Device("cpu", None, ("xla",)).covers(Device("cpu"))
