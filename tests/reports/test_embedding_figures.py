"""Pictures of embeddings: near vectors near each other, colours that say what they mean."""

from __future__ import annotations

import itertools
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.reports import embedding_figures as module
from genomic_ulmfit.reports.embedding_figures import (
    Projection,
    draw_embeddings,
    draw_kmers,
    project,
    write_picture,
)
from genomic_ulmfit.reports.picture import Picture


@pytest.fixture(autouse=True)
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)


def clouds(n: int = 40, width: int = 60) -> np.ndarray:
    """Two clouds, the first half of the rows in one."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, width)) + 20 * (np.arange(n) < n // 2)[:, None]


def apart(points: np.ndarray) -> bool:
    half = len(points) // 2
    middles = points[:half].mean(0), points[half:].mean(0)
    nearest = [np.argmin([np.linalg.norm(point - m) for m in middles]) for point in points]
    return nearest == [0] * half + [1] * (len(points) - half)


def test_what_is_near_stays_near() -> None:
    projection = project(clouds())
    assert projection.points.shape == (40, 2)
    assert apart(projection.points)
    assert projection.method == "t-SNE, perplexity 13, seed 0"
    np.testing.assert_array_equal(projection.points, project(clouds()).points)


def test_many_vectors_are_reduced_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PCA_FROM", 40)
    projection = project(clouds(), seed=3)
    assert projection.method == "40 principal components, then t-SNE, perplexity 13, seed 3"
    assert apart(projection.points)


def test_umap_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class UMAP:
        def __init__(self, **options: Any) -> None:
            asked.update(options)

        def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
            return vectors[:, :2].astype(np.float32)

    stand_in = types.ModuleType("umap")
    stand_in.UMAP = UMAP  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", stand_in)
    projection = project(clouds(10), seed=5)
    assert projection.method == "UMAP, 9 neighbours, seed 5"
    assert (asked["n_neighbors"], asked["random_state"]) == (9, 5)
    np.testing.assert_allclose(projection.points, clouds(10)[:, :2], rtol=1e-6)


def test_the_real_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "umap")
    pytest.importorskip("umap")
    assert apart(project(clouds()).points)
    assert project(clouds(4)).points.shape == (4, 2)


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="3 sequences make no picture; at least 4"):
        project(clouds(3))
    with pytest.raises(InputError, match="all vectors are the same"):
        project(np.ones((10, 5)))
    assert np.isfinite(project(clouds(4)).points).all()


def layout(n: int) -> Projection:
    return Projection(np.random.default_rng(1).standard_normal((n, 2)), "dice")


def legend(picture: Picture) -> list[str]:
    (panel,) = picture.figure.axes
    shown = panel.get_legend()
    assert shown is not None
    return [text.get_text() for text in shown.get_texts()]


def test_classes_have_a_colour_and_a_mark_each() -> None:
    labels = [*("coding" for _ in range(30)), *("promoter $1" for _ in range(10))]
    picture = draw_embeddings(layout(40), "of x", gc=np.zeros(40), labels=labels)
    assert legend(picture) == ["coding", r"promoter \$1"]
    (panel,) = picture.figure.axes
    coding, promoter = panel.get_legend().legend_handles  # type: ignore[union-attr]
    assert coding.get_color() != promoter.get_color()  # type: ignore[union-attr]
    assert coding.get_marker() != promoter.get_marker()  # type: ignore[union-attr]
    drawn = {
        to_hex(collection.get_facecolors()[0]): len(collection.get_offsets())  # type: ignore[attr-defined]
        for collection in panel.collections
    }
    assert drawn == {
        coding.get_color().lower(): 30,  # type: ignore[union-attr]
        promoter.get_color().lower(): 10,  # type: ignore[union-attr]
    }
    assert "40 sequences; labels: coding (30), promoter $1 (10). Layout: dice" in picture.caption
    assert picture.png.startswith(b"\x89PNG")


def test_rare_labels_share_a_colour() -> None:
    labels = [f"family {i % 20}" for i in range(100)] + ["family 3"] * 5
    picture = draw_embeddings(layout(105), "of x", gc=np.zeros(105), labels=labels)
    names = legend(picture)
    assert len(names) == 8
    assert "family 3" in names
    assert names[-1] == "13 other labels"


def test_measures_get_a_scale() -> None:
    labels = [str(i / 7) for i in range(50)]
    picture = draw_embeddings(layout(50), "of x", gc=np.zeros(50), labels=labels, n_sequences=900)
    _, bar = picture.figure.axes
    assert bar.get_xlabel() == "label"
    assert "50 of 900 sequences, drawn at random" in picture.caption
    # Two numbers are two classes.
    few = draw_embeddings(layout(50), "of x", gc=np.zeros(50), labels=["0", "1"] * 25)
    assert legend(few) == ["0", "1"]


@pytest.mark.parametrize("gc", [np.linspace(0.2, 0.8, 30), np.full(30, 0.5), np.full(30, np.nan)])
def test_without_labels_gc_content_is_drawn(gc: np.ndarray) -> None:
    gc = gc.copy()
    gc[:3] = np.nan
    picture = draw_embeddings(layout(30), "of x", gc=gc)
    _, bar = picture.figure.axes
    assert bar.get_xlabel() == "GC content (%)"
    assert picture.png


def test_kmers_are_coloured_by_composition() -> None:
    kmers = ["".join(letters) for letters in itertools.product("ACGT", repeat=3)]
    points = np.arange(2 * len(kmers), dtype=float).reshape(-1, 2)
    picture = draw_kmers(Projection(points, "dice"), kmers, "of x", 2)
    panels = picture.figure.axes[:2]
    for panel, letters in zip(panels, ("GC", "AG"), strict=True):
        (drawn,) = (one for one in panel.collections if len(one.get_offsets()))
        at = {tuple(point): kmer for point, kmer in zip(points.tolist(), kmers, strict=True)}
        for point, value in zip(drawn.get_offsets().tolist(), drawn.get_array(), strict=True):  # type: ignore[attr-defined]
            assert value == sum(base in letters for base in at[tuple(point)])
        marks = {text.get_text(): text.get_position() for text in panel.texts}
        assert len(marks) == 16
        ending = [i for i, kmer in enumerate(kmers) if kmer.endswith("GT")]
        assert marks["GT"] == tuple(np.median(points[ending], axis=0))
    assert not draw_kmers(Projection(points, "dice"), kmers, "of x", 3).figure.axes[0].texts


def test_files(tmp_path: Path) -> None:
    picture = draw_embeddings(layout(30), "of x", gc=np.linspace(0, 1, 30))
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        write_picture(picture, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(InputError, match=r"a\.pdf ends in \.pdf; allowed are \.png and \.svg"):
        write_picture(picture, tmp_path / "a.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]
