from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from genomic_ulmfit.reports.reproduction import report
from genomic_ulmfit.reports.reproduction.tables import markdown_table


def _strictly(text):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def messy_study(single_study):
    """Results with the numbers that JSON has not."""
    results = copy.deepcopy(single_study[0])
    results["rows"][0]["auroc"] = float("nan")
    results["rows"][1]["accuracy"] = np.float32(0.5)
    results["rows"][1]["n_test"] = np.int64(1200)
    results["comparisons"][0].update(low=float("-inf"), high=np.float64("nan"))
    results["curves"][0]["points"][0]["valid_loss"] = float("nan")
    results["language_models"][0]["curve"][0]["train_loss"] = float("inf")
    return results, single_study[1]


@pytest.fixture(scope="module")
def written(messy_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "not" / "there yet"
    page = report.write_report(*messy_study, folder)
    assert page == folder / "report.html"
    return folder


def test_every_file_is_there_and_nothing_else(written):
    names = ["calibration", "language_model_e_coli", "precision_recall", "roc", "summary"]
    names = sorted([*names, "training_curves"])
    files = sorted(str(p.relative_to(written)) for p in written.rglob("*") if p.is_file())
    pictures = [f"figures/{name}.{suffix}" for name in names for suffix in ("png", "svg")]
    assert files == sorted([*pictures, "report.html", "results.json", "table.md"])
    assert all((written / name).stat().st_size > 500 for name in files)


def test_json_is_strict_and_keeps_every_key(written, messy_study):
    found = _strictly((written / "results.json").read_text())
    assert set(found) == set(messy_study[0])
    assert found["rows"][0]["auroc"] is None
    assert found["rows"][1]["accuracy"] == 0.5
    assert found["comparisons"][0]["low"] is found["comparisons"][0]["high"] is None


def test_the_report_can_be_made_again_from_the_json(written, messy_study, tmp_path):
    loaded = _strictly((written / "results.json").read_text())
    assert markdown_table(loaded) == (written / "table.md").read_text()
    report.write_report(loaded, messy_study[1], tmp_path)
    assert (tmp_path / "report.html").read_bytes() == (written / "report.html").read_bytes()


def test_the_given_results_are_not_changed(single_study, tmp_path):
    results = copy.deepcopy(single_study[0]) | {"curves": [], "language_models": []}
    before = copy.deepcopy(results)
    report.write_report(results, {}, tmp_path)
    assert results == before


def test_a_failure_leaves_the_old_page_whole(single_study, tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("the old page")

    def fail(*_):
        raise RuntimeError("no page")

    monkeypatch.setattr(report, "render_html", fail)
    results = copy.deepcopy(single_study[0]) | {"curves": [], "language_models": []}
    with pytest.raises(RuntimeError, match="no page"):
        report.write_report(results, {}, tmp_path)
    assert (tmp_path / "report.html").read_text() == "the old page"
    assert not list(tmp_path.rglob(".*"))
