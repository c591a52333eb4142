"""Where a study's genome comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from genomic_ulmfit.dna.readers import read_genome
from genomic_ulmfit.dna.simulate import simulate_genome
from genomic_ulmfit.studies import genome_source
from genomic_ulmfit.studies.genome_source import find_genome


def test_each_seed_simulates_a_genome_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        genome_source, "simulate_genome", lambda seed: simulate_genome(n_genes=3, seed=seed)
    )
    found = [find_genome(None, tmp_path, simulated=True, seed=seed).path for seed in (0, 1, 0)]
    assert found[0] == found[2] != found[1]
    texts = [read_genome(path).contigs[0].codes.tobytes() for path in found[:2]]
    expected = [simulate_genome(n_genes=3, seed=seed).contigs[0].codes.tobytes() for seed in (0, 1)]
    assert texts == expected
    assert len(list(tmp_path.iterdir())) == 2
