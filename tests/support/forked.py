"""Runs `convdiff` in a process of its own that need not import it anew: a fork of one that has.

A server imports all of convdiff once; each run is a child of it with its own arguments,
environment, folder and streams, and ends as the program ends. What Python reads while it starts
is the server's: `same_start` says for which environments that is no difference.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence

READ_AT_START = ("PYTHON", "LC_", "LANG", "OPENBLAS_", "OMP_", "MKL_", "NPY_")
"""How the variables begin that Python and NumPy read while they are imported."""
IMPORTED_BY_OTHERS = ("convdiff.worker", "convdiff.testing", "convdiff.__main__")
"""What the program does not import: it is the worker's, or pytest's."""
IMPORTED_LATE = ("numpy.random", "numpy.ma")
"""What NumPy imports only when it is used."""


def same_start(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether Python starts the same in both environments."""
    differing = {name for name, _ in set(one.items()) ^ set(other.items())}
    return not any(name.startswith(READ_AT_START) for name in differing)


class Server:
    """The process that is forked; ends with the one that started it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it; it imports meanwhile."""
        self.environment = dict(environment)
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End it, and what it still runs."""
        self._socket.close()
        if not self.closed:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def closed(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: str, timeout: float
    ) -> tuple[int, str, str]:
        """Run the program to its end; return exit code, stdout and stderr.

        Raises TimeoutError where it takes longer, in seconds, and RuntimeError where the server
        has ended.
        """
        asked = {"arguments": [*arguments], "environment": {**environment}, "cwd": cwd}
        with (
            self._lock,
            tempfile.TemporaryFile("w+", encoding="utf-8") as out,
            tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        ):
            request = json.dumps(asked).encode()
            self._socket.settimeout(timeout)
            socket.send_fds(
                self._socket, [len(request).to_bytes(8, "big")], [out.fileno(), err.fileno()]
            )
            self._socket.sendall(request)
            try:
                answer = self._socket.recv(64)
            except TimeoutError:
                self.close()
                raise
            if not answer:
                raise RuntimeError("the server has ended; its stderr may say why")
            out.seek(0)
            err.seek(0)
            return json.loads(answer), out.read(), err.read()


SERVERS: list[Server] = []
"""The one that is running, once it was asked for."""


def started(environment: Mapping[str, str]) -> Server:
    """Return this process's server, started in this environment if it is the first."""
    if not SERVERS or SERVERS[-1].closed:
        SERVERS.append(Server(environment))
    return SERVERS[-1]


def serve(requests: socket.socket) -> None:
    """Fork for each request, until there is none; returns in the server only."""
    while True:
        head, fds, _, _ = socket.recv_fds(requests, 8, 2)
        if not head:
            return
        body = requests.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
        child = os.fork()
        if not child:
            requests.close()
            become(json.loads(body), fds)
        for descriptor in fds:
            os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(OSError):
            requests.sendall(json.dumps(code).encode())


def become(asked: dict, streams: Sequence[int]) -> None:
    """Be the program that is asked for; raises SystemExit at its end."""
    for number, descriptor in enumerate(streams, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    program = importlib.import_module("convdiff.__main__")
    sys.modules["__main__"] = program  # by which click knows how it was started
    sys.path[0] = asked["cwd"]
    sys.argv = [str(program.__file__), *asked["arguments"]]
    program.main()
    raise SystemExit


def import_all() -> None:
    """Import what any command of the program may import."""
    package = importlib.import_module("convdiff")
    for module in pkgutil.walk_packages(package.__path__, "convdiff."):
        if not module.name.startswith(IMPORTED_BY_OTHERS):
            importlib.import_module(module.name)
    for name in IMPORTED_LATE:
        importlib.import_module(name)


if __name__ == "__main__":
    import_all()
    gc.collect()
    gc.freeze()  # what a child would otherwise look through, and so copy, as it ends
    serve(socket.socket(fileno=int(sys.argv[1])))
