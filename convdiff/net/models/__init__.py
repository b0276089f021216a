"""Models that people have, read as data: nothing that a file names is imported, built or run.

`formats` has a row a format; each reader gives a `Model`, whose net is made of the layers that
`convdiff.worker.ops.net` knows.
"""
