"""The pool of workers: one process an interpreter, started when asked for, several at once."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

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
    """Each {op, device, x, w, b, length, batch}; x, w and b are keys of `arrays`, b may be None."""


Outcome = tuple[int, int, Any]
"""(job's number, cell's number, ndarray or NoBits)."""


class Pool:
    """Workers by interpreter. Use it as a context: leaving it ends them all."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._workers: dict[Interpreter, WorkerProcess] = {}
        self._deaths: dict[Interpreter, int] = {}
        self._known: dict[Interpreter, dict[str, Any] | NoBits] = {}
        self._greeted: set[Interpreter] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            worker.kill()

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
            worker = self._workers[interpreter]
            worker.send(dict(header), arrays)
            reply, answers = worker.receive()
        except WorkerGoneError as error:
            self._bury(interpreter, str(error))
            return NoBits(str(error), died=True)
        if "failed" in reply:
            return NoBits(str(reply["failed"]))
        return list(answers)

    def observe(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run all jobs, interpreters side by side, and yield each cell's outcome as it comes."""
        by_interpreter: dict[Interpreter, list[int]] = {}
        for number, job in enumerate(jobs):
            by_interpreter.setdefault(job.interpreter, []).append(number)
        outcomes: queue.Queue[Outcome | BaseException | None] = queue.Queue(maxsize=16)
        slots = threading.Semaphore(max(2, os.cpu_count() or 1))
        stop = threading.Event()

        def put(item: Outcome | BaseException | None) -> None:
            while not stop.is_set():
                with contextlib.suppress(queue.Full):
                    outcomes.put(item, timeout=0.5)
                    return

        def serve(numbers: list[int]) -> None:
            try:
                with slots:
                    for number in numbers:
                        for cell, result in self._run(jobs[number]):
                            if stop.is_set():
                                return
                            put((number, cell, result))
            except BaseException as error:  # the main thread must hear of it
                put(error)
            finally:
                put(None)

        threads = [
            threading.Thread(target=serve, args=(numbers,), daemon=True)
            for numbers in by_interpreter.values()
        ]
        for thread in threads:
            thread.start()
        try:
            running = len(threads)
            while running:
                item = outcomes.get()
                if item is None:
                    running -= 1
                elif isinstance(item, BaseException):
                    raise item
                else:
                    yield item
        finally:
            stop.set()

    def _run(self, job: Job) -> Iterator[tuple[int, Any]]:
        """Run one job's cells; a death costs the cell it happened in, then a new worker goes on."""
        done = 0
        while done < len(job.cells):
            known = self.fingerprint(job.interpreter)
            if isinstance(known, NoBits):
                for number in range(done, len(job.cells)):
                    yield number, known
                return
            try:
                worker = self._workers[job.interpreter]
                worker.send({"do": "keep", "keys": list(job.arrays)}, list(job.arrays.values()))
                left = list(job.cells[done:])
                worker.send({"do": "observe", "conv": dict(job.conv), "cells": left})
                for number in range(len(left)):
                    header, arrays = worker.receive()
                    failed = header.get("failed")
                    if header.get("cell") != number or not (failed or len(arrays) == 1):
                        raise worker.garbage("a reply that answers nothing")
                    yield done, NoBits(str(failed)) if failed else arrays[0]
                    done += 1
                worker.send({"do": "drop", "keys": list(job.arrays)})
            except WorkerGoneError as error:
                yield done, NoBits(str(error), died=True)
                done += 1
                self._bury(job.interpreter, str(error))

    def _bury(self, interpreter: Interpreter, reason: str) -> None:
        with self._lock:
            worker = self._workers.pop(interpreter, None)
        if worker:
            worker.kill()
        self._deaths[interpreter] = self._deaths.get(interpreter, 0) + 1
        if self._deaths[interpreter] >= DEATHS:
            self._known[interpreter] = NoBits(f"given up after {DEATHS} deaths: {reason}", True)
        else:
            self._known.pop(interpreter, None)

    def _launch(self, interpreter: Interpreter) -> None:
        worker = WorkerProcess(interpreter, self._timeout)
        with self._lock:
            self._workers[interpreter] = worker
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
                return NoBits(str(header["failed"]))
            return dict(header["ready"])
        except WorkerGoneError as error:
            return self._gone(interpreter, error)

    def _gone(self, interpreter: Interpreter, error: WorkerGoneError) -> NoBits:
        """Forget a worker that died at its start. Raises NotPythonError if none ever spoke."""
        with self._lock:
            worker = self._workers.pop(interpreter, None)
        if worker:
            worker.kill()
        if interpreter not in self._greeted:
            raise NotPythonError(interpreter.python, str(error)) from None
        return NoBits(str(error), died=True)


class NotPythonError(ConvdiffError):
    """The program given as an interpreter did not answer as Python 3.6 or later would."""

    def __init__(self, python: str, reason: str) -> None:
        super().__init__(f"--python {python}: not a Python 3.6 or later ({reason})")
