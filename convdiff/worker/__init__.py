"""The other side of the pipe: runs in the interpreter under test, imports nothing of convdiff."""
