"""Progress on stderr, for work that takes longer than a second."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from convdiff.cli.streams import write_err

DELAY = 1.0
PLAIN_EVERY = 10.0
"""Seconds between lines where stderr is no terminal."""
MINUTES = 90
"""Seconds that are left, from which on they are told in minutes."""
FIRST = "importing frameworks"
"""What is done before anything is told."""

Tell = Callable[[str, int, int, "float | None"], None]
"""See `convdiff.lab.lab.Tell`."""


@contextmanager
def progress(first: str = FIRST, *, quiet: bool = False) -> Iterator[Tell]:
    """Yield a function that takes what is being done, how much is done, and of how much.

    It may be called as often as one likes: on a terminal a line is kept up to date, elsewhere one
    is written now and then. quiet: say nothing.
    """
    if quiet:
        yield lambda *_progress: None
        return
    with _bar(first) if sys.stderr.isatty() else _lines(first) as tell:
        yield tell


@contextmanager
def _lines(first: str) -> Iterator[Tell]:
    """Write a line every few seconds, from a thread: the work may be silent for longer."""
    now = first, 0, 0, math.nan
    over = threading.Event()

    def tell(what: str, done: int, total: int, left: float | None = None) -> None:
        nonlocal now
        now = what, done, total, _end(left)

    def write() -> None:
        while not over.wait(PLAIN_EVERY):
            what, done, total, end = now
            parts = [f"{done:,} of {total:,}" if total else "", _time_left(end)]
            far = ", ".join(filter(None, parts))
            write_err(f"convdiff: {what} ({far}) ..." if far else f"convdiff: {what} ...")

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield tell
    finally:
        over.set()
        writer.join()


@contextmanager
def _bar(first: str) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class TimeLeft(ProgressColumn):
        """The time that is left, counted down."""

        def render(self, task: Task) -> Text:
            """See `ProgressColumn`."""
            return Text(_time_left(task.fields["end"]))

    text = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=text),
        TextColumn("{task.fields[far]}", table_column=Column(no_wrap=True)),
        TimeLeft(Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )
    task = bar.add_task(first, total=None, far="", end=math.nan)

    def tell(what: str, done: int, total: int, left: float | None = None) -> None:
        far, end = f"{done:,} of {total:,}" if total else "", _end(left)
        bar.update(task, description=what, completed=done, total=total or None, far=far, end=end)

    timer = threading.Timer(DELAY, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield tell
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def _end(left: float | None) -> float:
    """Return the time when so many seconds are over; NaN where nobody knows."""
    return math.nan if left is None else time.monotonic() + left


def _time_left(end: float) -> str:
    """Say what time is left until then, "" where nobody knows, or where it is over."""
    seconds = end - time.monotonic()
    if not seconds > 0:
        return ""
    if seconds < MINUTES:
        return f"about {math.ceil(seconds)} s left"
    return f"about {math.ceil(seconds / 60):,} min left"
