"""The site of docs/: a page for every choice, with what the code says; links that hold; nothing fetched to show it."""

import csv
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from paribus.config.tree import config_groups
from paribus.study.numbers import estimate, interval, number

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
    assert "- `tests/objectives/test_influence.py`: Every regression loss against its exact value" in page
    study = yaml.safe_load((ROOT / "experiments" / "robust_regression_demo" / "verdicts.json").read_text())
    (judged,) = (each for each in study if each["id"] == "auto-mpg-huber-20")
    assert f"| {judged['status']} | huber has lower mae than squared" in page
    assert f"squared / huber = {number(judged['findings'][0]['estimate'])} [" in page


@pytest.mark.slow
def test_tests_of_a_class_are_those_that_import_it(site):
    (linear,) = (choice for choice in site.choices()["network"] if choice.name == "linear")
    (told,) = site.oracles.holding(linear.target, "network", "linear")
    assert "- `tests/networks/test_linear.py` (1 test): Linear and polynomial networks" in told
    assert "nn.Linear" in (ROOT / "tests" / "networks" / "test_residual.py").read_text()
    assert "test_residual" not in told
    assert all(line.partition(": ")[2] for line in told.splitlines())


def test_studies_in_which_a_choice_is_an_arm_are_told(site):
    found = site.results.found("objective", "tukey")
    row = next(line for line in "\n".join(found).splitlines() if "`excess_mse`" in line)
    study = ROOT / "experiments" / "efficiency" / "comparisons.csv"
    (own,) = (each for each in csv.DictReader(study.open()) if each["arm"] == "objective=tukey")
    numbers = [float(own[name]) for name in ("estimate", "low", "high")]
    assert numbers[1] < 0 < numbers[2]
    assert row.startswith("| `objective=tukey` against `objective=squared` ([efficiency](")
    told = f"not clear: difference {estimate(*numbers)} {interval(*numbers[1:])}, n = {own['n']} |"
    assert row.endswith(told)
    for group, name in (("objective", "hinge"), ("constraint", "spectral_norm")):
        assert "[gan_objectives](" in "\n".join(site.results.found(group, name))
    assert site.results.found("objective", "nothing")[1:] == ["No published study compares it, or chooses it by name."]


@pytest.mark.slow
def test_formulas_stay_as_they_are_and_nothing_is_said_twice(site):
    found = {(group, choice.name): choice for group, choices in site.choices().items() for choice in choices}
    page = site.page(found["calibrator", "bayesian"])
    assert "(1 - p_b))\nP(hit | p in b, M) = (m_b + 2 p_b) / (N_b + 2)\n```" in page
    assert "Within-run factor" not in page
    assert "```text\nv <- momentum v + g,   w <- w - lr v\n```" in site.page(found["optimizer", "momentum"])
    for key, option in found["objective", "elbo"].options.items():
        told = site.meaning(key, option)
        assert told.count("over which the weight climbs") == (key == "ramp"), told
    assert site.repeats("null: none", "decay; null for the weights as they are")
    assert not site.repeats("0.01 in the paper", "above 0")
    dashes = [site.meaning(key, each) for (group, _), one in found.items() for key, each in one.options.items()
              if group == "optimizer"]  # fmt: skip
    assert "\N{EN DASH}" not in dashes


@pytest.mark.slow
def test_every_objective_has_a_source_and_what_is_ours_an_oracle(site):
    for group, found in site.choices().items():
        for choice in found:
            page = site.page(choice)
            if group not in ("trainer", "logger"):
                assert "## Oracle" in page, f"{group}={choice.name}: no test names its class"
            sourced = ("objective", "penalty", "constraint", "calibrator", "prior", "optimizer")
            if group in sourced and choice.name not in ("none", "reconstruction"):
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
