from __future__ import annotations

import base64
import copy
import re
from html.parser import HTMLParser

import pytest

from genomic_ulmfit.reports.reproduction.figures import draw_all, language_model_curve, summary_bars
from genomic_ulmfit.reports.reproduction.html import render_html


class _Page(HTMLParser):
    """Every tag with its attributes, and the text inside each kind of tag."""

    VOID = ("meta", "img", "link", "br", "hr", "input")

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.texts = {}
        self.open = []
        self.feed(text)
        assert self.open == [], "unclosed tags"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closes something else"

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(study):
    return render_html(study[0], draw_all(*study))


@pytest.fixture(scope="module")
def page(html):
    return _Page(html)


@pytest.fixture(scope="module")
def simulated_page(simulated_study):
    return _Page(render_html(simulated_study[0], draw_all(*simulated_study)))


def test_nothing_is_loaded_from_elsewhere(html, page):
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {t for t, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster", "background"):
            assert attributes.get(name, "#").startswith(("data:image/", "#"))
        assert not any(name.startswith("on") for name in attributes)
    style = "".join(page.texts["style"])
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in re.sub(r"http-equiv", "", re.sub(r'"data:[^"]*"', "", html))


def test_embedded_pictures_load_nothing_either(page):
    pictures = [image["src"] for image in page.all("img")]
    assert len(pictures) == 6
    for source in pictures:
        prefix = "data:image/svg+xml;base64,"
        assert source.startswith(prefix)
        svg = base64.b64decode(source[len(prefix) :]).decode()
        assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', svg))
        assert "<script" not in svg
        assert "<image" not in svg


def test_text_from_the_results_is_escaped(study):
    results = copy.deepcopy(study[0])
    attack = "<script>alert(1)</script>\"'&"
    results["genome"].update(name=attack, source=attack)
    results["title"] = results["command"] = results["machine"]["cpu"] = attack
    results["notes"] = [attack]
    results["summary"][0]["model"] = attack
    results["comparisons"][0].update(b=attack, method=attack)
    text = render_html(results, [summary_bars(results), language_model_curve(results)])
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    parsed = _Page(text)
    assert parsed.texts["h1"] == [attack]
    assert parsed.texts["code"][0] == attack


def test_the_page_can_be_read_by_everyone(page):
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert page.texts["title"] == page.texts["h1"]
    assert all(len(image["alt"]) > 40 for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table")) == 5
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert len([cell for cell in page.all("th") if cell["scope"] == "row"]) == sum(
        1 for _ in page.all("tr")
    ) - len(page.all("table"))
    for region in page.all("div"):
        assert region["tabindex"] == "0"
        assert region["aria-label"]
    style = page.texts["style"][0]
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"] for link in page.all("a")} <= {f"#{name}" for name in ids}
    labelled = {attributes["aria-labelledby"] for attributes in page.all("section")}
    assert labelled <= set(ids)


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_from_its_ground_in_both_schemes(page):
    schemes = re.findall(r":root \{(.*?)\}", page.texts["style"][0], re.DOTALL)[:2]
    for scheme in schemes:
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        for ink, ground in (
            ("ink", "paper"),
            ("ink", "band"),
            ("quiet", "paper"),
            ("quiet", "band"),
            ("accent", "paper"),
            ("alarm", "alarm-paper"),
        ):
            light, dark = sorted((_luminance(colour[ink]), _luminance(colour[ground])))[::-1]
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)  # WCAG 2.1, AA


def test_simulated_is_said_at_every_table_and_figure(page, simulated_page):
    for tag, count in (("h1", 1), ("caption", 5), ("figcaption", 6)):
        assert len(simulated_page.texts[tag]) == count
        assert all("SIMULATED GENOME" in text for text in simulated_page.texts[tag])
    assert all("SIMULATED GENOME" in image["alt"] for image in simulated_page.all("img"))
    assert "SIMULATED" not in page.texts["body"][0]


def test_every_section_is_there(page):
    assert page.texts["h2"] == [
        "What was asked",
        "The answer",
        "Tables",
        "Figures",
        "Language models",
        "Leakage",
        "How to reproduce",
        "Limits",
    ]


def test_the_page_tells_how_to_make_it_again(study, page):
    body = page.texts["body"][0]
    for fact in (study[0]["command"], study[0]["genome"]["sha256"], study[0]["notes"][0]):
        assert fact in body


def test_language_models_are_told_and_real_ones_are_excepted(make_study, page, simulated_page):
    body = page.texts["body"][0]
    assert "one trained in this study (sha256 " + "e" * 64 in body
    note = "about it, and none about real bacteria."
    assert note in simulated_page.texts["p"][1]
    results, _ = make_study(seeds=(0,), ensemble=True, name="SIM_0", simulated=True)
    pictures = [language_model_curve(results, row) for row in ("e_coli", "ensemble")]
    mixed = _Page(render_html(results, pictures))
    assert "except the scores of language models that have read real genomes" in " ".join(
        mixed.texts["p"]
    )
    assert "bacteria, which comes with this program (sha256 " in mixed.texts["body"][0]
    assert len(mixed.all("img")) == 2


def test_a_bare_study_has_a_page(study):
    results = copy.deepcopy(study[0])
    results.update(language_models=[], comparisons=[], curves=[], leakage={}, notes=[])
    bare = _Page(render_html(results, []))
    assert bare.all("img") == []
    assert bare.texts["h2"] == [
        "What was asked",
        "The answer",
        "Tables",
        "How to reproduce",
        "Limits",
    ]
    links = {link["href"][1:] for link in bare.all("a")}
    assert links == {"answer", "question", "tables", "reproduce", "limits"}
