"""The page: well formed, self-contained, safe against hostile text, and with the numbers of the tables in it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from paribus.report import ReportFiles, report
from paribus.study.numbers import estimate, interval
from paribus.study.records import read_record

VOID = {"meta", "link", "input", "br", "hr", "img"}
SELF_CLOSED = {"path", "rect"}


class Outline(HTMLParser):
    """Checks that every element is closed in its turn, and keeps names, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSED, tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[dict(self.elements[-1][1]).get("id") or ""] = data
        elif self.open and self.open[-1] != "style":
            self.text.append(data)


def outline(page: Path) -> Outline:
    parsed = Outline()
    parsed.feed(page.read_text())
    parsed.close()
    assert parsed.open == []
    return parsed


@pytest.fixture(scope="module")
def files(robust_folder: Path) -> ReportFiles:
    return report(robust_folder)


def test_page_is_well_formed_and_small(files: ReportFiles) -> None:
    parsed = outline(files.page)
    names = [name for name, _ in parsed.elements]
    assert names.count("h1") == 1
    assert names.count("article") == len(files.verdicts) == 6
    identifiers = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert files.page.stat().st_size < 1_000_000


def test_page_needs_nothing_from_outside(files: ReportFiles) -> None:
    text = files.page.read_text()
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text.replace("https://www.w3.org/2000/svg", ""))
    targets = [
        value
        for _, attributes in outline(files.page).elements
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset")
    ]
    assert targets
    assert all(value is not None and (value.startswith("#") or value == "data:,") for value in targets)


def test_links_of_the_page_lead_somewhere(files: ReportFiles) -> None:
    parsed = outline(files.page)
    identifiers = {attributes.get("id") for _, attributes in parsed.elements}
    anchors = [attributes["href"] for name, attributes in parsed.elements if name == "a"]
    assert len(anchors) > 8
    assert all(anchor is not None and anchor[1:] in identifiers for anchor in anchors)


def test_sections_come_in_the_order_of_their_weight(files: ReportFiles) -> None:
    sections = [attributes["id"] for name, attributes in outline(files.page).elements if name == "section"]
    results = ["figures", "comparisons", "fits", "curves"]
    assert sections == ["verdicts", *results, "failures", "pairing", "methods", "runs", "reproduce"]


def test_page_tells_each_verdict_with_its_interval(files: ReportFiles) -> None:
    text = " ".join(outline(files.page).text)
    for verdict in files.verdicts:
        assert verdict.sentence in text
        for finding in verdict.findings:
            low, high = finding.low, finding.high
            told = f"{estimate(finding.estimate, low, high)} {interval(low, high)}"
            assert told in text
            assert f"n = {finding.n})" in text


def test_statuses_are_those_of_the_effects_that_were_planted(files: ReportFiles) -> None:
    statuses = {verdict.id: verdict.status for verdict in files.verdicts}
    assert statuses["l1-wins"] == "supported"
    assert statuses["mse-wins-dirty"] == "refuted"
    assert statuses["mse-wins-clean"] == "undecided"
    assert statuses["mse-error"] == "supported"


def test_failures_say_what_happened_and_how_to_run_again(files: ReportFiles, robust_folder: Path) -> None:
    text = " ".join(outline(files.page).text)
    keys = {
        record.status: record.key
        for record in map(read_record, (path.parent for path in robust_folder.glob("*/run.json")))
        if record.status != "finished"
    }
    assert "1 run failed; 1 run diverged." in text
    assert "MemoryError: cannot allocate 12 GiB. After 100 steps." in text
    for status in ("failed", "diverged"):
        assert f"paribus run --key {keys[status]}" in text


def test_methods_tell_what_was_done(files: ReportFiles) -> None:
    text = " ".join(outline(files.page).text)
    assert "We varied objective (squared, absolute, huber, log_cosh, cauchy, tukey)" in text
    assert "with 10 replicates of each (seed)" in text
    assert "Of 600 runs, 598 finished, 1 failed and 1 diverged." in text
    assert "6 claims declared with the study were tested at a family-wise level of 0.05" in text
    assert "80 train, 50 validation and 200 test" in text


def test_runs_table_holds_every_row(files: ReportFiles) -> None:
    data = json.loads(outline(files.page).scripts["runs-data"])
    assert len(data["rows"]) == 600
    assert all(len(row) == len(data["columns"]) for row in data["rows"])
    assert [data["columns"][index] for index in data["choices"]] == [
        "objective", "data.contamination.fraction", "problem", "status",
    ]  # fmt: skip
    mae = data["columns"].index("mae")
    assert data["numeric"][mae]
    assert [row[mae] for row in data["rows"] if isinstance(row[mae], str) and row[mae]] == ["nan"]


HOSTILE = "<script>alert('x')</script></style><!--&amp;\"'{{ 7*7 }}\u2028"


@pytest.fixture(scope="module")
def hostile_text(tmp_path_factory: pytest.TempPathFactory, synthetic: ModuleType) -> str:
    folder = synthetic.write_hostile(tmp_path_factory.mktemp("hostile") / "a<b>", HOSTILE)
    files = report(folder)
    assert outline(files.page)
    assert all(path.parent.parent == folder and path.suffix == ".svg" for path in files.figures)
    assert all("<script" not in path.read_text() for path in files.figures)
    return files.page.read_text()


def test_hostile_text_stays_text(hostile_text: str) -> None:
    assert hostile_text.count("<script") == 2, "the runs' data and the page's own script"
    assert hostile_text.count("</style>") == 1
    assert "<!--" not in hostile_text
    assert "alert(&#39;x&#39;)" in hostile_text
    assert "{{ 7*7 }}" in hostile_text


def test_hostile_text_survives_in_the_data(hostile_text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(hostile_text)
    data = json.loads(outline(page).scripts["runs-data"])
    assert HOSTILE in data["columns"]
    assert HOSTILE in {row[0] for row in data["rows"]}
