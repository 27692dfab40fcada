"""A study's declaration: what it means, and what is said of a wrong one."""

import copy
import subprocess
import sys

import pytest

from paribus.errors import UserError
from paribus.study.claims import Better, Monotone
from paribus.study.factors import Factor, Metric
from paribus.study.levels import canonical, label, matches
from paribus.study.parsing import ad_hoc_study, parse_study

STUDY = {
    "question": "How much does L1 gain over MSE as outliers grow?",
    "factors": {
        "objective": ["squared", "absolute", "huber"],
        "data.contamination.fraction": [0.0, 0.2, 0.1],
        "problem": {
            "line": {"data": "line", "network": "linear"},
            "auto_mpg": {"data": "auto_mpg", "network": "mlp", "optimizer.betas": [0.0, 0.9]},
        },
    },
    "within": {"calibrator": ["none", "temperature"]},
    "exclude": [{"problem": "line", "data.contamination.fraction": [0.1, 0.2]}],
    "replicate": {"seed": 20},
    "metrics": {
        "mae": {"direction": "minimise", "unit": "mpg", "scale": "log"},
        "accuracy": {"direction": "maximise"},
        "bias": {"direction": "neither"},
    },
    "claims": [
        {
            "id": "l1-wins",
            "kind": "better",
            "metric": "mae",
            "arm": {"objective": "absolute"},
            "than": {"objective": "squared"},
            "where": {"data.contamination.fraction": "0.20"},
            "by": 1.5,
        },
        {"id": "bias", "kind": "within", "metric": "bias", "value": 0.159, "tolerance": 0.016, "source": "theory"},
        {"id": "order", "kind": "ordered", "metric": "mae", "factor": "objective", "levels": ["huber", "squared"]},
        {
            "id": "grows",
            "kind": "monotone",
            "metric": "mae",
            "factor": "data.contamination.fraction",
            "trend": "increasing",
            "where": {"objective": ["squared", "huber"], "problem": "auto_mpg"},
        },
    ],
}


def changed(path, value):
    """STUDY with the node at `path` replaced, or removed where `value` is None."""
    study = copy.deepcopy(STUDY)
    node = study
    for part in path[:-1]:
        node = node[part]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return study


def test_a_declaration_says_what_it_reads_like():
    study = parse_study(STUDY)
    assert [factor.name for factor in study.factors] == ["objective", "data.contamination.fraction", "problem"]
    assert study.replicate.levels == tuple(range(20))
    assert study.metrics[0] == Metric("mae", "minimise", "mpg", "log")
    assert study.factor("problem").sets("auto_mpg") == {
        "data": "auto_mpg",
        "network": "mlp",
        "optimizer.betas": (0.0, 0.9),
    }
    assert study.factor("objective").sets("huber") == {"objective": "huber"}
    claim = study.claims[0]
    assert isinstance(claim, Better)
    assert (claim.arm, claim.than, claim.by) == ({"objective": "absolute"}, {"objective": "squared"}, 1.5)
    assert claim.where == {"data.contamination.fraction": (0.2,)}, "a level is kept as the factor writes it"
    assert claim.sentence(study.metric("mae")) == (
        "absolute has lower mae than squared, by a factor of more than 1.5 where data.contamination.fraction=0.2"
    )


def test_a_sentence_says_what_a_number_is_of():
    study = parse_study(STUDY)
    claim = Better("a", "bias", {"data.contamination.fraction": 0.2}, {"data.contamination.fraction": 0.0}, 0.0)
    assert claim.sentence(study.metric("accuracy")) == (
        "data.contamination.fraction=0.2 has higher accuracy than data.contamination.fraction=0"
    )


def test_cells_are_the_product_without_what_is_excluded():
    cells = parse_study(STUDY).cells()
    assert len(cells) == 3 * 3 * 2 - 3 * 2
    assert cells[0] == {"objective": "squared", "data.contamination.fraction": 0.0, "problem": "line"}
    assert not any(cell["problem"] == "line" and cell["data.contamination.fraction"] > 0 for cell in cells)


def test_a_trend_over_numbers_runs_in_ascending_order():
    claim = parse_study(STUDY).claims[3]
    assert isinstance(claim, Monotone)
    assert claim.levels == (0.0, 0.1, 0.2)


def test_contrasts_say_more_is_better_whichever_way_the_metric_goes():
    study = parse_study(STUDY)
    arms = {"arm": {"objective": "absolute"}, "than": {"objective": "squared"}}
    for metric, name, nothing in (("mae", "squared / absolute", 1.0), ("accuracy", "absolute - squared", 0.0)):
        claim = {"id": "wins", "kind": "better", "metric": metric, **arms}
        [parsed] = parse_study(changed(["claims"], [claim])).claims
        [contrast] = parsed.contrasts(study.metric(metric))
        assert (contrast.name, contrast.low, contrast.high) == (name, nothing, float("inf"))
    [first, second] = study.claims[3].contrasts(study.metric("mae"))
    assert (first.name, second.name) == ("0.1 / 0", "0.2 / 0.1")


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["question"], None, "study lacks 'question'"),
        (["question"], "  ", "expected text"),
        (["metrik"], {}, "study has no key 'metrik'.*Did you mean 'metrics'"),
        (["factors"], ["objective"], "study.factors is .*expected a mapping"),
        (["factors", "objective"], "huber", "study.factors.objective is 'huber'.*expected a list"),
        (["factors", "objective"], [], "empty list"),
        (["factors", "objective"], ["huber", "huber"], "level 'huber' twice"),
        (["factors", "data.contamination.fraction"], [0.1, "0.10"], "twice"),
        (["factors", "objective"], [["a", "b"]], "Give a list or a mapping a name by a bundle"),
        (["factors", "objective"], [float("nan")], "finite number"),
        (["factors", "problem", "line"], {}, "sets nothing"),
        (["factors", "problem", "line"], "line", "expected a mapping"),
        (["factors", "problem", "line", "data"], {"name": "line"}, "write nested keys with dots"),
        (["factors", "problem", "other"], {"network": "linear", "data": "line"}, "line and other set the same values"),
        (["factors", "network"], ["linear", "mlp"], "both set network"),
        (["factors", "seed"], [0, 1], "'seed' is declared 2 times"),
        (["within"], {"objective": ["a"]}, "'objective' is declared 2 times"),
        (["replicate"], {"seed": 0}, "is 0; expected a number of replicates of 1 or more"),
        (["replicate"], {"seed": -3}, "is -3"),
        (["replicate"], {"seed": True}, "is True .bool."),
        (["replicate"], {"seed": 2.5}, "is 2.5"),
        (["replicate"], {"seed": [1, 1]}, "twice"),
        (["replicate"], {"seed": 3, "fold": 2}, "expected one"),
        (["metrics"], {}, "study.metrics is empty"),
        (["metrics", "mae"], {"direction": "minimize"}, "Did you mean 'minimise'"),
        (["metrics", "mae"], {"unit": "m"}, "lacks 'direction'"),
        (["metrics", "mae", "scale"], "logarithm", "expected linear or log"),
        (["metrics", "mae", "worst"], "one", "worst is 'one' .str.; expected a finite number"),
        (["metrics", "mae", "worst"], -3.0, "worst is -3; expected a number above 0"),
        (["metrics", "mae", "units"], "m", "no key 'units'.*Did you mean 'unit'"),
        (["replication"], "freshly", "Did you mean 'fresh'"),
        (["exclude"], [{"objectiv": "huber"}], "study.exclude names 'objectiv'.*Did you mean 'objective'"),
        (["exclude"], [{"fraction": 0.1}], "Did you mean 'data.contamination.fraction'"),
        (["exclude"], [{"objective": "hubber"}], "'hubber' is no level of objective.*Did you mean 'huber'"),
        (["exclude"], [{}], "empty entry"),
        (["exclude"], [{"problem": ["line", "auto_mpg"]}], "removes every cell"),
        (["claims", 1, "id"], "l1-wins", "id 'l1-wins' 2 times"),
        (["claims", 0, "id"], None, "a claim's id"),
        (["claims", 0, "kind"], "beter", "Did you mean 'better'"),
        (["claims", 0, "metric"], "maee", "'maee' is no metric; there are mae, accuracy, bias. Did you mean 'mae'"),
        (["claims", 0, "metric"], "bias", "direction of bias is neither"),
        (["claims", 0, "arm"], {"objective": "absolut"}, "Did you mean 'absolute'"),
        (["claims", 0, "arm"], {"objectives": "absolute"}, "names 'objectives', which is no factor"),
        (["claims", 0, "arm"], {"objective": ["absolute", "huber"]}, "an arm has one"),
        (["claims", 0, "arm"], {}, "is empty"),
        (["claims", 0, "arm"], {"objective": "squared"}, "with itself"),
        (["claims", 0, "arm"], {"problem": "line"}, "same factors"),
        (["claims", 0, "where"], {"objective": "huber"}, "where speaks of objective, which the claim compares"),
        (["claims", 0, "where"], {"data.contamination.fraction": 0.3}, "'0.3' is no level"),
        (["claims", 0, "where"], {"data.contamination.fraction": 0.2, "problem": "line"}, "study.exclude removes them"),
        (["claims", 0, "by"], 0, "must be positive"),
        (["claims", 0, "by"], "much", "expected a finite number"),
        (["claims", 0, "than"], None, "claim 'l1-wins' lacks 'than'"),
        (["claims", 0, "margin"], 2, "claim 'l1-wins' has no key 'margin'"),
        (["claims", 1, "tolerance"], 0, "expected a positive number"),
        (["claims", 2, "levels"], ["huber"], "expected two or more levels"),
        (["claims", 2, "factor"], "objektive", "Did you mean 'objective'"),
        (["claims", 3, "trend"], "up", "expected increasing or decreasing"),
        (
            ["claims", 3],
            {"id": "up", "kind": "monotone", "metric": "mae", "factor": "objective", "trend": "increasing"},
            "objective has the level 'squared', which is no number.*kind: ordered",
        ),
        (
            ["claims", 3],
            {
                "id": "up",
                "kind": "monotone",
                "metric": "mae",
                "factor": "objective",
                "trend": "increasing",
                "levels": ["huber", "squared"],
            },
            "objective has the level 'huber', which is no number",
        ),
    ],
)
def test_a_wrong_declaration_is_told_what_is_expected(path, value, told):
    with pytest.raises(UserError, match=told):
        parse_study(changed(path, value))


def test_narrowing_keeps_the_claims():
    study = parse_study(STUDY)
    narrow = study.narrowed({"objective": ["squared", "cauchy"], "seed": [7], "problem": ["auto_mpg"]})
    assert narrow.claims == study.claims
    assert narrow.replicate.levels == (7,)
    assert len(narrow.cells()) == 2 * 3
    assert narrow.factor("problem").sets("auto_mpg") == study.factor("problem").sets("auto_mpg")
    with pytest.raises(UserError, match="no level of problem"):
        study.narrowed({"problem": ["lines"]})
    with pytest.raises(UserError, match="Did you mean 'objective'"):
        study.narrowed({"objectives": ["squared"]})


def test_a_sweep_without_a_study_becomes_one():
    study = ad_hoc_study({"objective": ["squared", "huber"]}, {"seed": [0, 1, 2]}, [Metric("mae", "minimise")])
    assert len(study.cells()) == 2
    assert study.replicate.levels == (0, 1, 2)
    assert "objective" in study.question
    with pytest.raises(UserError, match="expected one key"):
        ad_hoc_study({"objective": ["squared"]}, {}, [Metric("mae", "minimise")])


def test_a_factor_covers_its_subtree_and_no_more():
    factor = Factor("objective", ("huber",))
    assert factor.covers("objective")
    assert factor.covers("objective.delta")
    assert not factor.covers("objectives")
    assert Factor("scheduler@family.scheduler", ("cosine",)).covers("family.scheduler.steps")


def test_levels_are_compared_by_what_they_mean():
    assert canonical(0.1) == canonical("0.10") == canonical("1e-1")
    assert canonical(True) == canonical("true") != canonical(1)
    assert canonical([0, 0.9]) == canonical((0.0, "0.9"))
    assert canonical(None) == canonical("null")
    assert matches({"a": 1, "b": "x"}, {"a": (1.0, 2)})
    assert not matches({"b": "x"}, {"a": (1,)})
    assert (label(0.1), label(1e-7), label(False), label((1, 2.5))) == ("0.1", "1e-07", "false", "[1,2.5]")


def test_planning_loads_no_library_of_numbers():
    code = (
        "import sys; from paribus.study import structure; "
        "print([name for name in ('torch', 'numpy', 'scipy', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
