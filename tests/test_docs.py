"""The site of docs/: a page for every choice, with what the code says; links that hold; nothing fetched to show it."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from paribus.config.tree import config_groups
from paribus.study.numbers import number

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "site"


@pytest.fixture
def site(monkeypatch) -> ModuleType:
    """The module that makes the pages of methods."""
    monkeypatch.syspath_prepend(str(SITE))
    import methods

    return methods


def test_every_group_has_its_pages(site):
    assert set(site.GROUPS) == {*config_groups(), "calibrator"} - {"experiment"}
    found = site.choices()
    for group in site.GROUPS:
        assert found[group]
        assert all(choice.description for choice in found[group])


@pytest.mark.slow
def test_a_page_says_what_code_and_file_say(site):
    (huber,) = (choice for choice in site.choices()["objective"] if choice.name == "huber")
    page = site.page(huber)
    assert "The mean of r^2 / 2 within delta and delta (|r| - delta / 2) beyond." in page.replace("\\", "")
    assert "**Source:** Huber, Robust estimation of a location parameter (1964)." in page
    assert (
        f"| `delta` | `{yaml.safe_load((ROOT / 'conf' / 'objective' / 'huber.yaml').read_text())['delta']}` |" in page
    )
    assert "`tests/objectives/test_influence.py`: Every regression loss against its exact value" in page
    study = yaml.safe_load((ROOT / "experiments" / "robust_regression_demo" / "verdicts.json").read_text())
    (judged,) = (each for each in study if each["id"] == "auto-mpg-huber-20")
    assert f"| {judged['status']} | huber has lower mae than squared" in page
    assert f"squared / huber = {number(judged['findings'][0]['estimate'])} [" in page


@pytest.mark.slow
def test_every_objective_has_a_source_and_what_is_ours_an_oracle(site):
    for group, found in site.choices().items():
        for choice in found:
            page = site.page(choice)
            if group not in ("trainer", "logger"):
                assert "## Oracle" in page, f"{group}={choice.name}: no test names its class"
            if group in ("objective", "penalty", "calibrator") and choice.name not in ("none", "reconstruction"):
                assert "**Source:**" in page, f"{group}={choice.name}"
            for key, option in choice.options.items():
                assert f"| `{key}` |" in page
                assert option.default in page or option.default == "???"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, SITE / "build.py", folder], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.slow
def test_a_broken_link_or_an_unlisted_page_fails(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(SITE))
    import build

    pages = {"index.md": "# One\n\n```{toctree}\ntwo\n```\n", "two.md": "# Two\n\n[back](index.md)\n"}
    faults = {"good": {}, "link": {"two.md": "# Two\n\n[away](three.md)\n"}, "unlisted": {"three.md": "# Three\n"}}
    codes = {}
    for name, fault in faults.items():
        (tmp_path / name / "pages").mkdir(parents=True)
        for page, text in (pages | fault).items():
            (tmp_path / name / "pages" / page).write_text(text)
        codes[name] = build.rendered(tmp_path / name)
    assert codes == {"good": 0, "link": 1, "unlisted": 1}


@pytest.mark.slow
def test_nothing_is_fetched(built: Path) -> None:
    fetched = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"'](?:https?:)?//[^\"']+")
    for page in built.rglob("*.html"):
        assert not fetched.findall(page.read_text()), page
    for style in built.rglob("*.css"):
        assert not re.findall(r"url\([\"']?(?:https?:)?//|@import", style.read_text()), style


@pytest.mark.slow
@pytest.mark.parametrize("page", ["index", "tutorial", "methods/objective/huber", "methods/metrics", "performance"])
def test_pages_open_without_a_network_and_fit_a_phone(browser: Any, built: Path, page: str) -> None:
    for width, dark in ((390, False), (1200, True)):
        browser.open(built / f"{page}.html", width, dark)
        assert browser.complaints == []
        assert browser.requests
        assert all(address.startswith((built.as_uri(), "data:")) for address in browser.requests)
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.run("document.querySelector('h1').textContent")


@pytest.mark.slow
def test_search_finds_a_method(browser: Any, built: Path) -> None:
    browser.open(built / "search.html")
    script = """new Promise(done => { const again = setInterval(() => {
    const links = [...document.querySelectorAll('ul.search a')].map(each => each.getAttribute('href'));
    if (links.length) { clearInterval(again); done(links); } }, 50);
    document.querySelector('input[name=q]').value = 'huber'; Search.performSearch('huber'); })"""
    assert any(link.startswith("methods/objective/huber.html") for link in browser.run(script))
