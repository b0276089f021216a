"""Progress on stderr, for work that takes longer than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from convdiff.cli.streams import write_err

DELAY = 1.0
PLAIN_EVERY = 10.0
"""Seconds between lines where stderr is no terminal."""
FIRST = "importing frameworks"
"""What is done before anything is told."""

Tell = Callable[[str, int, int], None]


@contextmanager
def progress(first: str = FIRST, *, quiet: bool = False) -> Iterator[Tell]:
    """Yield a function that takes what is being done, how much is done, and of how much.

    It may be called as often as one likes: on a terminal a line is kept up to date, elsewhere one
    is written now and then. quiet: say nothing.
    """
    if quiet:
        yield lambda what, done, total: None
        return
    with _bar(first) if sys.stderr.isatty() else _lines(first) as tell:
        yield tell


@contextmanager
def _lines(first: str) -> Iterator[Tell]:
    """Write a line every few seconds, from a thread: the work may be silent for longer."""
    now = first, 0, 0
    over = threading.Event()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal now
        now = what, done, total

    def write() -> None:
        while not over.wait(PLAIN_EVERY):
            what, done, total = now
            far = f" ({done:,} of {total:,})" if total else ""
            write_err(f"convdiff: {what}{far} ...")

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
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    text = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=text),
        TextColumn("{task.fields[far]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )
    task = bar.add_task(first, total=None, far="")

    def tell(what: str, done: int, total: int) -> None:
        far = f"{done:,} of {total:,}" if total else ""
        bar.update(task, description=what, completed=done, total=total or None, far=far)

    timer = threading.Timer(DELAY, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield tell
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
