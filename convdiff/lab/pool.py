"""The pool of workers: one process an interpreter, started when asked for, several at once."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, ClassVar

from convdiff.errors import ConvdiffError
from convdiff.lab.process import WorkerGoneError, WorkerProcess
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter

GREETING = 30.0
"""Seconds in which any Python starts; a program that is none may never say a word."""
DEATHS = 3
"""After so many deaths an interpreter gets no new worker."""


@dataclass(frozen=True)
class Job:
    """Cells of one geometry for one interpreter, with the arrays they name."""

    interpreter: Interpreter
    conv: Mapping[str, Any]
    arrays: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]
    """Each {op, device, x, w, b, places, length, batch}; x, w, b and the flat positions to compute
    are keys of `arrays`, b and places may be None."""
    held: ClassVar[Mapping[str, Any]] = {}
    ahead: ClassVar[int] = 16
    """Outcomes that may wait to be taken."""

    @property
    def header(self) -> dict[str, Any]:
        """The message to send, without its cells."""
        return {"do": "observe", "conv": dict(self.conv)}


@dataclass(frozen=True)
class NetJob:
    """Runs of one net for one interpreter, with the arrays they name."""

    interpreter: Interpreter
    header: Mapping[str, Any]
    held: Mapping[str, Any]
    """Stay with the worker until other ones are held, so that they travel once."""
    cells: Sequence[Mapping[str, Any]]
    """See `convdiff.worker.nets.message`."""
    arrays: ClassVar[Mapping[str, Any]] = {}
    ahead: ClassVar[int] = 2


Outcome = tuple[int, int, Any, float]
"""(job's number, cell's number, what it gave or NoBits, seconds that it was waited for).

An array of a cell, a mapping of a net's run: arrays, and digests as bytes, by what is watched.
"""


class Pool:
    """Workers by interpreter. Use it as a context: leaving it ends them all."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._workers: dict[Interpreter, WorkerProcess] = {}
        self._deaths: dict[Interpreter, int] = {}
        self._known: dict[Interpreter, dict[str, Any] | NoBits] = {}
        self._greeted: set[Interpreter] = set()
        self._lock = threading.Lock()
        self._stopped: NoBits | None = None
        """Why nothing is asked any more."""

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            worker.kill()

    def stop(self, reason: str) -> None:
        """Let nothing more be asked, and end the workers that are being asked.

        For a signal's handler: it takes no lock, and leaves to others what is to be tidied up.
        """
        self._stopped = NoBits(reason)
        for worker in list(self._workers.values()):
            worker.end()

    @property
    def deaths(self) -> int:
        """Workers that died so far, whatever they were asked."""
        return sum(self._deaths.values())

    def start(self, interpreter: Interpreter) -> None:
        """Start the interpreter's worker and let it import its framework meanwhile."""
        if interpreter not in self._workers and interpreter not in self._known:
            try:
                self._launch(interpreter)
            except WorkerGoneError as error:
                self._known[interpreter] = self._gone(interpreter, error)

    def fingerprint(self, interpreter: Interpreter) -> dict[str, Any] | NoBits:
        """Wait for the framework and return what it says of itself, or why it can't."""
        if interpreter not in self._known:
            self.start(interpreter)
        if interpreter not in self._known:
            self._known[interpreter] = self._await(interpreter)
        return self._known[interpreter]

    def log(self, interpreter: Interpreter) -> str:
        """Return what the interpreter's worker wrote on stdout and stderr so far."""
        worker = self._workers.get(interpreter)
        return worker.log(1 << 20) if worker else ""

    def ask(
        self, interpreter: Interpreter, header: Mapping[str, Any], arrays: Sequence[Any]
    ) -> list[Any] | NoBits:
        """Send one request and return the arrays of its one reply. Not while cells are running."""
        known = self.fingerprint(interpreter)
        if isinstance(known, NoBits):
            return known
        try:
            worker = self._worker(interpreter)
            worker.send(dict(header), arrays)
            reply, answers = worker.receive()
        except WorkerGoneError as error:
            return self._buried(interpreter, error)
        if "failed" in reply:
            return NoBits(str(reply["failed"]))
        return list(answers)

    def observe(self, jobs: Sequence[Job | NetJob]) -> Iterator[Outcome]:
        """Run all jobs, interpreters side by side, and yield each cell's outcome as it comes.

        Ends early once the pool is stopped.
        """
        by_interpreter: dict[Interpreter, list[int]] = {}
        for number, job in enumerate(jobs):
            by_interpreter.setdefault(job.interpreter, []).append(number)
        ahead = min((job.ahead for job in jobs), default=1)
        outcomes = _Outcomes(len(by_interpreter), ahead)
        slots = threading.Semaphore(max(2, os.cpu_count() or 1))

        def serve(numbers: list[int]) -> None:
            with outcomes.producer(), slots:
                for number in numbers:
                    for cell, result, seconds in self._run(jobs[number]):
                        if not outcomes.put((number, cell, result, seconds)):
                            return

        for numbers in by_interpreter.values():
            threading.Thread(target=serve, args=(numbers,), daemon=True).start()
        try:
            yield from outcomes
        finally:
            outcomes.close()

    def _run(self, job: Job | NetJob) -> Iterator[tuple[int, Any, float]]:
        """Run one job's cells; a death costs the cell it happened in, then a new worker goes on."""
        done = 0
        while done < len(job.cells) and not self._stopped:
            known = self.fingerprint(job.interpreter)
            if isinstance(known, NoBits):
                for number in range(done, len(job.cells)):
                    yield number, known, 0.0
                return
            start = perf_counter()
            try:
                for output, seconds in self._outputs(job, done):
                    yield done, output, seconds
                    done, start = done + 1, perf_counter()
                    if self._stopped:  # answers that came before may wait in the pipe
                        return
            except WorkerGoneError as error:
                death = self._buried(job.interpreter, error)
                if self._stopped:
                    return
                yield done, death, perf_counter() - start
                done += 1

    def _outputs(self, job: Job | NetJob, first: int) -> Iterator[tuple[Any, float]]:
        """Yield what a job's cells give, from a certain one on, and the seconds that each took.

        Raises WorkerGoneError.
        """
        worker = self._worker(job.interpreter)
        worker.hold(job.held)
        worker.keep(job.arrays)
        cells = list(job.cells[first:])
        worker.send({**job.header, "cells": cells})
        for number in range(len(cells)):
            start = perf_counter()
            answer, seconds = _answer(worker, number)
            yield answer, perf_counter() - start if seconds is None else seconds
        worker.drop(job.arrays)

    def _worker(self, interpreter: Interpreter) -> WorkerProcess:
        """Return the running worker. Raises WorkerGoneError once the pool is stopped."""
        if self._stopped:
            raise WorkerGoneError(self._stopped.reason)
        return self._workers[interpreter]

    def _buried(self, interpreter: Interpreter, error: WorkerGoneError) -> NoBits:
        """Forget a worker that died, and return what its cell gave; a stop is no death."""
        with self._lock:
            worker = self._workers.pop(interpreter, None)
        if worker:
            worker.kill()
        if self._stopped:
            return self._stopped
        reason = str(error)
        self._deaths[interpreter] = self._deaths.get(interpreter, 0) + 1
        if self._deaths[interpreter] >= DEATHS:
            self._known[interpreter] = NoBits(f"given up after {DEATHS} deaths: {reason}", True)
        else:
            self._known.pop(interpreter, None)
        return NoBits(reason, died=True)

    def _launch(self, interpreter: Interpreter) -> None:
        worker = WorkerProcess(interpreter, self._timeout)
        with self._lock:
            self._workers[interpreter] = worker
        if self._stopped:  # since the workers were ended
            worker.end()
        worker.send(
            {"do": "start", "framework": interpreter.framework, "threads": interpreter.threads}
        )

    def _await(self, interpreter: Interpreter) -> dict[str, Any] | NoBits:
        worker = self._workers[interpreter]
        try:
            hello, _ = worker.receive(GREETING)
            if "hello" not in hello:
                raise worker.garbage("no greeting")
            self._greeted.add(interpreter)
            header, _ = worker.receive()
            if "failed" in header:
                return NoBits(str(header["failed"]), absent=bool(header.get("absent")))
            return dict(header["ready"])
        except WorkerGoneError as error:
            return self._gone(interpreter, error)

    def _gone(self, interpreter: Interpreter, error: WorkerGoneError) -> NoBits:
        """Forget a worker that died at its start. Raises NotPythonError if none ever spoke."""
        with self._lock:
            worker = self._workers.pop(interpreter, None)
        if worker:
            worker.kill()
        if self._stopped:
            return self._stopped
        if interpreter not in self._greeted:
            raise NotPythonError(interpreter, str(error)) from None
        return NoBits(str(error), died=True)


def _answer(worker: WorkerProcess, number: int) -> tuple[Any, float | None]:
    """Return what a cell gives: an array, a mapping of a net's activations, or NoBits.

    And the seconds that it took there, where the worker says so. Raises WorkerGoneError.
    """
    watched: dict[str, Any] = {}
    while True:
        header, arrays = worker.receive()
        if header.get("cell") != number:
            break
        if header.get("failed"):
            return NoBits(str(header["failed"])), None
        if "digests" in header:
            digests = {key: bytes.fromhex(d) for key, d in header["digests"].items()}
            return watched | digests, header["seconds"]
        if len(arrays) != 1:
            break
        if "watched" not in header:
            return arrays[0], None
        watched[header["watched"]] = arrays[0]
    raise worker.garbage("a reply that answers nothing")


class _Outcomes:
    """What several threads give, one after the other, for one that takes it.

    An error of theirs is raised where they are taken; once closed, they are told to end.
    """

    def __init__(self, producers: int, ahead: int) -> None:
        self._queue: queue.Queue[Outcome | BaseException | None] = queue.Queue(maxsize=ahead)
        self._running = producers
        self._closed = threading.Event()

    def put(self, item: Outcome | BaseException | None) -> bool:
        """Wait for room; return False where nobody takes anything any more."""
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.5)
                return True
        return False

    @contextlib.contextmanager
    def producer(self) -> Iterator[None]:
        """Hold open what one thread gives; its end, or its error, is told."""
        try:
            yield
        except BaseException as error:  # the thread that takes must hear of it
            self.put(error)
        finally:
            self.put(None)

    def close(self) -> None:
        """Take no more."""
        self._closed.set()

    def __iter__(self) -> Iterator[Outcome]:
        while self._running:
            item = self._queue.get()
            if item is None:
                self._running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item


class NotPythonError(ConvdiffError):
    """The program given as an interpreter did not answer as Python 3.6 or later would."""

    def __init__(self, interpreter: Interpreter, reason: str) -> None:
        remedy = "name an environment's interpreter, as in ../env/bin/python"
        reason = reason.replace("worker ended with status 0", "it ended without a word")
        named = f"{interpreter.named_by} {interpreter.python}"
        super().__init__(f"{named}: not a Python 3.6 or later ({reason}); {remedy}")
