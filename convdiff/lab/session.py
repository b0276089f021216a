"""What outlives one case: the workers, which runtimes are there, the orders that were verified."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from convdiff.case.device import Device
from convdiff.case.model import Case
from convdiff.case.net_model import NetCase
from convdiff.lab.availability import stand
from convdiff.lab.pool import Pool
from convdiff.lab.stop import Stop
from convdiff.runtime.model import Interpreter, Standing

if TYPE_CHECKING:
    from convdiff.order.reveal.memory import OrderMemory


class Session:
    """Interpreters and their workers. Use it as a context: leaving it ends them all."""

    def __init__(
        self, interpreters: Sequence[Interpreter], timeout: float, required: Sequence[Device] = ()
    ) -> None:
        """timeout: seconds of silence that a worker may keep; required: devices run on, too."""
        self.interpreters = tuple(interpreters)
        self.required = frozenset(required)
        self.pool = Pool(timeout)
        self.stopping = Stop()

    @cached_property
    def orders(self) -> OrderMemory:
        """The summation orders proved so far; NumPy is imported for them alone."""
        from convdiff.order.reveal.memory import OrderMemory

        return OrderMemory()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pool.close()

    @property
    def signal(self) -> int:
        """The signal that stopped it, once one came."""
        return self.stopping.signal

    def on(self, interpreters: Sequence[Interpreter]) -> Session:
        """Return a session on other interpreters, which this one stops and ends."""
        other = copy(self)
        other.interpreters = tuple(interpreters)
        return other

    def start(self) -> None:
        """Start all workers, which import their frameworks meanwhile."""
        for interpreter in self.interpreters:
            self.pool.start(interpreter)

    def availability(self, case: Case | NetCase) -> list[Standing]:
        """Return how all runtimes stand that a case or a net, and the command ask for.

        Waits for the frameworks to be imported. Raises NotPythonError.
        """
        return list(
            stand(self.interpreters, case.devices, self.pool, sorted(self.required, key=str))
        )

    def stop(self, signal: int) -> None:
        """Stop at once what is asked of workers; to be called by a signal's handler.

        Takes no lock. What dies of it is no death, and an answer that it cuts short is none.
        """
        self.stopping.signal = signal
        self.pool.stop(self.stopping.reason)

    def missed(self, standing: Standing) -> bool:
        """Return whether an absent runtime had to be there.

        So is one whose interpreter or device was asked for by name, and one that is another
        version than required. A device that only a case names may be absent.
        """
        if standing.available:
            return False
        runtime = standing.runtime
        asked = {*self.required, *runtime.interpreter.devices}
        named = bool({runtime.device, Device(runtime.device.kind)} & asked)
        return not standing.fingerprint or standing.unmet or named
