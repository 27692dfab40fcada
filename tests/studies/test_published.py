"""What experiments/ tells is what its results say: every claim is computed again, from the CSV, by other means."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
STUDIES = sorted(path.name for path in (ROOT / "experiments").iterdir() if path.is_dir())


def declared(name):
    return yaml.safe_load((ROOT / "conf" / "experiment" / f"{name}.yaml").read_text())["study"]


def results(name):
    """A row a run; one that diverged has what its study says that it counts as, and infinities else."""
    table = pd.read_csv(ROOT / "experiments" / name / "results.csv")
    assert set(table.status) <= {"finished", "diverged"}
    diverged = table.status == "diverged"
    for metric, said in declared(name)["metrics"].items():
        if diverged.any():
            beyond = -math.inf if said["direction"] == "maximise" else math.inf
            table.loc[diverged, metric] = said.get("worst", beyond)
    return table


def verdicts(name):
    return json.loads((ROOT / "experiments" / name / "verdicts.json").read_text())


def at(table, levels):
    for factor, level in levels.items():
        table = table[table[factor] == level]
    return table


def by_seed(table, levels, metric, scale):
    """The mean over cells of each seed, on the metric's scale."""
    chosen = at(table, levels).set_index("seed")[metric]
    return (np.log(chosen) if scale == "log" else chosen).groupby("seed").mean()


def estimates(study, claim, table):
    """A claim's estimates as means of paired differences."""
    metric, where = claim["metric"], claim.get("where", {})
    scale = study["metrics"][metric]["scale"]
    back = math.exp if scale == "log" else float
    if claim["kind"] == "within":
        return [by_seed(table, where, metric, "linear").mean()]
    if claim["kind"] == "monotone":
        levels = study["factors"][claim["factor"]]
        steps = pairwise(levels if claim["trend"] == "increasing" else levels[::-1])
        pairs = [({claim["factor"]: less}, {claim["factor"]: more}) for less, more in steps]
    elif claim["kind"] == "ordered":
        pairs = [({claim["factor"]: better}, {claim["factor"]: worse}) for better, worse in pairwise(claim["levels"])]
    else:
        pairs = [(claim["arm"], claim["than"])]
    if study["metrics"][metric]["direction"] == "maximise":
        pairs = [(worse, better) for better, worse in pairs]
    sides = [[by_seed(table, where | side, metric, scale) for side in pair] for pair in pairs]
    return [back((worse - better).mean()) for better, worse in sides]


@pytest.mark.parametrize("name", STUDIES)
def test_each_claim_is_what_the_results_say(name):
    study, table = declared(name), results(name)
    told = {verdict["id"]: verdict for verdict in verdicts(name)}
    assert list(told) == [claim["id"] for claim in study["claims"]]
    for claim in study["claims"]:
        found = [finding["estimate"] for finding in told[claim["id"]]["findings"]]
        assert found == pytest.approx(estimates(study, claim, table), rel=1e-9), claim["id"]


@pytest.mark.parametrize("name", STUDIES)
def test_the_text_tells_every_verdict_and_how_to_get_it(name):
    folder = ROOT / "experiments" / name
    text = (folder / "README.md").read_text()
    assert f"paribus run experiment={name}" in text
    rows = re.findall(
        r"^(?:supported|refuted|undecided|not evaluated) .*$", (folder / "verdicts.txt").read_text(), re.M
    )
    assert [row.split()[0] for row in rows] == [verdict["status"].split()[0] for verdict in verdicts(name)]
    assert set(rows) <= set(text.splitlines())


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_and_page_that_is_linked_is_there(name):
    folder = ROOT / "experiments" / name
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (folder / "README.md").read_text())
    assert any(link.endswith(".svg") for link in links)
    assert all((folder / link).exists() for link in links)


def test_every_study_is_published():
    assert set(STUDIES) == {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}


def test_the_front_page_shows_the_demo_as_it_came_out():
    text = (ROOT / "experiments" / "robust_regression_demo" / "verdicts.txt").read_text()
    rows = re.findall(r"^supported .*$", text, re.M)
    assert len(rows) > 3
    assert set(rows) <= set((ROOT / "README.md").read_text().splitlines())
