"""Runs of nets through a worker: what is watched, what travels, and what a death costs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from nets_of_all_kinds import Builder, joins, squeezed

from convdiff.case.device import Device
from convdiff.lab.jobs import trial_input
from convdiff.lab.nets import NetRun, Subject, Watched, is_compiled, observe_net, safe
from convdiff.lab.pool import Pool
from convdiff.lab.process import WorkerProcess
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.frameworks import numpy as numpy_framework
from convdiff.worker.nets import message
from convdiff.worker.ops.net import INPUT

NUMPY = Runtime(Interpreter("numpy", sys.executable), Device("cpu"))


@pytest.fixture
def subject() -> Subject:
    return squeezed(2, "hwc", integers=True).subject()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[dict[str, Any], int]]]:
    """Yield the headers that travel to workers, each with its arrays' bytes, as they are sent."""
    headers: list[tuple[dict[str, Any], int]] = []
    send = WorkerProcess.send

    def spied(self: WorkerProcess, header: dict[str, Any], arrays: Any = ()) -> None:
        headers.append((header, sum(array.nbytes for array in arrays)))
        send(self, header, arrays)

    monkeypatch.setattr(WorkerProcess, "send", spied)
    yield headers


def observed(pool: Pool, subject: Subject, *watched: Watched, **more: Any) -> Mapping[str, Any]:
    ((_, found, _),) = observe_net(subject, [NetRun(NUMPY, 11, 2)], watched, pool, **more)
    assert not isinstance(found, NoBits), found
    return found


def test_a_digest_is_that_of_the_bits_that_are_cut_out(pool: Pool, subject: Subject):
    name, columns = subject.net.layers[0].name, (2, 7)
    whole = observed(pool, subject, Watched(name), observe="all")[name]
    cut = np.ascontiguousarray(whole[:, :, 2:7])
    assert np.array_equal(observed(pool, subject, Watched(name, columns), observe="all")[name], cut)
    digest = observed(pool, subject, Watched(name, columns, digest=True), observe="all")[name]
    by_columns = np.moveaxis(cut, 2, 0).tobytes()
    assert digest == hashlib.blake2b(by_columns, digest_size=16).digest()


def test_what_is_watched_more_than_once_is_told_apart_by_its_columns(pool: Pool, subject: Subject):
    name = subject.net.outputs[0]
    parts = [Watched(name, (0, 3)), Watched(name, (3, 9), digest=True), Watched(name)]
    found = observed(pool, subject, *parts)
    assert set(found) == {f"{name}[0:3]", f"{name}[3:9]", f"{name}[0:]"}
    assert found[f"{name}[0:3]"].shape[2] == 3 and len(found[f"{name}[3:9]"]) == 16


def test_outputs_alone_are_fetched_where_nothing_else_is_observed(pool: Pool, subject: Subject):
    every = [Watched(layer.name) for layer in subject.net.layers]
    assert tuple(observed(pool, subject, *every, observe="outputs")) == subject.net.outputs
    assert len(observed(pool, subject, *every, observe="all")) == len(every)
    assert set(observed(pool, subject, *every)) == {*safe(subject.net), *subject.net.outputs}


def test_arrays_travel_once(pool: Pool, subject: Subject, sent: list[tuple[dict[str, Any], int]]):
    name = subject.net.outputs[0]
    first = observed(pool, subject, Watched(name))[name]
    travelled = sum(bytes for _, bytes in sent)
    whole = subject.input_nhwc.nbytes + sum(a.nbytes for a in subject.arrays.values())
    assert travelled == whole
    sent.clear()
    assert np.array_equal(observed(pool, subject, Watched(name))[name], first)
    assert [(header["do"], bytes) for header, bytes in sent] == [("net", 0)]
    changed = Subject(subject.name, subject.net, subject.arrays, subject.input_nhwc + 1)
    sent.clear()
    assert not np.array_equal(observed(pool, changed, Watched(name))[name], first)
    assert sum(bytes for _, bytes in sent) == subject.input_nhwc.nbytes, "and the old one goes"
    assert [header["do"] for header, _ in sent] == ["drop", "keep", "net"]


def test_other_weights_under_the_same_names_are_another_net(pool: Pool, subject: Subject):
    name = subject.net.outputs[0]
    first = observed(pool, subject, Watched(name))[name]
    doubled = {key: 2 * array for key, array in subject.arrays.items()}
    other = Subject(subject.name, subject.net, doubled, subject.input_nhwc)
    assert not np.array_equal(observed(pool, other, Watched(name))[name], first)
    assert np.array_equal(observed(pool, subject, Watched(name))[name], first)


def test_other_numbers_under_an_arrays_key_are_another_net():
    """A key is an array's address, which another array may have later."""
    b = Builder(1)
    b.add("add", arrays={"constant": np.ones(4)})
    net, framework, nets = b.net("float64"), numpy_framework.open(None), []
    header = {"net": json.loads(json.dumps(net.plain())), "named": {"add_0/constant": "held 1"}}
    header |= {"device": "cpu", "fetched": []}
    x, found = np.zeros((1, 1, 2, 4)), []
    ones, fives = np.ones(4), np.full(4, 5.0)
    for constant in (ones, ones, fives):
        runner = message.built(framework, header, {"held 1": constant}, nets).runner
        ((_, y),) = runner.run(x, {"add_0"})
        found.append((runner, y.max()))
    assert [value for _, value in found] == [1, 1, 5]
    assert found[0][0] is found[1][0] is not found[2][0]


def test_trials_are_random_inputs_or_those_that_are_given(pool: Pool):
    b = Builder(2)
    b.add("identity")
    subject = b.subject()
    given = {5: np.full_like(subject.input_nhwc, 3)}
    runs = [NetRun(NUMPY, 4, 1, trial=trial) for trial in (0, 1, 5)]
    watched = [Watched("identity_0")]
    found = {run.trial: y for run, y, _ in observe_net(subject, runs, watched, pool, given)}
    inputs = {0: subject.input_nhwc, 1: trial_input(subject.input_nhwc, 1), **given}
    for trial, x in inputs.items():
        assert np.array_equal(found[trial]["identity_0"], x[:1, :, :4])


def test_each_run_may_be_watched_in_its_own_way(pool: Pool, subject: Subject):
    name = subject.net.outputs[0]
    runs = [NetRun(NUMPY, length) for length in (7, 9, 11)]
    found = observe_net(subject, runs, lambda run: [Watched(name, (0, run.length - 6))], pool)
    assert [(run.length, y[name].shape[2]) for run, y, _ in found] == [(7, 1), (9, 3), (11, 5)]


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_run_and_the_others_go_on(pool: Pool, subject: Subject):
    # More answers than the pipe holds: it is not done when it dies.
    runs = [NetRun(NUMPY, 11, repeat=repeat) for repeat in range(1000)]
    found = []
    for run, activations, _ in observe_net(subject, runs, [Watched(subject.net.outputs[0])], pool):
        found.append((run, activations))
        if len(found) == 1:
            (worker,) = pool._workers.values()
            os.kill(worker.pid, signal.SIGKILL)
    assert [run for run, _ in found] == runs
    dead = [activations for _, activations in found if isinstance(activations, NoBits)]
    assert len(dead) == 1 and dead[0].died and "SIGKILL" in dead[0].reason
    bits = [y[subject.net.outputs[0]] for _, y in found if not isinstance(y, NoBits)]
    assert all(np.array_equal(one, bits[0]) for one in bits)


def test_a_length_at_which_nothing_is_left_is_refused_by_the_layers_name(pool: Pool):
    subject = joins(2, integers=True).subject()
    ((_, found, _),) = observe_net(subject, [NetRun(NUMPY, 1)], [], pool)
    assert isinstance(found, NoBits) and not found.died
    assert "conv2d_0: nothing is left: its window of 3 x 2 is larger than 7 x 1" in found.reason


def test_convolutions_that_are_folded_into_what_follows_are_not_safe_to_fetch():
    b = Builder(2)
    first = b.conv()
    ones = {role: np.ones(3) for role in ("scale", "shift", "mean", "variance")}
    norm = b.add("batch_norm", arrays=ones)
    relu = b.add("relu")
    plain = b.conv(kernel=(1, 1))
    b.add("relu")
    branch = b.conv(source=relu, kernel=(1, 1))
    joined = b.add("add", branch, relu)
    pad = b.add("pad", padding=((1, 1), (1, 1)))
    last = b.conv()
    kept = set(safe(b.net()))
    assert not kept & {first, branch, pad} and kept >= {norm, relu, plain, joined, last}
    sources = {layer.sources[0] for layer in b.layers if layer.op == "conv2d"} - {INPUT}
    assert set(safe(b.net(), compiled=True)) == sources, "what is in memory anyway"


def test_whose_nets_are_compiled():
    def compiled(framework: str, device: str) -> bool:
        return is_compiled(Runtime(Interpreter(framework, sys.executable), Device.parse(device)))

    assert compiled("jax", "cpu") and compiled("jax", "cpu+highest")
    assert compiled("tensorflow", "cpu+xla") and compiled("torch", "cpu+compiled")
    assert not compiled("jax", "cpu+op_by_op") and not compiled("tensorflow", "cpu+graph")
