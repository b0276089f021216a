"""The command that draws the orders of a case's worst comparison."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from convdiff.cli.options import DEFAULT_FRAMEWORK, Options
from convdiff.cli.repeat import joined, sized
from convdiff.plan.cell import Cell
from convdiff.report.headline import worst_finding
from convdiff.result import CaseResult
from convdiff.runtime.matrix import THIS
from convdiff.runtime.model import Interpreter, Runtime


def explain_command(case: CaseResult, options: Options) -> str:
    """Return the shell command that explains both sides of the worst comparison.

    Empty where `convdiff explain` can't be asked for them, or found no order.
    """
    finding = worst_finding(case.findings)
    if finding is None or finding.why is None:
        return ""
    cells = finding.comparison.cells
    where = _where(list(dict.fromkeys(cell.runtime for cell in cells)), case, options)
    if where is None or not _can_be_explained(cells):
        return ""
    file = [] if case.case.built_in else [case.case.file]
    return shlex.join(["convdiff", "explain", *file, *_which(cells, case, options), *where])


def _can_be_explained(cells: Sequence[Cell]) -> bool:
    """Return whether all are run, on the case's own data, and of one op."""
    asked = all(cell.is_first_run and not cell.recorded and not cell.is_exact for cell in cells)
    return asked and len({cell.op for cell in cells}) == 1 and not cells[1].channels


def _which(cells: Sequence[Cell], case: CaseResult, options: Options) -> list[str]:
    """Return the options that say which outputs, as far as there are others."""
    words: list[str] = []
    if len(case.case.lengths) > 1 or options.lengths:
        words += sized("--lengths", sorted({cell.length for cell in cells}))
    if len(case.case.batches) > 1 or options.batch:
        words += sized("--batch", sorted({cell.batch for cell in cells}))
    return [*words, "--op", cells[0].op] if cells[0].is_reference else words


def _where(runtimes: Sequence[Runtime], case: CaseResult, options: Options) -> Sequence[str] | None:
    """Return the options whose product are these runtimes; None where none is."""
    if not all(_can_be_named(runtime, case, options) for runtime in runtimes):
        return None
    inner = [runtime.interpreter for runtime in runtimes]
    specs = _once(_spec(runtime, case, options) for runtime in runtimes)
    pythons = _once(_python(one, options) for one in inner)
    threads = _once(str(one.threads or "") for one in inner)
    settings = _settings(inner)
    several = (specs, pythons, threads, *settings.values())
    if math.prod(map(len, several)) != len(runtimes):
        return None
    words = [*_specs(specs, options), *joined("--threads", list(filter(None, threads)))]
    words += _each("--vary", [f"{name}={','.join(values)}" for name, values in settings.items()])
    return [*words, *_each("--python", [] if pythons == [THIS] else pythons)]


def _specs(specs: Sequence[str], options: Options) -> list[str]:
    """Return the options that name frameworks and own kernels."""
    frameworks = [one for one in specs if one not in options.kernel]
    kernels = [one for one in specs if one in options.kernel]
    unnamed = specs == [*DEFAULT_FRAMEWORK]
    return [*joined("--framework", [] if unnamed else frameworks), *_each("--kernel", kernels)]


def _can_be_named(runtime: Runtime, case: CaseResult, options: Options) -> bool:
    """Return whether options name a runtime: an own kernel only on the case's first device."""
    kernel = runtime.interpreter.framework in options.kernel
    return not kernel or _is_on_first(runtime, case, options)


def _is_on_first(runtime: Runtime, case: CaseResult, options: Options) -> bool:
    """Return whether a runtime is on the device that is taken where none is named."""
    return not options.device and runtime.device == case.case.devices[0]


def _spec(runtime: Runtime, case: CaseResult, options: Options) -> str:
    """Return what --framework or --kernel is given for a runtime."""
    framework = runtime.interpreter.framework
    return framework if _is_on_first(runtime, case, options) else f"{framework}:{runtime.device}"


def _settings(inner: Sequence[Interpreter]) -> Mapping[str, Sequence[str]]:
    """Return the values that each variable is given; "" where only some are given one."""
    names = _once(name for one in inner for name, _ in one.settings)
    return {name: _once(dict(one.settings).get(name, "") for one in inner) for name in names}


def _python(interpreter: Interpreter, options: Options) -> str:
    """Return an interpreter as the command line named it."""
    given = {str(Path(one).expanduser().absolute()): one for one in options.python if one != THIS}
    named = given.get(interpreter.python, interpreter.python)
    return THIS if interpreter.python == sys.executable else named


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
