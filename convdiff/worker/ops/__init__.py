"""The ops that can be asked of a framework: one file a family, named as the op is."""

OPS = ("conv2d",)
"""A new op is a row here and a file beside this one."""

REFERENCE = "manual"
"""Any op's reference: multiply and sum, in the same framework on the same device."""
