"""What `speed.py` measures: one module for each kind of work."""
