from __future__ import annotations

import copy
import io
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.image import imread
from matplotlib.text import Text

from genomic_ulmfit.reports.reproduction import figures, threshold_figures

NAMES = ["summary", "roc", "precision_recall", "calibration", "training_curves"]
NAMES = [*NAMES, "language_model_e_coli"]


@pytest.fixture(scope="module")
def pictures(study):
    return {picture.name: picture for picture in figures.draw_all(*study)}


@pytest.fixture(scope="module")
def simulated_pictures(simulated_study):
    return {picture.name: picture for picture in figures.draw_all(*simulated_study)}


@pytest.fixture(scope="module")
def single_pictures(single_study):
    results, predictions = single_study
    drawn = (
        figures.summary_bars(results),
        figures.roc(results, predictions),
        figures.precision_recall(results, predictions),
    )
    return {picture.name: picture for picture in drawn}


def _texts(picture):
    # Lines are broken to fit the width; what is asked for may be on either side of a break.
    return [" ".join(text.get_text().split()) for text in picture.figure.findobj(Text)]


@pytest.fixture(scope="module")
def saved(simulated_pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    for picture in simulated_pictures.values():
        picture.save(folder)
    return folder


def test_every_picture_is_drawn(pictures):
    assert list(pictures) == NAMES


def test_what_has_no_data_is_not_drawn(study):
    results = copy.deepcopy(study[0]) | {"curves": [], "language_models": []}
    assert [picture.name for picture in figures.draw_all(results, {})] == ["summary"]


@pytest.mark.parametrize("name", NAMES)
def test_files_are_valid(saved, name):
    png = imread(saved / f"{name}.png")
    assert min(png.shape[:2]) > 400
    assert png.std() > 0.02
    root = ElementTree.parse(saved / f"{name}.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 20
    assert sorted(path.suffix for path in saved.glob(f"*{name}*")) == [".png", ".svg"]


@pytest.mark.parametrize("name", NAMES)
def test_simulated_is_in_the_title_caption_and_alternative_text(pictures, simulated_pictures, name):
    picture = simulated_pictures[name]
    for words in (picture.title, picture.caption, picture.alt):
        assert words.startswith("SIMULATED GENOME")
    drawn = [text for text in _texts(picture) if text.startswith("SIMULATED GENOME")]
    assert picture.title in drawn
    assert any(text.startswith(picture.caption) for text in drawn)
    real = pictures[name]
    assert not any("SIMULATED" in text for text in [*_texts(real), real.title, real.alt])


@pytest.mark.parametrize("name", NAMES)
def test_the_genome_is_named_and_the_title_drawn(pictures, name):
    texts = _texts(pictures[name])
    assert pictures[name].title in texts
    assert any(text.endswith("Genome: NC_000913.3.") for text in texts)


@pytest.mark.parametrize("name", ["summary", "roc", "precision_recall", "calibration"])
def test_n_and_seeds_are_on_the_picture(pictures, name):
    texts = " ".join(_texts(pictures[name]))
    assert "1,200" in texts
    assert "830" in texts
    assert "0, 1, 2" in texts


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_its_axes_measure(pictures, name):
    axes = pictures[name].figure.axes
    assert any(panel.get_xlabel() for panel in axes)
    if name != "summary":  # its vertical axis names the models
        assert any(panel.get_ylabel() for panel in axes)


def _bands(picture):
    return [
        artist for artist in picture.figure.findobj(FillBetweenPolyCollection) if artist.get_paths()
    ]


@pytest.mark.parametrize("name", ["roc", "precision_recall"])
def test_bands_need_more_than_one_seed(pictures, single_pictures, name):
    assert len(_bands(pictures[name])) == 2 * 2 * 7  # panel and box, protocols, models
    assert _bands(single_pictures[name]) == []
    assert "no interval" in single_pictures[name].caption


def test_the_summary_shows_intervals_only_where_there_are_some(pictures, single_pictures):
    def bars(picture):
        return [line for line in picture.figure.findobj() if getattr(line, "_linewidth", 0) == 8]

    assert len(bars(pictures["summary"])) == 14
    assert bars(single_pictures["summary"]) == []
    assert "95 % interval" in _texts(pictures["summary"])
    assert "95 % interval" not in _texts(single_pictures["summary"])


def test_published_accuracies_stand_beside_real_genomes_only(pictures, simulated_pictures):
    def published(picture):
        return sorted(
            float(line.get_xdata()[0])
            for panel in picture.figure.axes
            for line in panel.get_lines()
            if line.get_marker() == "D"
        )

    assert published(pictures["summary"]) == [0.834, 0.834, 0.919, 0.919]
    assert published(simulated_pictures["summary"]) == []


def test_the_ensemble_is_drawn_in_its_place(ensemble_study):
    results, _ = ensemble_study
    picture = figures.summary_bars(results)
    labels = [text.get_text() for text in picture.figure.axes[0].get_yticklabels()]
    assert [" ".join(label.split()) for label in labels][3:5] == [
        "genomic ensemble pretraining",
        "genomic ensemble pretraining, seed's head (pooling only)",
    ]
    marks = {
        (round(float(line.get_xdata()[0]), 3), int(line.get_ydata()[0]))
        for line in picture.figure.axes[0].get_lines()
        if line.get_marker() == "D"
    }
    assert marks == {(0.834, 0), (0.919, 2), (0.973, 4)}, "beside the rows with the seed's head"


def test_every_language_model_has_a_picture_of_its_own(ensemble_study, make_study):
    drawn = figures.draw_all(ensemble_study[0], {})
    own, ensemble = (picture for picture in drawn if picture.name.startswith("language_model"))
    assert own.title.startswith("Language model of NC_000913.3:")
    assert ensemble.title.startswith("Language model of 3 genomes:")
    assert "1.5 epochs" in ensemble.caption
    # A language model of real genomes stays real in a study of a simulated one.
    mixed, _ = make_study(seeds=(0,), ensemble=True, name="SIM_0", simulated=True)
    own, ensemble = (figures.language_model_curve(mixed, row) for row in ("e_coli", "ensemble"))
    assert own.title.startswith("SIMULATED GENOME: Language model of SIM_0")
    assert "SIMULATED" not in " ".join(_texts(ensemble))
    with pytest.raises(ValueError, match="no language model 'other'"):
        figures.language_model_curve(mixed, "other")


def test_the_language_model_curve_has_its_baselines_in_nats(pictures):
    (panel,) = pictures["language_model_e_coli"].figure.axes
    flat = sorted(
        line.get_ydata()[0] for line in panel.get_lines() if len(set(line.get_ydata())) == 1
    )
    expected = [bits * 2 * np.log(2) for bits in (1.915, 1.931, 1.958, 2.0)]
    assert flat == pytest.approx(expected)
    assert flat[-1] == pytest.approx(np.log(16))
    low, high = panel.get_ylim()
    assert low < 2.578 < np.log(16) < high


def test_stages_are_numbered_where_they_begin(pictures):
    picture = pictures["training_curves"]
    panels = picture.figure.axes
    marks = {
        line.get_xdata()[0]
        for line in panels[1].get_lines()
        if len(line.get_xdata()) == 2 and line.get_xdata()[0] == line.get_xdata()[1]
    }
    assert marks == {3.0, 6.0, 9.0}
    assert [text.get_text() for text in panels[1].texts] == ["1", "2", "3", "4"]
    assert [text.get_text() for text in panels[0].texts] == ["4"]  # all layers from the start
    assert "1 head, 2 last, 3 two, 4 all;" in picture.caption


def test_gaps_in_the_log_are_skipped(study):
    results = copy.deepcopy(study[0])
    for curve in results["curves"]:
        for place, point in enumerate(curve["points"]):
            if place % 2:
                point.update(valid_loss=None, valid_accuracy=None)
            else:
                point["train_loss"] = None
    picture = figures.training_curves(results)
    lines = [
        line
        for line in picture.figure.axes[0].get_lines()
        if len(line.get_xdata()) != 2  # stage marks
    ]
    assert lines
    assert all(np.isfinite(line.get_ydata()).all() and len(line.get_ydata()) == 6 for line in lines)


def test_drawing_twice_gives_the_same_bytes(study):
    first, second = (figures.summary_bars(study[0]) for _ in range(2))
    assert first.svg == second.svg
    assert first.png == second.png


@pytest.mark.parametrize("name", ["$x^{", "$x^{$", r"\frac{", "<script>", "é" * 300])
def test_any_genome_name_can_be_drawn(make_study, name):
    results, _ = make_study(seeds=(0,), name=name)
    picture = figures.language_model_curve(results)
    assert ElementTree.parse(io.BytesIO(picture.svg)) is not None


def test_a_genome_s_name_is_no_mathematics_in_any_picture(make_study):
    # Rows are named after it: in ticks, titles of panels and legends.
    results, predictions = make_study(seeds=(0,), name="$x^{$")
    for picture in figures.draw_all(results, predictions):
        picture.figure.draw_without_rendering()
        assert any(r"\$x^{\$" in text for text in _texts(picture))


def test_a_model_nobody_knows_is_drawn(study):
    results, predictions = copy.deepcopy(study[0]), dict(study[1])
    for record in [*results["rows"], *results["summary"]]:
        if record["model"] == "cnn":
            record["model"] = "new_model"
    for protocol in ("strict", "seed"):
        predictions["new_model", protocol] = predictions.pop(("cnn", protocol))
    assert "new_model" in _texts(figures.roc(results, predictions))
    assert "new_model" in _texts(figures.summary_bars(results))


def _slow_point(labels, scores, threshold):
    called = scores >= threshold
    return (
        (called & (labels == 1)).sum() / (labels == 1).sum(),
        (called & (labels == 0)).sum() / (labels == 0).sum(),
        (labels[called] == 1).mean() if called.any() else 1.0,
    )


@pytest.mark.parametrize("seed", range(4))
def test_curves_match_counting_at_every_threshold(seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(60) % 2)
    # Rounding makes ties, which a curve must take in one step.
    scores = np.round(np.clip(0.3 * labels + rng.random(60), 0, 1.2) / 1.2, 1)
    points = [_slow_point(labels, scores, t) for t in [np.inf, *np.unique(scores)[::-1]]]

    heights = threshold_figures._true_positive_rates(labels, scores)
    for rate, height in zip(threshold_figures._ROC.grid, heights, strict=True):
        exact = [recall for recall, false, _ in points if false == rate]
        if exact:
            assert height == pytest.approx(max(exact))
            continue
        below = max((false, recall) for recall, false, _ in points if false < rate)
        above = min((false, recall) for recall, false, _ in points if false > rate)
        share = (rate - below[0]) / (above[0] - below[0])
        assert height == pytest.approx(below[1] + share * (above[1] - below[1]))

    precisions = threshold_figures._precisions(labels, scores)
    for wanted, precision in zip(threshold_figures._PRECISION_RECALL.grid, precisions, strict=True):
        reaching = [point for point in points if point[0] >= wanted - 1e-12]
        assert precision == pytest.approx(reaching[0][2])


def test_calibration_matches_counting(study, pictures):
    runs = study[1]["naive", "strict"]
    pairs = [(p, label) for labels, values in runs for label, p in zip(labels, values, strict=True)]
    expected = []
    for i in range(10):
        inside = [(p, y) for p, y in pairs if i / 10 <= p < (i + 1) / 10 or (i == 9 and p == 1)]
        if len(inside) >= 10:
            p, y = np.mean(inside, axis=0)
            expected.append((p, y, 8 + 120 * len(inside) / len(pairs)))
    panel = pictures["calibration"].figure.axes[0]
    assert panel.get_title(loc="left") == "naive (no pretraining)"
    _, strict, _ = panel.get_lines()
    drawn = np.column_stack([*strict.get_data(), panel.collections[0].get_sizes()])
    assert drawn == pytest.approx(np.array(expected))


def test_the_global_state_of_matplotlib_is_not_touched(study):
    settings = dict(matplotlib.rcParams)
    assert figures.language_model_curve(study[0]).png
    assert pyplot.get_fignums() == []
    assert dict(matplotlib.rcParams) == settings
