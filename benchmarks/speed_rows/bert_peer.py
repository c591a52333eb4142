"""BERTs in the shapes of ProkBERT-mini and DNABERT: random weights, for speed does not need more.

Both read 6-mers one base apart between [CLS] and [SEP] (Ligeti et al. 2024, Front. Microbiol. 14;
Ji et al. 2021, Bioinformatics 37). ProkBERT's relative positions are left out, which makes it
faster here than it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.models.precision import autocast
from speed_rows import material
from speed_rows.row import Bench, Measurement, Row, rates

SPECIAL = 5
"""[PAD], [UNK], [CLS], [SEP], [MASK] come before the 4,096 6-mers."""
CLS, SEP = 2, 3
BATCH = 32


class Shape(NamedTuple):
    """Of a published model; `windows` are read per repeat."""

    title: str
    layers: int
    hidden: int
    heads: int
    positions: int
    windows: int


SHAPES = {
    "prokbert": Shape("ProkBERT-mini", 6, 384, 6, 1024, 8 * BATCH),
    "dnabert": Shape("DNABERT", 12, 768, 12, 512, 2 * BATCH),
}


def embed(bench: Bench, shape: Shape, precision: str) -> Measurement:
    """Hidden states of the last layer for windows of the genome."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=4**6 + SPECIAL,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=3072,
        max_position_embeddings=shape.positions,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    count = 1 if bench.quick else shape.windows
    tokenizer = KmerTokenizer(k=6, stride=1)
    kmers = np.stack([tokenizer.tokenize(codes) for codes in material.windows(bench, count)])
    tokens = torch.from_numpy(kmers.astype(np.int64) + SPECIAL)
    ends = [torch.full((count, 1), token) for token in (CLS, SEP)]
    tokens = torch.cat([ends[0], tokens, ends[1]], dim=1)

    def work() -> float:
        for batch in tokens.split(BATCH):
            model(input_ids=batch)
        return float(count * material.WINDOW)

    with torch.no_grad(), autocast(precision):
        values = rates(work, bench.repeats(5))
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return Measurement(values, f"{precision}, {n_parameters / 1e6:.0f} M parameters")


def rows(bench: Bench) -> list[Row]:
    return [
        Row(
            f"{name}-{precision}",
            f"peer: Hugging Face `BertModel` in {shape.title}'s shape ({shape.layers} layers, "
            f"{shape.hidden} wide, 6-mers, random weights), {precision}, same windows",
            "bp/s",
            lambda bench, shape=shape, precision=precision: embed(bench, shape, precision),
            tuple(f"features-{size}" for size in bench.sizes),
            "transformers",
            "transformers",
        )
        for name, shape in SHAPES.items()
        for precision in (["fp32"] if bench.quick else ["fp32", "bf16"])
    ]
