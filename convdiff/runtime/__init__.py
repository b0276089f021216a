"""Where it runs: runtimes, their matrix, the pool of workers."""
