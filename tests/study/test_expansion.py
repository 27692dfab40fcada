import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from paribus.errors import UserError
from paribus.study.expansion import Request, expand, written
from paribus.study.parsing import parse_study

STUDY = parse_study(
    {
        "question": "Which loss survives outliers?",
        "factors": {
            "objective": ["squared", "huber"],
            "data.fraction": [0.0, 0.2],
            "problem": {
                "line": {"data": "line", "network": "linear"},
                "wave": {"data": "wave", "network": "mlp", "trainer.max_steps": 80},
            },
        },
        "exclude": [{"problem": "wave", "data.fraction": 0.2}],
        "replicate": {"seed": 3},
        "metrics": {"mae": {"direction": "minimise"}},
    }
)


def one(key, value, prefix=""):
    return Request(key, (value,), f"{prefix}{key}={value}", prefix=prefix)


def sweep(key, *values, prefix=""):
    return Request(key, values, f"{prefix}{key}={','.join(map(str, values))}", True, prefix)


def test_every_arm_comes_before_the_next_replicate():
    _, jobs = expand(STUDY, [])
    assert len(jobs) == 6 * 3
    assert [job.replicate for job in jobs] == [0] * 6 + [1] * 6 + [2] * 6
    assert jobs[1].overrides == ("objective=squared", "data.fraction=0.0", "data=wave", "network=mlp",
                                 "trainer.max_steps=80", "seed=0")  # fmt: skip
    assert {tuple(job.levels.values()) for job in jobs} == {
        (objective, fraction, problem)
        for objective in ("squared", "huber")
        for fraction in (0.0, 0.2)
        for problem in ("line", "wave")
        if (fraction, problem) != (0.2, "wave")
    }


@pytest.mark.parametrize(
    ("requests", "count", "levels"),
    [
        ([one("objective", "huber")], 9, {"objective": {"huber"}}),
        ([one("objective", "cauchy")], 9, {"objective": {"cauchy"}}),
        ([sweep("objective", "squared", "cauchy")], 18, {"objective": {"squared", "cauchy"}}),
        ([one("seed", 7)], 6, {"seed": {7}}),
        ([sweep("seed", 0, 1)], 12, {"seed": {0, 1}}),
        ([one("problem", "line")], 12, {"problem": {"line"}}),
        ([one("problem", "line", prefix="+")], 12, {"problem": {"line"}}),
        ([one("problem", "wave"), one("seed", 0)], 2, {"data.fraction": {0.0}}),
        ([one("objective", "squared"), one("objective", "huber")], 9, {"objective": {"huber"}}),
        ([sweep("optimizer.lr", 0.1, 0.01)], 36, {"optimizer.lr": {0.1, 0.01}}),
    ],
)
def test_the_command_line_narrows(requests, count, levels):
    study, jobs = expand(STUDY, requests)
    assert len(jobs) == count
    for name, expected in levels.items():
        got = {job.replicate if name == "seed" else job.levels[name] for job in jobs}
        assert got == expected
    assert {factor.name for factor in study.factors} == set(jobs[0].levels)


def test_a_single_value_of_another_key_holds_for_all_jobs():
    study, jobs = expand(STUDY, [one("optimizer.lr", 0.1), one("extra", 1, prefix="+")])
    assert all(job.overrides[:2] == ("optimizer.lr=0.1", "+extra=1") for job in jobs)
    assert study.factors == STUDY.factors


def test_a_sweep_that_adds_a_key_keeps_its_plus():
    _, jobs = expand(STUDY, [sweep("extra", 1, 2, prefix="+")])
    assert {job.overrides[-2] for job in jobs} == {"+extra=1", "+extra=2"}
    assert jobs[0].levels["extra"] == 1


def test_without_a_study_the_sweep_is_one():
    study, jobs = expand(None, [sweep("objective", "squared", "huber"), sweep("seed", 3, 4), one("data", "wave")])
    assert [job.overrides for job in jobs[:2]] == [
        ("data=wave", "objective=squared", "seed=3"),
        ("data=wave", "objective=huber", "seed=3"),
    ]
    assert len(jobs) == 4
    assert [factor.name for factor in study.factors] == ["objective"]
    assert study.replicate.levels == (3, 4)
    assert "objective" in study.question


def test_without_a_study_and_a_seed_the_configs_own_is_used():
    _, jobs = expand(None, [sweep("objective", "squared", "huber")], seed=5)
    assert [job.replicate for job in jobs] == [5, 5]


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        (
            [sweep("experiment", "a", "b")],
            r"(?s)experiment=a,b.*\n  paribus run experiment=a\n  paribus run experiment=b",
        ),
        ([Request("seed", (), "seed=range(0,0)", True)], r"seed=range\(0,0\)"),
        ([one("objective", "")], "objective= names no value"),
        ([Request("objective", ((),), "objective=[]")], r"objective=\[\]"),
        ([one("problem", "wawe")], "wave"),
        ([one("network", "mlp")], "problem"),
        ([sweep("trainer.max_steps", 1, 2)], "problem=line,wave"),
        ([one("problem", "wave"), one("data.fraction", 0.2)], "exclude"),
        ([sweep("optimizer.betas", (0.9, 0.99), (0.5, 0.9))], "bundle"),
        ([sweep("seed", 0, 0)], "seed"),
    ],
)
def test_what_cannot_be_run_is_refused(requests, words):
    with pytest.raises(UserError, match=words):
        expand(STUDY, requests)


SETTINGS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | st.text("ab '\"\\,=[]{}:$%0.e-+#~\t é"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)


def same(left, right):
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return isinstance(right, dict) and left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return type(left) is type(right) and left == right


@given(SETTINGS)
def test_a_written_value_is_read_back_as_it_was(value):
    assert same(value, OverridesParser.create().parse_override(f"key={written(value)}").value())


@pytest.mark.parametrize(
    "value", ["true", "NULL", "nan", "Inf", "1e3", "12", "a b", "it's", "C:\\", "\\'", "${seed}", "café", ""]
)
def test_text_that_looks_like_something_else_stays_text(value):
    assert OverridesParser.create().parse_override(f"key={written(value)}").value() == value


def test_names_are_written_plainly():
    assert written("auto_mpg") == "auto_mpg"
    assert written(("a", 1, 0.5, None, True)) == "[a,1,0.5,null,true]"
