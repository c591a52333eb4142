"""Every window of a stretch of DNA, scored one by one or all in one pass."""
