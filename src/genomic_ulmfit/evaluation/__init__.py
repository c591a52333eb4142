"""Metrics with intervals, and the baselines every result stands beside."""
