"""Reading a kernel's summation order from its answers to probes."""
