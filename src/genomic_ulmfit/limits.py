"""What options and parameters allow."""

LARGEST_SEED = 2**31 - 1
"""Generators take twice as much, but studies count on from their seed."""
