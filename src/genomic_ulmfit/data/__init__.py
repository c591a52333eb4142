"""What a model is fed: genomes from NCBI, token corpora, labelled sequences and their splits."""
