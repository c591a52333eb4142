"""Embeddings: exact whatever the batch, in order, in flat memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, encode
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.inference import embed as module
from genomic_ulmfit.inference.embed import embed, kmer_embeddings, load_encoder
from genomic_ulmfit.inference.sequences import Named
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.config import EncoderConfig
from genomic_ulmfit.models.store import load_classifier, load_language_model

LENGTHS = (150, 5, 61, 6, 333, 150, 149, 62, 7, 40, 151)


@pytest.fixture(scope="module")
def encoder() -> AWDLSTM:
    torch.manual_seed(0)
    return AWDLSTM(EncoderConfig(8, 12, 2, KmerTokenizer(5, 2))).eval()


@pytest.fixture(scope="module")
def sequences() -> list[Named]:
    rng = np.random.default_rng(0)
    made = [
        Named(f"s{i}", f"place {i}", rng.integers(0, 4, length).astype(np.uint8))
        for i, length in enumerate(LENGTHS)
    ]
    made[2].codes[10:14] = AMBIGUOUS
    return made


def obvious(encoder: AWDLSTM, sequence: Named) -> np.ndarray:
    """Last, max and mean of one sequence that is read alone and at once."""
    tokens = encoder.config.tokenizer.tokenize(sequence.codes).astype(np.int64)
    with torch.no_grad():
        states = encoder(torch.from_numpy(tokens)[:, None])[0][:, 0].numpy()
    return np.concatenate([states[-1], states.max(0), states.mean(0)])


@pytest.mark.parametrize(("segment", "batch", "chunk"), [(7, 3, 4), (1, 100, 100), (256, 1, 1)])
def test_equals_reading_each_sequence_alone(
    encoder: AWDLSTM,
    sequences: list[Named],
    monkeypatch: pytest.MonkeyPatch,
    segment: int,
    batch: int,
    chunk: int,
) -> None:
    monkeypatch.setattr(module, "SEGMENT", segment)
    monkeypatch.setattr(module, "CHUNK", chunk)
    parts = list(embed(encoder, sequences, "concat", "fp32", batch))
    assert list(itertools.chain.from_iterable(part.ids for part in parts)) == [
        sequence.id for sequence in sequences
    ]
    assert max(len(part.ids) for part in parts) <= chunk
    vectors = np.concatenate([part.vectors for part in parts])
    expected = np.stack([obvious(encoder, sequence) for sequence in sequences])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    means = np.concatenate([part.vectors for part in embed(encoder, sequences, "mean", "fp32")])
    np.testing.assert_allclose(means, expected[:, 16:], atol=1e-6)


def test_reads_no_further_than_needed(encoder: AWDLSTM, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def endless() -> Iterator[Named]:
        nonlocal read
        while True:
            read += 1
            yield Named("a", "a", encode("ACGTACGTAC"))

    monkeypatch.setattr(module, "CHUNK", 5)
    first = next(embed(encoder, endless(), precision="fp32"))
    assert len(first.ids) == 5
    assert read == 6
    monkeypatch.setattr(module, "CHUNK_BASES", 25)
    assert len(next(embed(encoder, endless(), precision="fp32")).ids) == 2


def test_gc_content_and_ambiguous_bases(encoder: AWDLSTM) -> None:
    letters = ["GGCCAAAAAA", "GCNNNNNNAT", "NNNNNNNN"]
    made = [Named(text, text, encode(text)) for text in letters]
    (part,) = embed(encoder, made, precision="fp32")
    np.testing.assert_allclose(part.gc, [0.4, 0.5, np.nan])
    assert part.n_ambiguous == 2
    assert np.isfinite(part.vectors).all()


def test_mistakes(encoder: AWDLSTM, tmp_path: Path) -> None:
    short = Named("b", "x.fa, sequence 2 (b)", encode("ACGT"))
    with pytest.raises(InputError, match=r"x\.fa, sequence 2 \(b\): has 4 bases; at least 5"):
        list(embed(encoder, [Named("a", "a", encode("ACGTA")), short]))
    with pytest.raises(InputError, match="got 'sum', allowed are mean and concat"):
        list(embed(encoder, [], "sum"))
    with pytest.raises(InputError, match="encoders that come with this program are"):
        load_encoder(tmp_path / "none")


def test_kmers(encoder: AWDLSTM) -> None:
    kmers, vectors = kmer_embeddings(encoder)
    assert vectors.shape == (1024, 8)
    assert kmers == sorted("".join(letters) for letters in itertools.product("ACGT", repeat=5))
    for kmer in ("AAAAA", "GATTA", "TTTTT"):
        (token,) = encoder.config.tokenizer.tokenize(encode(kmer))
        expected = encoder.embedding.weight[int(token)].detach().numpy()
        np.testing.assert_array_equal(vectors[kmers.index(kmer)], expected)


def test_encoders_of_all_kinds_of_models(encoder_folder: Path, classifier_folder: Path) -> None:
    of_model = load_encoder(encoder_folder).state_dict()
    tuned = load_encoder(classifier_folder).state_dict()
    for name, value in load_language_model(encoder_folder).encoder.state_dict().items():
        assert torch.equal(of_model[name], value)
    for name, value in load_classifier(classifier_folder).encoder.state_dict().items():
        assert torch.equal(tuned[name], value)
    assert load_encoder("e-coli").config.embedding == 256
