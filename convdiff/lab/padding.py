"""Which frameworks pad by themselves, and which call their own pad function for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.model import Case
from convdiff.lab.pool import Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Runtime


def padding_notes_of(case: Case, runtimes: Sequence[Runtime], pool: Pool) -> Iterator[str]:
    """Yield a note on the frameworks that have no such padding, whose inputs are padded before."""
    if case.conv.padding == "valid":
        return
    names = []
    for interpreter in dict.fromkeys(runtime.interpreter for runtime in runtimes):
        answer = pool.ask(interpreter, {"do": "pads", "conv": case.conv._asdict()}, [])
        if not isinstance(answer, NoBits) and not answer[0][0]:
            names.append(interpreter.framework)
    if names:
        yield (
            f"{', '.join(dict.fromkeys(names))}: no such padding there; its own pad function is"
            " called before or after the convolution"
        )
