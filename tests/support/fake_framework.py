"""Stands in for a Python whose framework misbehaves as a cell's op says; all else is real.

Run as an interpreter is: with the worker's main.py and two descriptors as arguments.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np

ENVIRONMENT = dict(os.environ)
MODE = os.environ.get("FAKE_OPEN")
sys.argv = sys.argv[1:]
REPLIES = int(sys.argv[2])


class Framework:
    def __init__(self, threads):
        self.threads = threads

    def fingerprint(self):
        return {
            "framework": "fake",
            "version": "1.0",
            "devices": ["cpu", "gpu:0", "gpu:1"] if MODE == "gpus" else ["cpu"],
            "cuda": "12" if MODE == "gpus" else None,
            "threads": self.threads,
            "environment": ENVIRONMENT,
            "pid": os.getpid(),
        }

    def run(self, op, device, conv, input_nhwc, filter_hwio, bias):
        getattr(self, op, lambda: None)()
        if op == "pid":
            return np.full((1, 1, 1, 1), os.getpid(), np.int64)
        return np.ascontiguousarray(input_nhwc * filter_hwio[0, 0, 0, 0])

    def kill(self):
        print("about to be killed", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def segfault(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def abort(self):
        sys.stderr.write("first line\nsecond line\n\x1b[31mlast line\n")
        sys.stderr.flush()
        os.abort()

    def exit(self):
        os._exit(3)

    def system_exit(self):
        sys.exit(4)

    def hang(self):
        time.sleep(600)

    def nap(self):
        time.sleep(0.7)

    def close(self):
        os.close(REPLIES)
        time.sleep(600)

    def garbage(self):
        os.write(REPLIES, b"I am a library and I print where I like\n" * 10)
        time.sleep(600)

    def half_a_frame(self):
        os.write(REPLIES, wire().encode({"cell": 0}, [np.ones(9)])[0])
        os._exit(0)

    def endless_frame(self):
        os.write(REPLIES, b"cvd1" + b"\x0d\0\0\0" + b"\xff" * 8 + b'{"arrays":[]}')
        time.sleep(600)

    def stale(self):
        wire().write(REPLIES, wire().encode({"cell": 99}, [np.ones(1)]))

    def empty(self):
        wire().write(REPLIES, wire().encode({"cell": 0}))

    def no_header(self):
        wire().write(REPLIES, [b"cvd1" + b"\x02\0\0\0" + b"\0" * 8 + b"[]"])

    def false_shape(self):
        self.lie([["float32", [1, 1, 1000, 1]]])

    def no_dtype(self):
        self.lie([["float99", [1]]])

    def objects(self):
        self.lie([["object", [1]]])

    def negative(self):
        self.lie([["float32", [-1]]])

    def lie(self, arrays):
        import json
        import struct

        text = json.dumps({"cell": 0, "arrays": arrays}).encode()
        os.write(REPLIES, struct.pack("<4sIQ", b"cvd1", len(text), 8) + text + bytes(8))

    def refuse(self):
        raise ValueError("this shape is not mine\nand more that nobody reads")

    def chatter(self):
        print("printed", flush=True)
        os.write(1, b"written\n")
        subprocess.run(["/bin/echo", "by a child"], check=True)

    def meet(self):
        """Wait until two workers are here."""
        folder = Path(ENVIRONMENT["FAKE_MEET"])
        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.01)


def wire():
    from convdiff_worker import wire

    return wire


def open_framework(threads):
    if MODE == "die":
        sys.stderr.write("cannot load libcudart\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if MODE == "hang":
        time.sleep(600)
    if MODE == "raise":
        raise ImportError("libsomething.so.1: cannot open shared object file")
    if MODE == "slow":
        time.sleep(0.7)
    return Framework(threads)


framework = types.ModuleType("convdiff_worker.frameworks.tensorflow")
framework.open = open_framework
sys.modules[framework.__name__] = framework

spec = importlib.util.spec_from_file_location("worker_main", sys.argv[0])
main = importlib.util.module_from_spec(spec)
spec.loader.exec_module(main)
if MODE == "second_start_dies":
    flag = Path(ENVIRONMENT["FAKE_FLAG"])
    if flag.exists():
        os._exit(7)
    flag.touch()
main.main()
