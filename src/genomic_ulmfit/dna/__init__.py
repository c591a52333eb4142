"""What DNA is: alphabet, k-mer tokens, genomes and their files."""
