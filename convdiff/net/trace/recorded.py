"""A recording made of a net's runs, and held as one side of a later trace."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convdiff.case.arrays import digest
from convdiff.case.net_model import NetCase
from convdiff.errors import ConvdiffError
from convdiff.lab.nets import NetRun, Subject
from convdiff.net.trace.layers import Tracing
from convdiff.net.trace.observed import Key, Observed
from convdiff.net.trace.pairs import NetPair, runs_of_all
from convdiff.net.trace.recording import NetRecording, RecordedRun
from convdiff.net.trace.watched import Part
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits
from convdiff.recording.model import RecordingError
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.net_shapes import shapes as shapes_of_images

MOST_BYTES = 64 * 2**20
"""Bits of all layers that are kept; of larger nets those of the outputs alone."""


def recording_of(
    tracing: Tracing, runs: Sequence[NetRun], prints: Mapping[Runtime, Mapping[str, Any]]
) -> NetRecording | None:
    """Return what runs give: digests of every layer, bits of those that are looked at.

    None where none of them gives anything.
    """
    observed = tracing.observed
    parts = {run: _whole(tracing, run) for run in runs}
    observed.run_alone_once(runs)
    made = dict(observed.looked(parts, strict=tracing.watching.strict))
    kept = _kept_whole(tracing, runs)
    observed.keep(dict.fromkeys(runs, kept))
    there = [run for run in runs if observed.answered(run)]
    if not there:
        return None
    recorded = []
    for run in there:
        known = made.get(run, {})
        digests = {part.name: known[part] for part in parts[run] if part in known}
        recorded.append(_recorded_run(observed, run, digests, kept))
    return NetRecording(
        "",
        net_digest(observed.subject),
        tracing.watching.strict,
        observed.observe,
        {run.runtime: prints[run.runtime] for run in there},
        tuple(recorded),
    )


def _kept_whole(tracing: Tracing, runs: Sequence[NetRun]) -> tuple[str, ...]:
    """Return the layers whose bits are kept: of more than MOST_BYTES those of the outputs alone."""
    names = dict.fromkeys((*tracing.watching.names, *tracing.net.outputs))
    subject, elements = tracing.observed.subject, 0
    for run in runs:
        shapes = _shapes(subject, run)
        elements += sum(math.prod(shapes[name]) for name in names)
    if elements * subject.input_nhwc.dtype.itemsize > MOST_BYTES:
        return tracing.net.outputs
    return tuple(names)


def _whole(tracing: Tracing, run: NetRun) -> list[Part]:
    """Return all of each activation of a run."""
    shapes = _shapes(tracing.observed.subject, run)
    return [Part(name, (0, shape[2]), run.batch) for name, shape in shapes.items()]


def _recorded_run(
    observed: Observed, run: NetRun, digests: Mapping[str, bytes], kept: Sequence[str]
) -> RecordedRun:
    return RecordedRun(
        run,
        digest(input_of(observed.subject, run)),
        digests,
        {name: observed.get(Key(run, name)) for name in kept if observed.has(Key(run, name))},
        {name: observed.get(Key(run, name, alone=True)) for name in observed.subject.net.outputs},
    )


def net_digest(subject: Subject) -> str:
    """Return the SHA-256 of a net's layers and of their numbers, whatever its input."""
    numbers = {key: digest(array) for key, array in subject.arrays.items()}
    plain = json.dumps([subject.net.plain(), numbers], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def input_of(subject: Subject, run: NetRun) -> Array:
    """Return what a run reads, NHWC."""
    return np.ascontiguousarray(subject.input_nhwc[: run.batch, :, : run.length])


def _shapes(subject: Subject, run: NetRun) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all activations of a run, NHWC."""
    _, rows, _, channels = subject.input_nhwc.shape
    images = shapes_of_images(subject.net, rows, run.length, channels, subject.net.depth)
    return {layer.name: (run.batch, *images[layer.name]) for layer in subject.net.layers}


def hold(recording: NetRecording, observed: Observed) -> None:
    """Have recorded runs beside those that are run. Raises RecordingError for another net."""
    subject, file = observed.subject, recording.file
    if recording.net != net_digest(subject):
        raise RecordingError(f"{file}: records another net: other layers, or other numbers")
    observed.observe = recording.observe
    for one in recording.runs:
        try:
            shapes = _shapes(subject, one.run)
        except ValueError as error:
            raise RecordingError(f"{file}: length {one.run.length}: {error}") from None
        for name, array in (*one.bits.items(), *one.unobserved.items()):
            if array.dtype != subject.input_nhwc.dtype or array.shape != shapes.get(name):
                raise RecordingError(f"{file}: damaged: {name} has another shape or dtype")
        if one.input == digest(input_of(subject, one.run)):
            observed.hold(one.run, one.layers, one.bits, one.unobserved)
        else:
            observed.failures[one.run] = NoBits("it was recorded of another input")


def recorded_pairs(
    recording: NetRecording | None, observed: Observed, case: NetCase, runtimes: Sequence[Runtime]
) -> tuple[NetPair, ...]:
    """Hold what is recorded beside what is run, and return each run against itself now.

    It is held against the same runtime's, or the first one's. Raises RecordingError for another
    net, ConvdiffError where nothing that is run is recorded.
    """
    if recording is None or not runtimes:
        return ()
    hold(recording, observed)
    pairs = tuple(_pairs(recording, case, runtimes))
    if not pairs:
        lengths = ", ".join(dict.fromkeys(str(one.run.length) for one in recording.runs))
        raise ConvdiffError(f"{recording.file}: no run there is asked for; it has length {lengths}")
    return pairs


def _pairs(
    recording: NetRecording, case: NetCase, runtimes: Sequence[Runtime]
) -> Iterator[NetPair]:
    recorded = {one.run for one in recording.runs}
    homes = {home.live_id: home for home in reversed(list(recording.fingerprints))}
    first = next(iter(recording.fingerprints))
    for run in runs_of_all(case, runtimes):
        then = replace(run, runtime=homes.get(run.runtime.id, first))
        if then in recorded:
            yield NetPair("baseline", then, run)
