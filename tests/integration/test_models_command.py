"""`genomic-ulmfit models`, run as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from genomic_ulmfit.models.pretrained import pretrained_encoders


def test_they_are_listed(process: Callable) -> None:
    ran = process("models")
    assert ran.code == 0, ran.stderr
    assert ran.stderr == ""
    assert max(map(len, ran.stdout.splitlines())) <= 80
    for encoder in pretrained_encoders():
        (line,) = (line for line in ran.stdout.splitlines() if f" {encoder.name} " in line)
        assert f"{encoder.training['report']['bits_per_base']:.4f}" in line
        assert f"{encoder.n_parameters / 1e6:.1f} M" in line


def test_as_json(command: Callable) -> None:
    listed = json.loads(command("models", "--json").stdout)
    assert listed == [encoder.to_dict() for encoder in pretrained_encoders()]
    assert json.loads(command("models", "e-coli", "--json").stdout) in listed


def test_a_card_is_printed_as_it_is(command: Callable, encoder_folder: Path) -> None:
    ran = command("models", "e-coli")
    assert ran.code == 0
    (encoder,) = (one for one in pretrained_encoders() if one.name == "e-coli")
    assert ran.stdout == (encoder.folder / "card.md").read_text(encoding="utf-8")
    ran = command("models", encoder_folder)
    assert ran.stdout == (encoder_folder / "card.md").read_text(encoding="utf-8")


def test_a_name_that_is_none(command: Callable) -> None:
    ran = command("models", "yeast")
    assert ran.code == 2
    assert "yeast: no such model folder; encoders that come with this program are" in ran.stderr
    assert "Did you mean" not in ran.stderr
    assert ran.stdout == ""
    for near in ("ecoli", "E_coli"):
        assert "Did you mean e-coli?" in command("models", near).stderr


def test_help_teaches_by_example(command: Callable) -> None:
    ran = command("models", "--help")
    assert ran.code == 0
    assert "genomic-ulmfit train promoters.csv --encoder bacteria --out model" in ran.stdout
