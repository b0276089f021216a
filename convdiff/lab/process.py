"""One worker process from the parent's side: start it, send frames, receive them, tell its end."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from convdiff.runtime.model import Interpreter
from convdiff.worker import wire

Frame = tuple[dict[str, Any], list[Any]]
"""A header and its arrays."""

LONGEST_WAIT = 10.0**6
"""Seconds, eleven days; `poll` takes no more than 2³¹ milliseconds."""

_MAIN = Path(__file__).parent.parent / "worker" / "main.py"


SPINS = "1000"
"""How long a thread of GNU OpenMP waits busily, some µs, where the user does not say. By default it
is so long that a run of PyTorch's takes thirty times as long where another process wants the core.
"""
LAST_BYTES = 4096
"""Of what a worker wrote, where its last lines are looked for."""
INFORMS = re.compile(
    r"I\d{4} |\d{4}-\S+ \S+: I |"
    r"To enable the following instructions:|WARNING: All log messages before|"
    r"\*\*\* Check failure stack trace|@ +0x[0-9a-f]+ "
)
"""Lines of TensorFlow's that explain no death: those of every start, and where a check stands."""


class WorkerGoneError(Exception):
    """The worker died, hung or sent garbage; the text says which, in one line."""


class WorkerProcess:
    """A running worker. Its stderr goes to an unnamed file, whose end explains its death."""

    def __init__(self, interpreter: Interpreter, timeout: float) -> None:
        self.timeout = timeout
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._log.close)  # it is read after the process's end
        request_end, self._requests = os.pipe()
        self._replies, reply_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                [interpreter.python, str(_MAIN), str(request_end), str(reply_end)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(request_end, reply_end),
                env=_environment(interpreter),
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
        except OSError as error:
            os.close(self._requests)
            os.close(self._replies)
            raise WorkerGoneError(f"{interpreter.python}: {error.strerror}") from None
        finally:
            os.close(request_end)
            os.close(reply_end)
        self._held: dict[str, Any] = {}
        self._buffer = bytearray()
        for descriptor in (self._requests, self._replies):
            _widen(descriptor)
        os.set_blocking(self._requests, False)  # a worker that hangs may never read
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._replies, select.POLLIN | select.POLLHUP)
        self._writable.register(self._requests, select.POLLOUT)

    @property
    def pid(self) -> int:
        """The process id, which tests and users may signal."""
        return self._process.pid

    def send(self, header: dict[str, Any], arrays: Sequence[Any] = ()) -> None:
        """Send one frame. Raises WorkerGoneError if nobody reads."""
        try:
            for part in wire.encode(header, arrays):
                self._write(memoryview(part))
        except BrokenPipeError:
            raise WorkerGoneError(self._end()) from None

    def keep(self, arrays: Mapping[str, Any]) -> None:
        """Let the worker keep arrays under these keys. Raises WorkerGoneError."""
        if arrays:
            self.send({"do": "keep", "keys": list(arrays)}, list(arrays.values()))

    def drop(self, keys: Iterable[str]) -> None:
        """Let the worker forget what it keeps under these keys. Raises WorkerGoneError."""
        forgotten = list(keys)
        if forgotten:
            self.send({"do": "drop", "keys": forgotten})

    def hold(self, arrays: Mapping[str, Any]) -> None:
        """Let the worker keep arrays, and of those held before no others; what it has stays.

        Nothing to hold changes nothing. Raises WorkerGoneError.
        """
        if not arrays:
            return
        self.drop(key for key in self._held if key not in arrays)
        new = {key: one for key, one in arrays.items() if self._held.get(key) is not one}
        self._held = dict(arrays)  # the objects too: what is new is told by identity
        self.keep(new)

    def _write(self, data: memoryview) -> None:
        while data:
            self._await(self._writable, time.monotonic() + self.timeout, "read nothing")
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._requests, data[: 1 << 20]) :]

    def receive(self, most: float = math.inf) -> Frame:
        """Return the next frame. Raises WorkerGoneError at death, silence or garbage.

        most: seconds to wait at most, where that is less than the worker's timeout.
        """
        deadline = time.monotonic() + min(self.timeout, most)
        try:
            header_size, payload_size = wire.decode_head(self._read(wire.head_size(), deadline))
            header = wire.decode_header(self._read(header_size, deadline))
            return header, wire.decode_arrays(header, self._read(payload_size, deadline))
        except wire.WireError as error:
            raise self.garbage(str(error)) from None

    def garbage(self, what: str) -> WorkerGoneError:
        """End a worker whose answer makes no sense, and return the error to raise."""
        self.kill()
        return WorkerGoneError(f"worker sent garbage ({what}){self._last_words()}")

    def _await(self, poller: select.poll, deadline: float, omission: str) -> None:
        """Wait until the pipe is ready. Raises WorkerGoneError at the deadline."""
        seconds = min(max(0.0, deadline - time.monotonic()), LONGEST_WAIT)
        if not poller.poll(seconds * 1000):
            self.kill()
            words = self._last_words()
            raise WorkerGoneError(f"worker {omission} for {self.timeout:g} s{words}")

    def _read(self, size: int, deadline: float) -> bytearray:
        """Return the next `size` bytes; what came with them waits in the buffer."""
        try:
            data = bytearray(size)
        except (MemoryError, OverflowError):
            raise wire.WireError(f"a frame of {size} bytes") from None
        view = memoryview(data)
        filled = min(size, len(self._buffer))
        view[:filled] = self._buffer[:filled]
        del self._buffer[:filled]
        while filled < size:
            self._await(self._readable, deadline, "said nothing")
            came = self._take(view[filled:])
            if not came:
                raise WorkerGoneError(self._end())
            filled += came
        return data

    def _take(self, room: memoryview) -> int:
        """Fill some of the room, without a copy where it is large; return how much."""
        if len(room) >= wire.SMALL:
            return os.readv(self._replies, [room])
        chunk = os.read(self._replies, wire.SMALL)
        came = min(len(chunk), len(room))
        room[:came] = chunk[:came]
        self._buffer += chunk[came:]
        return came

    def end(self) -> None:
        """Send the process its end and touch nothing else; a signal's handler may call it."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process now and close its pipes; safe to call twice."""
        for descriptor in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._requests = self._replies = -1
        self._process.poll()
        self.end()
        self._process.wait()

    def _end(self) -> str:
        """Return how the process ended, and its last words."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"worker closed its pipe{self._last_words()}"
        self.kill()
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"worker killed by {name}{hint}{self._last_words()}"
        return f"worker ended with status {code}{self._last_words()}"

    def log(self, most: int) -> str:
        """Return the last `most` bytes that the worker wrote, as text."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - most))
        return self._log.read().decode("utf-8", "replace")

    def _last_words(self) -> str:
        """Return the last two lines that the worker wrote, as a suffix; none that only inform."""
        whole = self.log(LAST_BYTES).splitlines()
        whole = whole[1:] if self._log.tell() > LAST_BYTES else whole  # the first is a part of one
        lines = ["".join(c for c in line.strip() if c.isprintable()) for line in whole]
        kept = [line[:200] for line in lines if line and not INFORMS.match(line)][-2:]
        return f"; last said: {' / '.join(kept)}" if kept else ""


def _widen(pipe: int) -> None:
    """Let a pipe hold a megabyte, where the system can: arrays go through in fewer turns."""
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)


def _environment(interpreter: Interpreter) -> dict[str, str]:
    environment = {"GOMP_SPINCOUNT": SPINS, **os.environ}
    if interpreter.threads:
        count = str(interpreter.threads)
        environment.update(OMP_NUM_THREADS=count, TF_NUM_INTRAOP_THREADS=count)
    environment.update(interpreter.settings)
    return environment
