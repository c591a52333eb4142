"""The data that rows work on: E. coli K-12 where it is at hand, else made up and said so."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch

from genomic_ulmfit.data.corpus import Corpus, build_corpus
from genomic_ulmfit.data.promoters import promoter_table
from genomic_ulmfit.data.splits import split_strict
from genomic_ulmfit.data.streams import TokenStreams
from genomic_ulmfit.dna.alphabet import BASES, Codes
from genomic_ulmfit.dna.genome import Genome
from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.dna.simulate import simulate_genome
from genomic_ulmfit.models.config import preset
from genomic_ulmfit.training.pretraining_recipe import RECIPES
from speed_rows.row import Bench

WINDOW = 150
"""Bases of a window: those of the promoter task."""


@functools.cache
def genome(bench: Bench) -> Genome:
    if bench.genome is not None:
        return read_genome(bench.genome)
    return simulate_genome(n_genes=150 if bench.quick else 4000)


@functools.cache
def corpus(bench: Bench) -> Corpus:
    return build_corpus([genome(bench)])


@functools.cache
def promoters(bench: Bench) -> pd.DataFrame:
    """Return the promoter table, split as `genomic-ulmfit data promoters` does it."""
    return split_strict(promoter_table(genome(bench)))


def streams(bench: Bench, size: str) -> TokenStreams:
    """Return the training text as `pretrain` reads it at this size."""
    recipe = RECIPES[size]
    return TokenStreams(corpus(bench), preset(size).tokenizer, recipe.streams, recipe.bptt, seed=0)


def pieces(bench: Bench, size: str) -> list[torch.Tensor]:
    """Return the same text as a list of token sequences."""
    text, tokenizer = corpus(bench), preset(size).tokenizer
    return [
        torch.from_numpy(tokenizer.tokenize(text.codes(piece)).astype(np.int64))
        for piece in text.train
    ]


def windows(bench: Bench, count: int) -> list[Codes]:
    """Return neighbouring windows of the genome, from its start; over again if it is short."""
    (contig, *_) = genome(bench).contigs
    fitting = len(contig) // WINDOW
    starts = [WINDOW * (number % fitting) for number in range(count)]
    return [contig.codes[start : start + WINDOW] for start in starts]


def random_letters(count: int, seed: int = 0) -> str:
    """Return made-up DNA."""
    letters = np.frombuffer(BASES.encode(), dtype=np.uint8)
    return letters[np.random.default_rng(seed).integers(0, 4, count)].tobytes().decode()
