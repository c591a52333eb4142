"""Whole experiments from genome to report, resumable."""
