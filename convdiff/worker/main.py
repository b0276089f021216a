"""The worker: reads requests on one pipe, answers on another, one framework a process.

Started as `python main.py READ_FD WRITE_FD`, in any interpreter from Python 3.6 on. The package is
loaded by its path under a name of its own, so that neither convdiff nor its dependencies come into
the reach of the framework under test.
"""

import importlib
import importlib.util
import os
import sys


def load_package() -> None:
    """Make this folder importable as `convdiff_worker`, and nothing else of it."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != folder]
    spec = importlib.util.spec_from_file_location(
        "convdiff_worker",
        os.path.join(folder, "__init__.py"),
        submodule_search_locations=[folder],
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["convdiff_worker"] = package
    spec.loader.exec_module(package)


def main() -> None:
    """Serve until the request pipe closes."""
    requests, replies = int(sys.argv[1]), int(sys.argv[2])
    os.dup2(2, 1)  # a library's chatter on stdout goes where stderr goes
    load_package()
    importlib.import_module("convdiff_worker.serve").serve(requests, replies)


if __name__ == "__main__":
    main()
