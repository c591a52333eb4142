"""The page of `view` in a real browser: what it shows, and for whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genomic_ulmfit.dna.alphabet import decode
from genomic_ulmfit.reports.view import quantise, restore

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait


def text(page: Any, element: str) -> str:
    found: str = page.find_element(By.ID, element).get_attribute("textContent").strip()
    return found


def wait(page: Any, until: Callable[[], object]) -> None:
    WebDriverWait(page, 60).until(lambda _: until())


def focused(page: Any) -> str:
    found: str = page.execute_script("return document.activeElement.id")
    return found


def bases(page: Any) -> tuple[int, int]:
    """What is in view, counted from 1."""
    first, last = page.execute_script(
        "return /bases ([\\d,]+) to ([\\d,]+)/.exec(arguments[0]).slice(1)", text(page, "where")
    )
    return int(first.replace(",", "")), int(last.replace(",", ""))


def row_buttons(page: Any) -> list[Any]:
    found: list[Any] = page.find_elements(By.CSS_SELECTOR, "#table tbody button")
    return found


def test_it_opens_where_calls_are_densest_without_errors_or_requests(show, made_up) -> None:
    page = show()
    assert bases(page) == (4001, 14_000)
    assert text(page, "where").startswith("circle:")
    assert text(page, "failure") == ""
    assert page.get_log("browser") == []
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    marks = page.execute_script("return performance.getEntriesByType('mark').map(m => m.name)")
    assert marks == ["view:start", "view:unpacked", "view:ready"]
    assert "simulated" in page.find_element(By.TAG_NAME, "header").text.lower()
    # Both strands' colours are on the canvas.
    drawn = page.execute_script(
        "const c = document.getElementById('canvas'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let blue = 0, red = 0;"
        "for (let i = 0; i < d.length; i += 4) { if (d[i] === 0 && d[i+1] === 114) blue++;"
        "if (d[i] === 192 && d[i+1] === 79) red++; } return [blue, red]"
    )
    assert min(drawn) > 500


def test_names_from_files_stay_text(show, made_up) -> None:
    page = show()
    Select(page.find_element(By.ID, "contig")).select_by_index(1)
    assert text(page, "where").startswith(made_up.short.name)
    page.find_element(By.ID, "find").send_keys("M_0001")
    assert "<b>&amp;</b>" in text(page, "found")
    assert page.execute_script("return window.hacked") is None
    assert page.find_elements(By.CSS_SELECTOR, "img") == []


def test_each_call_shows_its_own_window(show, made_up) -> None:
    page = show()
    Select(page.find_element(By.ID, "which")).select_by_value("all")
    page.find_element(By.CSS_SELECTOR, "th.name button").click()
    seen = {}
    for _ in range(5):
        for i in range(len(row_buttons(page))):
            page.execute_script("arguments[0].click()", row_buttons(page)[i])
            name = row_buttons(page)[i].text
            seen[name] = page.find_element(By.CSS_SELECTOR, "#call pre").get_attribute(
                "textContent"
            )
        page.find_element(By.ID, "after").click()
    assert len(seen) == len(made_up.calls) == 62
    over_the_origin = 0
    for number, call in enumerate(made_up.calls, start=1):
        before = 35 if call.strand > 0 else 14
        start, end = call.anchor - before, call.anchor - before + 50
        over_the_origin += start < 0 or end > len(call.contig)
        header, sequence = seen[f"promoter_{number}"].split("\n")
        assert sequence == decode(call.contig.window(start, end, call.strand))
        first, last = start % len(call.contig) + 1, (end - 1) % len(call.contig) + 1
        assert f" {call.contig.name}:{first}-{last} " in header
    assert over_the_origin >= 2


def test_boxes_are_of_promoters_alone(show, made_up, tmp_path) -> None:
    """A hexamer like TATAAT says nothing about a terminator."""
    written = made_up.page.read_text()
    assert '"promoters":true' in written
    other = tmp_path / "terminators.html"
    other.write_text(written.replace('"promoters":true', '"promoters":false'))
    for promoters, path in ((True, made_up.page), (False, other)):
        page = show(page=path)
        search(page, "promoter_11", Keys.ENTER)
        wait(page, lambda page=page: "promoter_11" in text(page, "call-name"))
        boxed = page.find_elements(By.CSS_SELECTOR, "#call svg .box")
        assert len(boxed) == (12 if promoters else 0)
        assert ("hexamers" in text(page, "call")) == promoters


def test_bars_are_the_scores_of_the_track(show, made_up) -> None:
    page = show()
    call = made_up.calls[10]
    search(page, "promoter_11", Keys.ENTER)
    wait(page, lambda: "promoter_11" in text(page, "call-name"))
    scores = made_up.scores["circle", call.strand]
    values = {}
    for anchor, log_odds in zip(scores.anchors.tolist(), scores.log_odds.tolist(), strict=True):
        for shift in range(2):
            values.setdefault(anchor + call.strand * shift, 1 / (1 + np.exp(-log_odds)))
    places = [call.anchor + call.strand * (i - 35) for i in range(50)]
    wanted = restore(quantise(np.array([values[place] for place in places]).round(4))) * 40
    bars = page.find_elements(By.CSS_SELECTOR, "#call svg .bar")
    heights = [float(bar.get_attribute("height")) for bar in bars]
    assert heights == pytest.approx(np.maximum(wanted, 0.8).tolist(), abs=1e-6)
    letters = [e.text for e in page.find_elements(By.CSS_SELECTOR, "#call svg .base")]
    assert len(letters) == 50
    # Its gene, and how far that is, and the way there.
    assert f"{call.distance:,} bases before {call.gene.name}" in text(page, "call")
    page.find_element(By.CSS_SELECTOR, "#call dd .link").click()
    first, last = bases(page)
    assert first <= call.gene.start < call.gene.end <= last
    assert focused(page) == "track"


def test_a_logo_stands_as_high_as_each_base_contributes(show, made_up) -> None:
    page = show()
    search(page, "promoter_11", Keys.ENTER)
    wait(page, lambda: "promoter_11" in text(page, "call-name"))
    contributions = made_up.logos.contributions[1]
    tallest = float(np.abs(contributions).max())
    assert f"the tallest letter stands for {tallest:.2f}." in text(page, "call")
    letters = page.execute_script(
        """return [...document.querySelectorAll('#call svg .logo')].map(e => {
          const m = e.transform.baseVal.consolidate().matrix;
          return [e.textContent, m.e, m.f, m.d]; })"""
    )
    window = [e.text for e in page.find_elements(By.CSS_SELECTOR, "#call svg .base")]
    kept = np.rint(contributions / tallest * 127)
    assert [letter for letter, *_ in letters] == [
        letter for letter, share in zip(window, kept, strict=True) if share
    ]
    shares = kept[kept != 0] / 127
    heights = np.array([high * 10.2 for *_, high in letters])
    assert heights == pytest.approx(np.abs(shares) * 48, abs=1e-3)
    assert page.execute_script(
        "const strip = document.querySelector('#call .strip');"
        "return strip.scrollWidth <= strip.clientWidth"
    )
    # Those that speak for the call stand on a line, the others hang below it.
    foot = np.array([y for _, _, y, _ in letters])
    lines = foot - np.where(shares > 0, 0, heights)
    levels = page.find_elements(By.CSS_SELECTOR, "#call svg .level")
    assert {round(y, 2) for y in lines} == {float(e.get_attribute("y1")) for e in levels}
    order = np.argsort(-kept, kind="stable")[:5]
    # The site is +1, and no base 0.
    places = [f"+{i - 34}" if i >= 35 else f"\N{MINUS SIGN}{35 - i}" for i in range(50)]
    spoken = ", ".join(f"{window[i]} at {places[i]}" for i in order)
    image = page.find_element(By.CSS_SELECTOR, "#call svg")
    assert f"Bases that speak most for the call: {spoken}." in image.get_attribute("aria-label")

    page.find_element(By.XPATH, "//button[text()='Next call']").click()
    assert page.find_elements(By.CSS_SELECTOR, "#call svg .logo") == []
    assert "Logos are drawn for the 2 highest calls alone" in text(page, "call")


def search(page: Any, *keys: str) -> None:
    field = page.find_element(By.ID, "find")
    field.clear()
    field.send_keys(*keys)


@pytest.mark.parametrize(
    ("wanted", "contig", "place"),
    [
        ("gen3", "circle", (5000, 5900)),
        ("m_0004", "circle", (6500, 7400)),
        ("wrapped", "circle", (29_700, 30_000)),
        ("12,001-12,400", "circle", (12_000, 12_400)),
        ("circle:20000", "circle", (19_999, 20_000)),
    ],
)
def test_search_finds(show, wanted: str, contig: str, place: tuple[int, int]) -> None:
    page = show()
    search(page, wanted, Keys.ENTER)
    first, last = bases(page)
    assert text(page, "where").startswith(f"{contig}:")
    assert first - 1 <= place[0] < place[1] <= last
    assert last - first < 3000
    assert text(page, "status") != ""


def test_the_list_of_finds_can_be_walked(show) -> None:
    page = show()
    field = page.find_element(By.ID, "find")
    search(page, "gen1")
    options = page.find_elements(By.CSS_SELECTOR, "#found [role=option]")
    assert [option.find_element(By.TAG_NAME, "b").text for option in options[:3]] == [
        "gen1",
        "gen10",
        "gen11",
    ]
    assert field.get_attribute("aria-expanded") == "true"
    field.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    active = field.get_attribute("aria-activedescendant")
    assert page.find_element(By.ID, active).get_attribute("aria-selected") == "true"
    field.send_keys(Keys.ENTER)
    assert field.get_attribute("value") == "gen10"
    assert field.get_attribute("aria-expanded") == "false"
    search(page, "nothing of this name")
    assert text(page, "status") == "Nothing found."


def test_all_can_be_done_by_keyboard(show, made_up) -> None:
    page = show()
    walked = []
    for _ in range(12):
        ActionChains(page).send_keys(Keys.TAB).perform()
        walked.append(focused(page) or page.execute_script("return document.activeElement.hash"))
    order = ["#track", "#calls", "contig", "find", "scale", "left", "right", "in", "out", "whole"]
    assert walked[:11] == [*order, "track"]

    track = page.find_element(By.ID, "track")
    before = bases(page)
    track.send_keys("+")
    middle = bases(page)
    assert middle[1] - middle[0] == pytest.approx((before[1] - before[0]) / 2, abs=2)
    track.send_keys(Keys.ARROW_RIGHT)
    assert bases(page)[0] > middle[0]
    track.send_keys("0")
    assert bases(page) == (1, 30_000)
    wait(page, lambda: "60 calls in view" in text(page, "status"))
    track.send_keys(Keys.HOME, "+", "+", "+", Keys.HOME)
    assert bases(page)[0] == 1

    track.send_keys("n")
    said = text(page, "status")
    assert said.startswith("promoter_")
    assert "probability 0.9" in said
    assert focused(page) == "track"
    name = said.split(",")[0]
    assert text(page, "call-name").startswith(name)
    track.send_keys("n")
    assert not text(page, "status").startswith(f"{name},")
    track.send_keys("p")
    assert text(page, "status").startswith(f"{name},")
    track.send_keys(Keys.ENTER)
    assert focused(page) == "call-name"
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert focused(page) == "track"


def test_a_click_on_a_call_opens_it(show, made_up) -> None:
    page = show()
    canvas = page.find_element(By.ID, "canvas")
    first, last = bases(page)
    call = next(c for c in made_up.calls if c.strand > 0 and c.anchor > 6000)
    width, height = canvas.size["width"], canvas.size["height"]
    x = 46 + (call.anchor + 0.5 - (first - 1)) / (last - first + 1) * (width - 46)
    move = ActionChains(page).move_to_element_with_offset(
        canvas, round(x - width / 2), round(34 - height / 2)
    )
    move.click().perform()
    assert text(page, "call-name").startswith(f"promoter_{made_up.calls.index(call) + 1} ")
    assert focused(page) == "call-name"
    assert bases(page) == (first, last)

    # Dragging moves, and opens nothing.
    ActionChains(page).drag_and_drop_by_offset(canvas, -200, 0).perform()
    assert bases(page)[0] > first
    assert text(page, "call-name").startswith(f"promoter_{made_up.calls.index(call) + 1} ")


def test_the_table_sorts_pages_and_says_so(show, made_up) -> None:
    page = show()
    Select(page.find_element(By.ID, "which")).select_by_value("contig")
    caption = page.find_element(By.CSS_SELECTOR, "caption")
    assert caption.text == "Calls of circle: 60"
    assert text(page, "rows") == "1 to 15 of 60"
    head = page.find_element(By.CSS_SELECTOR, "th.anchor")
    assert head.get_attribute("aria-sort") is None
    head.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert text(page, "status") == "Sorted by position, ascending."
    head.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    cells = page.find_elements(By.CSS_SELECTOR, "tbody td:nth-child(2)")
    places = [int(cell.text.split(":")[1].replace(",", "")) for cell in cells]
    anchors = sorted((c.anchor + 1 for c in made_up.calls if c.contig.circular), reverse=True)
    assert places == anchors[:15]
    for _ in range(9):
        page.find_element(By.ID, "after").click()
    assert text(page, "rows") == "46 to 60 of 60"
    assert page.find_element(By.ID, "after").get_attribute("aria-disabled") == "true"
    # What is in view follows the track.
    Select(page.find_element(By.ID, "which")).select_by_value("view")
    page.find_element(By.ID, "track").send_keys("0")
    wait(page, lambda: caption.text == "Calls in view: 60")


def test_a_call_opened_from_the_table_comes_into_view_and_leads_back(show, made_up) -> None:
    page = show()
    row_buttons(page)[3].click()
    name = row_buttons(page)[3].text
    assert text(page, "call-name").startswith(f"{name} ")
    marked = page.find_elements(By.CSS_SELECTOR, "#table [aria-current=true]")
    assert [row.text.split()[0] for row in marked] == [name]
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert page.execute_script("return document.activeElement.textContent") == name

    page.find_element(By.ID, "track").send_keys("0")
    wait(page, lambda: "60" in page.find_element(By.CSS_SELECTOR, "caption").text)
    page.find_element(By.CSS_SELECTOR, "th.name button").click()
    row_buttons(page)[2].click()
    first, last = bases(page)
    assert first <= made_up.calls[2].anchor + 1 <= last
    # On another contig as well.
    Select(page.find_element(By.ID, "which")).select_by_value("all")
    page.find_element(By.CSS_SELECTOR, "th.name button").click()
    row_buttons(page)[0].click()
    assert text(page, "where").startswith(made_up.short.name)


def test_everything_has_a_name_and_a_role(show) -> None:
    page = show()
    search(page, "gen")
    tree = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    shown = [node for node in tree if not node["ignored"]]
    roles = {node["role"]["value"] for node in shown}
    assert {"main", "heading", "application", "status", "table", "columnheader"} <= roles
    assert {"combobox", "listbox", "option", "image", "rowheader"} <= roles
    named = {"button", "combobox", "application", "image", "link", "heading", "listbox", "option"}
    for node in shown:
        if node["role"]["value"] in named:
            assert node.get("name", {}).get("value"), node["role"]
    levels = page.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3')].map(h => +h.tagName[1])"
    )
    assert levels == [1, 2, 2]
    wrong = page.execute_script(
        """const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
        const told = ['for', 'aria-controls', 'aria-labelledby', 'aria-describedby',
                      'aria-activedescendant'];
        const lost = told.flatMap(name => [...document.querySelectorAll(`[${name}]`)]
          .map(e => e.getAttribute(name))).filter(id => !ids.includes(id));
        const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
        const small = [...document.querySelectorAll('button, select, input')].filter(e =>
          e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML);
        const jumps = [...document.querySelectorAll('[tabindex]')].filter(e => e.tabIndex > 0);
        return [...lost, ...twice, ...small, ...jumps.map(e => e.outerHTML)]"""
    )
    assert wrong == []
    assert page.execute_script("return document.documentElement.lang") == "en"


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out(show, dark: bool) -> None:
    page = show(dark=dark)
    search(page, "gen", Keys.ARROW_DOWN)
    weak = page.execute_script(
        """const parse = c => c.match(/[\\d.]+/g).map(Number);
        const light = c => { const [r, g, b] = parse(c).map(v => v / 255)
          .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = e => { for (; e; e = e.parentElement) {
          const c = getComputedStyle(e).backgroundColor;
          if (parse(c).length < 4 || parse(c)[3] === 1) return c; } return 'rgb(255, 255, 255)'; };
        const found = [];
        for (const e of document.querySelectorAll('body *:not(script, style, title)')) {
          const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
          if (!own || !e.getClientRects().length) continue;
          const style = getComputedStyle(e);
          const ink = e instanceof SVGElement ? style.fill : style.color;
          const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) found.push(e.outerHTML + ink + ground(e));
        }
        return found"""
    )
    assert weak == []


def test_dark_and_light_are_drawn_apart(show) -> None:
    shots = []
    for dark in (False, True):
        page = show(dark=dark)
        shots.append(
            page.execute_script(
                "return [getComputedStyle(document.body).backgroundColor,"
                "document.getElementById('canvas').toDataURL()]"
            )
        )
    assert shots[0][0] != shots[1][0]
    assert shots[0][1] != shots[1][1]


@pytest.mark.parametrize("still", [True, False])
def test_motion_is_left_out_where_it_is_not_wanted(show, still: bool) -> None:
    page = show(still=still)
    jumped = page.execute_script(
        "const canvas = document.getElementById('canvas'); const before = canvas.toDataURL();"
        "document.getElementById('in').click(); return canvas.toDataURL() !== before"
    )
    assert jumped == still
    first, last = bases(page)
    assert last - first + 1 == 5000


def test_a_phone_needs_no_sideways_scrolling(show) -> None:
    page = show(width=360)
    search(page, "promoter_11", Keys.ENTER)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.execute_script(wide) == 0


def test_an_old_browser_is_told(browser, show) -> None:
    script = {"source": "delete window.DecompressionStream"}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        page = show()
        assert "too old to unpack" in page.find_element(By.CSS_SELECTOR, "[role=alert]").text
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
