"""What a narrowed study leaves out, and the claims that it can no longer answer."""

from paribus.study.narrowing import lost_claims, narrowings, notes
from paribus.study.parsing import parse_study

STUDY = {
    "question": "Which?",
    "factors": {"objective": ["squared", "absolute", "huber"], "data.noise": [0.0, 0.5]},
    "within": {"correction": ["none", "mean"]},
    "replicate": {"seed": 10},
    "metrics": {"mae": {"direction": "minimise"}},
    "claims": [
        {"id": "wins", "kind": "better", "metric": "mae", "arm": {"objective": "huber"},
         "than": {"objective": "squared"}, "where": {"data.noise": 0.5, "correction": "none"}},
        {"id": "value", "kind": "within", "metric": "mae", "value": 1, "tolerance": 1,
         "where": {"data.noise": [0.0, 0.5]}},
        {"id": "grows", "kind": "monotone", "metric": "mae", "factor": "data.noise", "trend": "increasing"},
    ],
}  # fmt: skip


def narrowed(**levels):
    return parse_study(STUDY).narrowed({name.replace("__", "."): value for name, value in levels.items()})


def test_the_whole_study_loses_nothing():
    for study in (parse_study(STUDY), narrowed(), narrowed(seed=list(range(10))[::-1])):
        assert narrowings(study) == []
        assert lost_claims(study) == {}
        assert notes(study) == []


def test_fewer_replicates_are_told():
    assert narrowings(narrowed(seed=[0, 1, 2])) == ["3 of the 10 declared levels of seed"]
    assert narrowings(narrowed(seed=[8, 9, 10])) == ["2 of the 10 declared levels of seed and 1 that was not declared"]
    assert notes(narrowed(seed=[0, 1, 2])) == ["the claims are judged from 3 of the 10 declared levels of seed"]


def test_narrowing_twice_tells_what_was_declared():
    study = narrowed(seed=[0, 1, 2]).narrowed({"seed": [0]})
    assert narrowings(study) == ["1 of the 10 declared levels of seed"]
    assert narrowings(study.narrowed({"seed": list(range(10))})) == []


def test_claims_that_lose_a_side_are_lost():
    assert lost_claims(narrowed(objective=["huber", "absolute"])) == {"wins": "objective=squared, data.noise=0.5"}
    assert lost_claims(narrowed(data__noise=[0.5])) == {"grows": "data.noise=0"}
    assert lost_claims(narrowed(data__noise=[0.9])) == {
        "wins": "objective=squared, data.noise=0.5",
        "value": "data.noise=0 or 0.5",
        "grows": "data.noise=0.5",
    }


def test_a_study_without_claims_has_nothing_to_tell():
    study = parse_study({key: value for key, value in STUDY.items() if key != "claims"})
    assert notes(study.narrowed({"seed": [0]})) == []
