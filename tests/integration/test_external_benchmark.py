"""The external and the cross-species benchmark, on tables of simulated species."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genomic_ulmfit.data.promoters import promoter_table
from genomic_ulmfit.data.splits import split_strict
from genomic_ulmfit.dna.simulate import simulate_genome
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.evaluation.metrics import weighted_scores
from genomic_ulmfit.studies.cross_species import cross_species
from genomic_ulmfit.studies.external import external, read_datasets

MODELS = ["encoder", "bases", "onehot_lr", "kmer_lr", "cnn"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two species, and one whose windows have another length."""
    folder = tmp_path_factory.mktemp("species")
    for name, seed, downstream in (("first", 0, 50), ("second", 1, 50), ("third", 2, 40)):
        windows = promoter_table(simulate_genome(n_genes=32, seed=seed), 100, downstream)
        table = split_strict(windows, test_share=0.3, valid_share=0.05)
        table[["id", "sequence", "label", "split"]].to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
    tables: Path,
    encoder_folder: Path,
    benchmark: Callable[..., Any],
) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("external") / "out"
    done = benchmark("external.py", tables, "--out", out, "--encoder", encoder_folder)
    assert done.code == 0, done.stderr
    return out, done.stdout


def test_every_model_on_every_species(finished: tuple[Path, str], tables: Path) -> None:
    out, shown = finished
    results = json.loads((out / "external.json").read_text())
    assert [one["name"] for one in results["datasets"]] == ["first", "second", "third"]
    for one in results["datasets"]:
        assert list(one["models"]) == MODELS
        assert one["name"] in shown
        assert one["test_sharing_15mer_with_train"] == 0
        table = pd.read_csv(tables / f"{one['name']}.csv")
        labels = table.loc[table["split"] == "test", "label"].to_numpy()
        for model, scores in one["models"].items():
            cell = json.loads((out / "cells" / one["name"] / f"{model}.json").read_text())
            expected = weighted_scores(
                labels, pd.DataFrame(cell["probabilities"][one["name"]]).to_numpy(), _once(labels)
            )
            for metric in ("auroc", "mcc", "accuracy"):
                assert scores[metric]["value"] == pytest.approx(expected[metric][0])
            # None of these rows shares a word with train.
            assert scores["auroc_unshared"] == scores["auroc"]
        best = max(MODELS[2:], key=lambda model: one["models"][model]["auroc"]["value"])
        assert one["best_baseline"] == best
        assert set(one["gains"]) == {best, "bases"}
        for other, gains in one["gains"].items():
            for metric, gain in gains.items():
                assert gain["low"] <= gain["value"] <= gain["high"]
                ours, theirs = (one["models"][m][metric]["value"] for m in ("encoder", other))
                assert gain["value"] == pytest.approx(ours - theirs)
        assert f"over bases auroc {one['gains']['bases']['auroc']['value']:+.3f} [" in shown
        assert f"0 of {one['n_test']} test rows share a 15-mer" in shown


def _once(labels: Any) -> Any:
    return pd.DataFrame([[1.0] * len(labels)]).to_numpy()


def test_cross_species_goes_on_from_the_same_cells(
    finished: tuple[Path, str],
    tables: Path,
    encoder_folder: Path,
    benchmark: Callable[..., Any],
) -> None:
    out, _ = finished
    cells = {path: path.stat().st_mtime_ns for path in (out / "cells").rglob("*.json")}
    done = benchmark("cross_species.py", tables, "--out", out, "--encoder", encoder_folder)
    assert done.code == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in (out / "cells").rglob("*.json")} == cells
    results = json.loads((out / "cross_species_encoder.json").read_text())
    alone = json.loads((out / "external.json").read_text())
    assert results["names"] == ["first", "second", "third"]
    for place, one in enumerate(alone["datasets"]):
        value = one["models"]["encoder"]["auroc"]["value"]
        assert results["auroc"][place][place] == pytest.approx(value)
    # Another length cannot be predicted.
    assert results["auroc"][0][2] is None
    assert results["auroc"][2][:2] == [None, None]
    assert isinstance(results["auroc"][0][1], float)
    assert (out / "figures" / "cross_species_encoder.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "figures" / "cross_species_encoder.svg").exists()


def test_a_model_of_one_length_leaves_tables_of_several_empty(
    tables: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(tables / "third.csv")
    table.loc[::2, "sequence"] = table.loc[::2, "sequence"].str[:100]
    table.to_csv(tmp_path / "several.csv", index=False)
    said: list[str] = []
    found = cross_species(
        tmp_path, tmp_path / "out", encoder=encoder_folder, model="bases", say=said.append
    )
    assert found["auroc"] == [[None]]
    assert said == ["several: bases takes sequences of one length; its row stays empty."]


def test_the_markdown_table(finished: tuple[Path, str]) -> None:
    out, _ = finished
    first, _, *rows = (out / "external.md").read_text().splitlines()
    cells = [row.strip("|").split("|") for row in rows]
    assert {len(row) for row in cells} == {len(first.strip("|").split("|"))}
    assert len(rows) == 3 * (len(MODELS) + 2)
    (one, *_) = json.loads((out / "external.json").read_text())["datasets"]
    assert cells[0][0].startswith(f" first ({one['n_train']:,} + {one['n_test']:,}, ")
    assert cells[0][2].startswith(f" {one['models']['encoder']['auroc']['value']:.3f} ")
    gain = one["gains"]["bases"]["mcc"]["value"]
    assert cells[len(MODELS) + 1][4].startswith(f" {gain:+.3f} ".replace("-", "−"))


def test_more_tables_add_to_what_is_there_and_a_changed_one_is_done_again(
    finished: tuple[Path, str], tables: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    def times(of: str) -> dict[str, int]:
        cells = sorted((tmp_path / "out" / "cells" / of).iterdir())
        return {path.stem: path.stat().st_mtime_ns for path in cells}

    shutil.copytree(finished[0], tmp_path / "out")
    shutil.copytree(tables, tmp_path / "tables")
    before = times("first"), times("second")
    changed = pd.read_csv(tables / "second.csv").iloc[1:]
    changed.to_csv(tmp_path / "tables" / "second.csv", index=False)
    changed.to_csv(tmp_path / "tables" / "fourth.csv", index=False)
    # One done again is enough to see.
    (tmp_path / "tables" / "third.csv").unlink()
    external(tmp_path / "tables", tmp_path / "out", encoder=encoder_folder, progress=False)
    assert times("first") == before[0]
    assert sorted(times("fourth")) == sorted(MODELS)
    assert all(time > before[1][model] for model, time in times("second").items())
    # Tested on others, a model has to see the changed table, too.
    matrix = cross_species(
        tmp_path / "tables", tmp_path / "out", encoder=encoder_folder, model="onehot_lr"
    )
    after = times("first")
    assert after["onehot_lr"] > before[0]["onehot_lr"]
    assert after["encoder"] == before[0]["encoder"]
    # Both are the same rows.
    assert matrix["names"] == ["first", "fourth", "second"]
    assert matrix["auroc"][0][1] == matrix["auroc"][0][2]


def test_a_table_that_no_longer_fits_is_not_scored(
    tables: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    def matrix() -> Any:
        out = tmp_path / "out"
        study = cross_species(tmp_path, out, encoder=encoder_folder, model="onehot_lr")
        return study["auroc"]

    for name in ("first", "second"):
        shutil.copy(tables / f"{name}.csv", tmp_path)
    assert None not in matrix()[0]
    shutil.copy(tables / "third.csv", tmp_path / "second.csv")
    assert matrix()[0][1] is None


def test_another_study_in_the_same_folder_is_refused(
    finished: tuple[Path, str], tables: Path, encoder_folder: Path
) -> None:
    out, _ = finished
    with pytest.raises(InputError, match="another seed"):
        external(tables, out, encoder=encoder_folder, seed=1)


def test_tables_of_several_lengths_and_of_names_alike(
    tables: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "species"
    folder.mkdir()
    table = pd.read_csv(tables / "first.csv")
    table.to_csv(folder / "B.subtilis.csv", index=False)
    table["sequence"] = [s[i % 2 :] for i, s in enumerate(table["sequence"])]
    table.to_csv(folder / "B.cereus.csv", index=False)
    assert [one.name for one in read_datasets(folder, min_length=5)] == ["B.cereus", "B.subtilis"]
    cereus, subtilis = (one.models for one in read_datasets(folder, min_length=5))
    assert subtilis == MODELS
    assert cereus == ["encoder", "kmer_lr", "cnn"]
    (folder / "B.cereus.csv").rename(folder / "B.subtilis.csv.gz")
    with pytest.raises(InputError, match=r"two tables called B\.subtilis"):
        read_datasets(folder, min_length=5)


def test_unusable_folders(
    tmp_path: Path, encoder_folder: Path, benchmark: Callable[..., Any]
) -> None:
    code, _, said = benchmark("external.py", tmp_path / "absent", "--encoder", encoder_folder)
    assert code == 2
    assert "no such folder" in said
    code, _, said = benchmark("external.py", tmp_path, "--seed", "-1")
    assert code == 2
    assert "--seed: got '-1', allowed is 0 to" in said
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--out: .*file is not a folder"):
        external(tmp_path, tmp_path / "file", encoder=encoder_folder)
    with pytest.raises(InputError, match="holds no CSV"):
        read_datasets(tmp_path, min_length=5)
    rows = "".join(f"s{i},ACGTACGTAC,{i % 2}\n" for i in range(10))
    (tmp_path / "a.csv").write_text("id,sequence,label\n" + rows)
    with pytest.raises(InputError, match="no split column"):
        read_datasets(tmp_path, min_length=5)
    lines = [f"s{i},ACGTACGTAC,{i % 2},train\n" for i in range(10)]
    (tmp_path / "a.csv").write_text("id,sequence,label,split\n" + "".join(lines))
    with pytest.raises(InputError, match="marked test"):
        read_datasets(tmp_path, min_length=5)
    lines += [f"t{i},ACGTACGTAC,1,test\n" for i in range(3)]
    (tmp_path / "a.csv").write_text("id,sequence,label,split\n" + "".join(lines))
    with pytest.raises(InputError, match="all rows marked test are of class"):
        read_datasets(tmp_path, min_length=5)


def test_rows_that_share_words_with_train(tables: Path, tmp_path: Path) -> None:
    table = pd.read_csv(tables / "first.csv")
    place = {split: table.index[table["split"] == split] for split in ("train", "test")}
    # One test row holds fifteen bases of a training row, another their reverse complement.
    word = table["sequence"][place["train"][3]][20:35]
    turned = word[::-1].translate(str.maketrans("ACGT", "TGCA"))
    for row, inside in ((2, word), (5, turned)):
        old = table.loc[place["test"][row], "sequence"]
        table.loc[place["test"][row], "sequence"] = old[:40] + inside + old[55:]
    table.to_csv(tmp_path / "first.csv", index=False)
    (dataset,) = read_datasets(tmp_path, min_length=5)
    assert dataset.shared.nonzero()[0].tolist() == [2, 5]
