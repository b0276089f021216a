"""The other side of the pipe: runs inside the interpreter under test, imports nothing of convdiff."""
