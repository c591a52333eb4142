from __future__ import annotations

from genomic_ulmfit.reports.external import HEADER, markdown_table


def test_names_of_files_do_not_end_a_cell():
    estimate = {"value": 0.8, "low": 0.7, "high": 0.9}
    scores = dict.fromkeys(("auroc", "auroc_unshared", "mcc", "accuracy"), estimate)
    table = markdown_table(
        {
            "encoder": {"name": "my|own"},
            "datasets": [
                {
                    "name": "a|b",
                    "n_train": 1000,
                    "n_test": 300,
                    "test_sharing_15mer_with_train": 5,
                    "models": {"encoder": {**scores, "seconds": {"train": 3.0}}},
                    "gains": {"bases": scores},
                }
            ],
        }
    )
    lines = table.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert line.replace(r"\|", "").count("|") == len(HEADER) + 1
    assert r"| a\|b (1,000 + 300, 295 of them share none) | **`my\|own`, recipe" in lines[2]
