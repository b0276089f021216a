"""What is cured one by one: a framework in one environment, with its threads and devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convdiff.runtime.model import Interpreter, Runtime, Standing
from convdiff.search.cure.bench import Subject


def subjects(standings: Sequence[Standing]) -> list[Subject]:
    """Return the runtimes that are there, together what differs in threads or devices alone."""
    groups: dict[Interpreter, list[Standing]] = {}
    for standing in standings:
        if standing.available:
            key = replace(standing.runtime.interpreter, threads=None)
            groups.setdefault(key, []).append(standing)
    return [_subject(group) for group in groups.values()]


def _subject(group: Sequence[Standing]) -> Subject:
    by_modes: dict[Runtime, Standing] = {one.runtime: one for one in group}
    return Subject(tuple(by_modes), {runtime: one.fingerprint for runtime, one in by_modes.items()})
