"""Using a classifier: on any number of sequences, and along whole genomes."""
