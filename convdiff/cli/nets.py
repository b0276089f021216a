"""The nets that a command is given, in case files and in model files, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convdiff.case.load_net import load_any
from convdiff.case.net_model import NetCase
from convdiff.case.net_override import vary_net
from convdiff.case.yaml_source import MAX_BYTES
from convdiff.cli.options import Options
from convdiff.cli.trace_model import is_model, of_its_own
from convdiff.worker.ops.net_shapes import extents

if TYPE_CHECKING:
    from convdiff.lab.lab import Tell
    from convdiff.lab.session import Session
    from convdiff.report.net_summary import TraceSummary


@dataclass(frozen=True)
class AskedNet:
    """A net, and the options that hold of it: a model's name its own framework."""

    case: NetCase
    options: Options

    def varied(self) -> AskedNet:
        """Return it with the lengths, batches and devices of its options. Raises ConvdiffError."""
        asked = self.options
        return replace(self, case=vary_net(self.case, asked.lengths, asked.batch, asked.device))


def asked_net(path: Path, options: Options) -> AskedNet | None:
    """Return the net that a path is, or None where it is none; a model file as layers.

    Raises CaseError and ModelError.
    """
    if is_model(path):
        options = of_its_own(path, options)
        case = model_case(path, options)
    else:
        net = net_at(path)
        if net is None:
            return None
        case = net
    return AskedNet(case, options)


def net_at(path: Path) -> NetCase | None:
    """Return the net that a case file is, or None. Raises CaseError for a bad one."""
    if not path.is_file() or path.stat().st_size > MAX_BYTES or b"layers" not in path.read_bytes():
        return None
    loaded = load_any(path)
    return loaded if isinstance(loaded, NetCase) else None


def model_case(model: Path, options: Options) -> NetCase:
    """Return a model file as layers. Raises ModelError."""
    from convdiff.net.models.as_case import case_of
    from convdiff.net.models.formats import read_model

    return with_batches(case_of(read_model(model), None), options)


def with_batches(case: NetCase, options: Options) -> NetCase:
    """Return a net with another batch where nothing else is there to be compared."""
    several = len(case.lengths) > 1 or len(case.batches) > 1 or case.repeat > 1
    if options.names_an_axis or several:
        return case
    return replace(case, batches=(1, max(2, case.batches[-1])))


def lengths_from_least(case: NetCase, count: int) -> tuple[int, ...]:
    """Return so many lengths of a net, from the smallest on that gives an output."""
    lengths = range(1, case.lengths[-1])
    least = next((one for one in lengths if _fits(case, one)), case.lengths[-1])
    return tuple(range(least, least + count))


def _fits(case: NetCase, length: int) -> bool:
    try:
        extents(case.net, case.rows, length, case.channels, case.net.depth)
    except ValueError:
        return False
    return True


def traced_nets(nets: Sequence[AskedNet], session: Session, tell: Tell) -> Iterator[TraceSummary]:
    """Trace nets one after the other on a session's workers, until it is stopped."""
    from convdiff.cli.traced import TraceOptions, summary_of, trace_in

    for net in nets:
        if session.signal:
            return
        options = replace(net.options, save=None, baseline=None)  # those are of the cases
        own = session.on(options.interpreters())
        result = trace_in(own, net.case, options, TraceOptions(), tell)
        yield summary_of(result, options, TraceOptions())
