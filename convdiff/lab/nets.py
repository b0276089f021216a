"""Runs of a net in, its activations or their digests out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from convdiff.case.arrays import numpy_dtype
from convdiff.lab.jobs import trial_input
from convdiff.lab.pool import NetJob, Pool
from convdiff.numerics.array import Array
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Runtime
from convdiff.worker.ops.net import Layer, Net

Observe = Literal["outputs", "safe", "all"]
"""Which activations the framework is asked for: the net's outputs alone; all but those whose
fetching keeps a graph from fusing what changes bits, see `safe`; or all."""


@dataclass(frozen=True)
class Subject:
    """A net with its numbers."""

    name: str
    net: Net
    arrays: Mapping[str, Array]
    """By the keys that its layers name; in the net's dtype."""
    input_nhwc: Array
    """At the largest batch and the longest length; every run takes a prefix of it."""


@dataclass(frozen=True)
class NetRun:
    """The unit of work: a net once, on one runtime."""

    runtime: Runtime
    length: int
    batch: int = 1
    repeat: int = 0
    trial: int = 0
    """0 is the net's own input; 1, 2, … are random inputs, or those that are given."""


@dataclass(frozen=True)
class Watched:
    """An activation that is asked for, or a part of it."""

    name: str
    columns: tuple[int, int] | None = None
    """Start and stop along the length; None is all."""
    digest: bool = False
    """Whether 16 bytes of blake2b of its bits, column by column, do."""
    images: int | None = None
    """The first so many of the batch; None is all."""
    strict: bool = True
    """Whether a digest tells −0 from +0, and one NaN from another."""

    def key(self, of_many: bool = False) -> str:
        """Return what it is called in the answer; its columns tell it from others of its name."""
        if not of_many:
            return self.name
        start, stop = self.columns or (0, "")
        images = "" if self.images is None else f", {self.images} images"
        return f"{self.name}[{start}:{stop}]{images}"


EXACT = ("relu", "relu6", "leaky_relu", "clip", "abs", "negative", "prelu")
"""Elementwise kinds that give the same bits wherever they are computed."""
FOLDED = {kind: "exact" for kind in EXACT} | {"batch_norm": "batch_norm", "pad": "pad"}
"""Kinds that optimisers treat in ways of their own; others by their families."""
FOLDS = {
    "op": {"batch_norm", "join", "elementwise"},
    "batch_norm": {"batch_norm", "join"},
    "join": {"batch_norm", "join"},
    "pad": {"op", "pool"},
}
"""What is folded together with what it is read by: into weights, into a sum, into one kernel."""
COMPILED_MODES = frozenset(("xla", "compiled"))
COMPILED = ("jax",)
"""Frameworks that compile a whole net, but for this mode of theirs."""
OP_BY_OP = "op_by_op"

Wanted = Sequence[Watched] | Callable[[NetRun], Sequence[Watched]]
Activations = Mapping[str, "Array | bytes"]
"""Arrays (batch, rows, length, channels), bfloat16 as such, or digests, by `Watched.key`."""


def observe_net(
    subject: Subject,
    runs: Sequence[NetRun],
    watched: Wanted,
    pool: Pool,
    inputs: Mapping[int, Array] | None = None,
    observe: Observe = "safe",
) -> Iterator[tuple[NetRun, Activations | NoBits, float]]:
    """Run a net; yield what each run gives as it comes, and its seconds, runtimes side by side.

    watched: for all runs, or a function of the run. What `observe` does not fetch is left out. A
    name that a run watches more than once is keyed with its columns, as `name[0:16]`. inputs: NHWC
    by trial; the other trials are the subject's input (0) or random ones like it.
    """
    given = _inputs(subject, runs, inputs or {})
    held = {_key(array): array for array in (*subject.arrays.values(), *given.values())}
    groups: dict[Runtime, list[NetRun]] = {}
    for run in runs:
        groups.setdefault(run.runtime, []).append(run)
    jobs = []
    for runtime, group in groups.items():
        cells = [_cell(run, given[run.trial], watched) for run in group]
        header = _header(subject, runtime, observe)
        jobs.append(NetJob(runtime.interpreter, header, held, cells))
    members = list(groups.values())
    for job, number, outcome, seconds in pool.observe(jobs):
        yield members[job][number], _typed(outcome, subject.net), seconds


def safe(net: Net, compiled: bool = False) -> tuple[str, ...]:
    """Return the layers whose activations can be fetched without changing what a graph fuses.

    Not what is folded into what reads it, as a convolution into batch_norm. Of a compiled net only
    what an op reads, which lies in memory anyway: all else between two ops is one kernel, and what
    is fetched of it parts its products from its sums.
    """
    readers: dict[str, set[str]] = {}
    for layer in net.layers:
        for source in layer.sources:
            readers.setdefault(source, set()).add(_folded(layer))
    if compiled:
        return tuple(layer.name for layer in net.layers if "op" in readers.get(layer.name, ()))
    return tuple(
        layer.name
        for layer in net.layers
        if not readers.get(layer.name, set()) & FOLDS.get(_folded(layer), set())
    )


def is_compiled(runtime: Runtime) -> bool:
    """Return whether a runtime compiles a net as one function."""
    modes = runtime.device.modes
    if runtime.interpreter.framework in COMPILED:
        return OP_BY_OP not in modes
    return bool(COMPILED_MODES & set(modes))


def _folded(layer: Layer) -> str:
    return FOLDED.get(layer.op, layer.kind.family)


def _inputs(
    subject: Subject, runs: Sequence[NetRun], inputs: Mapping[int, Array]
) -> dict[int, Array]:
    """Return the inputs of all trials that are run."""
    given = {0: subject.input_nhwc, **inputs}
    for trial in {run.trial for run in runs} - given.keys():
        given[trial] = trial_input(subject.input_nhwc, trial)
    return {trial: given[trial] for trial in {run.trial for run in runs}}


def _key(array: Array) -> str:
    """Return what a worker holds an array by: itself, which is alive as long as it is held."""
    return f"held {id(array)}"


def _header(subject: Subject, runtime: Runtime, observe: Observe) -> dict[str, Any]:
    net, device = subject.net, str(runtime.device)
    every = tuple(layer.name for layer in net.layers)
    quiet = safe(net, is_compiled(runtime))
    fetched = {"outputs": net.outputs, "safe": quiet, "all": every}[observe]
    arrays = {name: _key(array) for name, array in subject.arrays.items()}
    plain = {"net": net.plain(), "named": arrays, "device": device, "fetched": fetched}
    return {"do": "net", **plain}


def _cell(run: NetRun, array: Array, watched: Wanted) -> dict[str, Any]:
    wanted = watched(run) if callable(watched) else watched
    often = Counter(one.name for one in wanted)
    rows = [[one.key(often[one.name] > 1), one.name, one.columns, *_how(one)] for one in wanted]
    return {"x": _key(array), "length": run.length, "batch": run.batch, "watched": rows}


def _how(one: Watched) -> tuple[int | None, bool, bool]:
    return one.images, one.digest, one.strict


def _typed(outcome: Any, net: Net) -> Activations | NoBits:
    """Return arrays in the net's dtype; another dtype is no answer."""
    if isinstance(outcome, NoBits):
        return outcome
    dtype = numpy_dtype(net.dtype)
    activations: dict[str, Array | bytes] = {}
    for key, value in outcome.items():
        if isinstance(value, bytes):
            activations[key] = value
            continue
        array = value.view(dtype) if dtype.name == "bfloat16" else value
        if array.dtype != dtype:
            return NoBits(f"{key}: gave {array.dtype.name}, expected {dtype.name}")
        activations[key] = array
    return activations
