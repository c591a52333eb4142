from __future__ import annotations

import copy
import io
import re

import pytest
from rich.console import Console

from genomic_ulmfit.reports.reproduction.tables import (
    all_tables,
    comparison_table,
    language_model_table,
    markdown_table,
    print_results,
    result_table,
)


def _markdown_tables(text):
    """Split Markdown into tables, each a list of rows of cells, and the line before each."""
    tables, caption = [], ""
    for block in text.split("\n\n"):
        if block.startswith("|"):
            lines = block.splitlines()
            cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
            tables.append((caption, cells))
        caption = block
    return tables


def _printed(results, width=80):
    buffer = io.StringIO()
    print_results(results, Console(file=buffer, width=width, force_terminal=False))
    return buffer.getvalue()


def test_rows_stand_in_the_seeds_order_then_baselines_then_published(study):
    labels = [row.cells[0].text for row in result_table(study[0], "strict").rows]
    assert labels == [
        "naive (no pretraining)",
        "E. coli genome pretraining",
        "E. coli genome pretraining, seed's head (pooling only)",
        "the recipe without an encoder (bases alone)",
        "one-hot logistic regression",
        "k-mer-count logistic regression",
        "small CNN",
        "naive (seed, one run, its own split)",
        "E. coli genome pretraining (seed, one run, its own split)",
        "genomic ensemble pretraining (seed, one run, its own split)",
    ]


def test_cells_hold_mean_interval_n_and_seeds_of_the_summary(study):
    results, _ = study
    summary = next(
        s for s in results["summary"] if s["model"] == "e_coli" and s["protocol"] == "seed"
    )
    row = result_table(results, "seed").rows[1]
    accuracy = summary["accuracy"]
    assert row.cells[1].text == f"{accuracy['mean']:.3f}"
    assert row.cells[1].detail == f"[{accuracy['low']:.3f}, {accuracy['high']:.3f}]"
    assert [cell.text for cell in row.cells[-3:]] == ["830", "3", "7 min"]


def test_published_numbers_are_those_of_the_seed(study):
    published = [row for row in result_table(study[0], "strict").rows if row.published]
    values = [[cell.text for cell in row.cells[1:6]] for row in published]
    assert values == [
        ["0.834", "0.847", "0.816", "–", "0.670"],
        ["0.919", "0.941", "0.893", "–", "0.839"],
        ["0.973", "0.980", "0.966", "–", "0.947"],
    ]


def test_one_seed_shows_no_interval(single_study):
    for protocol in ("strict", "seed"):
        for row in result_table(single_study[0], protocol).rows:
            assert all(cell.detail == "" for cell in row.cells)


def test_an_unknown_model_keeps_its_name_and_comes_last(study):
    results = copy.deepcopy(study[0])
    results["summary"][0]["model"] = "my_model|2"
    rows = [row for row in result_table(results, "strict").rows if not row.published]
    assert rows[-1].cells[0].text == "my_model|2"
    assert r"my_model\|2" in markdown_table(results)


def test_markdown_tables_have_the_same_number_of_cells_in_every_row(study):
    tables = _markdown_tables(markdown_table(study[0]))
    assert len(tables) == 5
    for _, rows in tables:
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(re.fullmatch(r"-{3}:?", cell) for cell in rows[1])


def test_markdown_tells_leakage_command_notes_and_machine(study):
    text = markdown_table(study[0])
    assert "0 of 1,200 test sequences (0.0 %) share a 15-mer" in text
    assert "83 of 830 test sequences (10.0 %) share a 15-mer" in text
    assert study[0]["command"] in text
    assert study[0]["notes"][0] in text
    assert "PyTorch 2.8.0, bf16, preset small, seeds 0, 1, 2" in text


def test_simulated_is_said_at_every_table_and_never_otherwise(study, simulated_study):
    tables = _markdown_tables(markdown_table(simulated_study[0]))
    assert len(tables) == 5
    assert all("SIMULATED GENOME" in caption for caption, _ in tables)
    assert markdown_table(simulated_study[0]).startswith("# SIMULATED GENOME")
    assert "SIMULATED" not in markdown_table(study[0])
    printed = _printed(simulated_study[0])
    assert printed.count("SIMULATED GENOME") == len(all_tables(simulated_study[0])) + 1
    assert "SIMULATED" not in _printed(study[0])


def test_a_simulated_genome_is_not_called_e_coli(simulated_study):
    for table in all_tables(simulated_study[0]):
        for row in table.rows:
            if row.published:
                assert "real genome" in row.cells[0].text
            else:
                assert "E. coli" not in row.cells[0].text


@pytest.mark.parametrize(
    ("genome", "expected"),
    [
        ({"name": "SIM_0", "simulated": True}, "simulated genome pretraining"),
        ({"name": "NC_000913.3"}, "E. coli genome pretraining"),
        ({"name": "my_genome"}, "my_genome genome pretraining"),
    ],
)
def test_pretraining_is_named_after_the_genome_that_was_read(make_study, genome, expected):
    results, _ = make_study(seeds=(0,), **genome)
    assert result_table(results, "strict").rows[1].cells[0].text == expected


def test_comparisons_have_one_row_per_pair_and_one_column_per_method(study):
    table = comparison_table(study[0], "strict")
    assert len(table.rows) == 3 * 2  # rivals, metrics
    assert table.header[3:5] == (
        "95 % interval: test sequences, paired bootstrap",
        "95 % interval: seeds, paired t",
    )
    assert [cell.text for cell in table.rows[0].cells] == [
        "E. coli genome pretraining − naive (no pretraining)",
        "accuracy",
        "+0.051",
        "[+0.042, +0.060]",
        "[+0.038, +0.064]",
        "yes",
    ]
    assert len(comparison_table(study[0], "strict", ["accuracy"]).rows) == 3
    assert comparison_table(study[0], "another") is None


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(0.01, 0.02), (0.001, 0.03)], "yes"),
        ([(-0.02, -0.01), (-0.03, -0.001)], "yes"),
        ([(0.01, 0.02), (-0.01, 0.03)], "no"),
        ([(0.0, 0.02)], "no"),
        ([(0.01, 0.02), (None, None)], "yes"),
        ([(None, None)], "no interval"),
    ],
)
def test_comparisons_say_whether_every_interval_excludes_0(study, intervals, verdict):
    results = copy.deepcopy(study[0])
    results["comparisons"] = [
        results["comparisons"][0] | {"low": low, "high": high, "method": str(i)}
        for i, (low, high) in enumerate(intervals)
    ]
    (row,) = comparison_table(results, "strict").rows
    assert row.cells[-1].text == verdict


def test_language_model_stands_beside_markov_and_informed_random(study):
    rows = {row.cells[0].text: row for row in language_model_table(study[0]).rows}
    assert [cell.text for cell in rows["E. coli genome language model"].cells[1:6]] == [
        "1.860",
        "1.860",
        "2.578",
        "0.162",
        "13.17",
    ]
    orders = [name for name in rows if name.startswith("Markov")]
    assert orders == [f"Markov model, order {order}" for order in (2, 5, 11)]
    random = rows["informed random (every new base equally likely)"]
    assert [cell.text for cell in random.cells[1:4]] == ["2.000", "–", "2.773"]  # ln 16
    published = rows["E. coli language model (seed, one run, its own split)"]
    assert published.cells[3].text == "2.629"


def test_each_language_model_stands_beside_markov_models_of_its_own_text(ensemble_study):
    table = language_model_table(ensemble_study[0])
    rows = {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in table.rows}
    assert list(rows)[:6] == [
        "E. coli genome language model",
        *(f"Markov model, order {order}, E. coli genome" for order in (2, 5, 11)),
        "genomic ensemble language model",
        "Markov model, order 2, genomic ensemble",
    ]
    assert rows["genomic ensemble language model"][:3] == ["1.839", "1.800", "2.550"]
    assert rows["genomic ensemble language model"][5] == "1.5"
    assert "those of this study's genome are the same for all" in table.note
    assert table.caption == "language models on held-out sequence"


def test_the_ensemble_stands_between_e_coli_and_the_baselines(ensemble_study):
    labels = [row.cells[0].text for row in result_table(ensemble_study[0], "strict").rows]
    assert labels[2:7] == [
        "E. coli genome pretraining, seed's head (pooling only)",
        "genomic ensemble pretraining",
        "genomic ensemble pretraining, seed's head (pooling only)",
        "the recipe without an encoder (bases alone)",
        "one-hot logistic regression",
    ]
    first = comparison_table(ensemble_study[0], "strict").rows[0].cells[0].text
    assert first == "genomic ensemble pretraining − E. coli genome pretraining"


def test_a_quick_run_says_so_at_every_number_it_made(make_study):
    results, _ = make_study(seeds=(0,), ensemble=True, quick=True)
    for protocol in ("strict", "seed"):
        table = result_table(results, protocol)
        assert table.note.startswith("Quick run: ")
    assert "preset small, quick, seeds 0" in markdown_table(results)
    assert "Quick run" not in markdown_table(make_study(seeds=(0,), ensemble=True)[0])


def test_a_simulated_genome_under_an_encoder_of_real_ones(make_study):
    """The quick run where no genome can be had: E. coli's encoder on made-up windows."""
    results, _ = make_study(seeds=(0,), ensemble=True, quick=True, name="SIM_0", simulated=True)
    for facts in results["language_models"]:
        facts["has_read_genome"] = False
    results["language_models"][0]["genomes"] = results["language_models"][1]["genomes"][:1]
    labels = [row.cells[0].text for row in result_table(results, "strict").rows]
    assert labels[1] == "E. coli genome pretraining"
    captions = [table.caption for table in all_tables(results)]
    assert [caption.startswith("SIMULATED GENOME") for caption in captions] == [True] * 4 + [False]


def test_what_is_not_there_is_left_out(study):
    results = copy.deepcopy(study[0])
    results.update(language_models=[], comparisons=[], leakage={}, notes=[])
    assert len(all_tables(results)) == 2
    text = markdown_table(results)
    assert "Leakage" not in text
    assert "Notes" not in text


def test_undefined_values_are_dashes(study):
    results = copy.deepcopy(study[0])
    results["summary"][0]["auroc"] = {"mean": None, "low": None, "high": None}
    results["summary"][0]["mcc"] = {"mean": float("nan"), "low": float("nan"), "high": None}
    cells = result_table(results, "strict").rows[0].cells
    assert [(cell.text, cell.detail) for cell in cells[5:7]] == [("–", ""), ("–", "")]


def test_the_terminal_table_fits_80_columns_with_whole_intervals(study):
    printed = _printed(study[0])
    assert max(len(line) for line in printed.splitlines()) <= 80
    for summary in study[0]["summary"]:
        for metric in ("accuracy", "mcc", "auroc"):
            low, high = summary[metric]["low"], summary[metric]["high"]
            assert f"[{low:.3f}, {high:.3f}]" in printed


def test_markup_in_a_genome_name_stays_text(make_study):
    results, _ = make_study(seeds=(0,), name="[bold]x[/] <b>|y")
    assert "[bold]x[/]" in _printed(results, width=200)
    text = markdown_table(results)
    assert r"[bold]x[/] \<b>\|y" in text
    for _, rows in _markdown_tables(text):
        assert {len(row) for row in rows} == {len(rows[0])}
