"""What `convdiff explain` finds: the orders of an output, of two, and of one element of each."""
