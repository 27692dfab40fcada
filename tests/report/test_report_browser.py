"""The pages in a real browser: sorting, filtering, keys, phone, dark and light, hostile text; no error, no request."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from paribus.commands.calibrate import calibrate_command
from paribus.report import report, write_index

pytestmark = pytest.mark.slow
TALL = "document.documentElement.scrollWidth"
USE = """(() => {
const table = document.getElementById("runs-table"), heads = [...table.tHead.rows[0].cells];
const place = heads.findIndex(head => head.textContent === "mae"), sort = heads[place].querySelector("button");
const shown = () => [...table.tBodies[0].rows].map(row => row.cells[place].textContent);
const told = () => document.getElementById("runs-count").textContent, seen = {};
sort.click(); seen.ascending = shown(); seen.state = heads[place].getAttribute("aria-sort");
sort.click(); seen.descending = shown();
const filter = document.getElementById("runs-filter"), menu = document.querySelector("#runs-tools select");
filter.value = "tukey memory"; filter.dispatchEvent(new Event("input")); seen.filtered = told();
filter.value = ""; menu.value = "huber"; menu.dispatchEvent(new Event("change")); seen.chosen = told();
document.getElementById("runs-more").click(); seen.rows = table.tBodies[0].rows.length;
document.querySelector(".legend button").click();
seen.alone = document.querySelectorAll("figure.focused .on").length;
return seen; })()"""
FOCUS = """(() => { const focused = document.activeElement, style = getComputedStyle(focused);
return {what: focused.tagName + "." + focused.className, text: focused.textContent.trim().slice(0, 40),
ring: style.outlineStyle !== "none" && style.outlineWidth !== "0px"}; })()"""
# Contrast of each text with what lies behind it, as WCAG 2 computes it: at least 4.5 for text of this size.
FAINT = """(() => {
const parts = colour => colour.match(/[\\d.]+/g).map(Number), faint = [];
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, place) => sum + v * [.2126, .7152, .0722][place], 0);
const behind = each => { for (; each; each = each.parentElement) {
  const colour = parts(getComputedStyle(each).backgroundColor);
  if (colour.length < 4 || colour[3] === 1) return colour; } return [255, 255, 255]; };
for (const each of document.querySelectorAll("body *:not(svg, svg *, script, style)")) {
  if (![...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
  const [one, other] = [light(parts(getComputedStyle(each).color)), light(behind(each))].sort((a, b) => b - a);
  if ((one + .05) / (other + .05) < 4.5) faint.push(each.className + ": " + each.textContent.slice(0, 40));
} return faint; })()"""
CUT = """[...document.querySelectorAll("svg.panel > text")].filter(each => {
const [text, panel] = [each, each.parentElement].map(one => one.getBoundingClientRect());
return text.left < panel.left - 1 || text.right > panel.right + 1
  || text.top < panel.top - 1 || text.bottom > panel.bottom + 1;
}).map(each => each.textContent)"""
NASTY = (
    "<script>window.hit=1</script><img src=x onerror=window.hit=1><a href='javascript:window.hit=1'>go</a>"
    "]]>--></style></title>../../../evil \u202edesrever\u2066 " + "W" * 300
)


def quiet(browser: Any, page: Path) -> None:
    """The page complained of nothing and asked for nothing but itself."""
    assert browser.complaints == []
    assert [address for address in browser.requests if not address.startswith("data:")] == [page.resolve().as_uri()]


@pytest.fixture(scope="module")
def page(robust_folder: Path) -> Path:
    return report(robust_folder).page


@pytest.mark.parametrize("width", [1200, 390])
def test_the_table_of_runs_sorts_and_filters(browser: Any, page: Path, width: int) -> None:
    browser.open(page, width)
    seen = browser.run(USE)
    ascending, descending = ([float(cell) for cell in seen[way]] for way in ("ascending", "descending"))
    assert len(ascending) == 50
    assert ascending == sorted(ascending)
    assert descending == sorted(descending, reverse=True)
    assert descending[0] > ascending[-1]
    assert seen["state"] == "ascending"
    assert seen["filtered"] == "1 of 600 rows"
    assert seen["chosen"] == "100 of 600 rows"
    assert seen["rows"] == 100
    assert seen["alone"] > 5
    assert browser.run(TALL) <= width
    quiet(browser, page)
    assert page.stat().st_size < 2_000_000, "of twice 300 runs"


def test_everything_is_reached_with_the_keyboard(browser: Any, page: Path) -> None:
    browser.open(page)
    browser.press("Tab")
    assert browser.run(FOCUS)["text"] == "Skip to the verdicts"
    browser.press("Enter")
    assert browser.run("location.hash") == "#verdicts"
    seen = []
    while (focused := browser.run(FOCUS))["text"] != "mae" or not focused["what"].startswith("BUTTON"):
        browser.press("Tab")
        seen.append(browser.run(FOCUS))
        assert len(seen) < 400
    assert all(each["ring"] for each in seen if each["what"] != "BODY.")
    kinds = {each["what"] for each in seen}
    assert {"A.", "BUTTON.", "DIV.scroll", "INPUT.", "SELECT.", "SUMMARY."} <= kinds
    order = "[...document.querySelectorAll('#runs-table th')].find(each => each.textContent === 'mae').ariaSort"
    assert browser.run(order) is None
    browser.press("Enter")
    assert browser.run(order) == "ascending"
    browser.press(" ")
    assert browser.run(order) == "descending"
    browser.run("document.getElementById('runs-filter').focus()")
    for letter in "tukey memory":
        browser.press(letter)
    assert browser.run("document.getElementById('runs-count').textContent") == "1 of 600 rows"
    browser.run("document.querySelector('.legend button').focus()")
    browser.press(" ")
    assert browser.run("document.querySelector('.legend button').ariaPressed") == "true"
    browser.run("document.querySelector('summary').focus()")
    before = browser.run("document.querySelector('details').open")
    browser.press("Enter")
    assert browser.run("document.querySelector('details').open") is not before


@pytest.fixture(scope="module")
def pages(page: Path, robust_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report, an index, and a page of calibration."""
    folder = tmp_path_factory.mktemp("calibrate")
    rng = np.random.default_rng(0)
    labels, logits = np.arange(200) % 3, rng.normal(size=(200, 3))
    np.savez(folder / "logits.npz", logits=logits, labels=labels, val_logits=logits + 1, val_labels=labels)
    calibrate_command(folder / "logits.npz", folder, [])
    return {"report": page, "index": write_index(robust_folder.parent), "calibration": folder / "calibration.html"}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["report", "index", "calibration"])
def test_pages_can_be_read_dark_and_light_and_on_a_phone(
    browser: Any, pages: dict[str, Path], name: str, dark: bool
) -> None:
    for width in (390, 1200):
        browser.open(pages[name], width, dark)
        assert browser.run(TALL) <= width
        assert browser.run(FAINT) == []
        assert browser.run(CUT) == []
        behind = json.loads(
            browser.run("getComputedStyle(document.body).backgroundColor.replace(/rgba?\\((.*)\\)/, '[$1]')")
        )
        assert (sum(behind[:3]) < 384) is dark
        quiet(browser, pages[name])


def test_hostile_text_is_shown_and_does_nothing(browser: Any, synthetic: ModuleType, tmp_path: Path) -> None:
    outside = tmp_path / "a" / "b"
    folder = synthetic.write_hostile(outside / "runs" / "<img src=x onerror=hit=1>", NASTY)
    records = {path for path in tmp_path.rglob("*") if path.is_file()}
    told = report(folder).page
    index = write_index(folder.parent)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - records
    assert written
    assert all(path == index or folder in path.parents for path in written)
    for page in (told, index):
        for width in (390, 1200):
            browser.open(page, width)
            assert browser.run("window.hit === undefined && typeof hit === 'undefined'")
            assert browser.run("[...document.querySelectorAll('script, img, iframe, object, base, form')].length") == (
                2 if page == told else 0
            )
            links = browser.run("[...document.querySelectorAll('a')].map(each => each.protocol)")
            assert set(links) <= {"file:"}
            assert browser.run(TALL) <= width
            text = browser.run("document.body.innerText")
            assert "<script>window.hit=1</script><img src=x onerror=window.hit=1>" in text
            assert "[U+202E]desrever" in text
            assert "\u202e" not in text
            quiet(browser, page)
