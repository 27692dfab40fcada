"""A record finds its level also where no option of a group was chosen."""

import pytest

from paribus.study.inference import inferred_study
from paribus.study.matching import NoLevel, Placer
from paribus.study.records import Row, RunRecord


def record(key, target, option=None):
    choices = {} if option is None else {"objective": option}
    config = {"objective": {"_target_": target}, "seed": 0}
    return RunRecord(key, "scratch", "finished", config, choices, 0, (Row({"mae": 1.0}),))


def test_a_node_without_an_option_is_a_level_of_an_inferred_study():
    chosen, typed = record("a", "paribus.Squared", "squared"), record("b", "paribus.Huber")
    study, _ = inferred_study([chosen, typed])
    placer = Placer(study)
    (factor,) = study.factors
    assert placer.place(chosen)[0] != placer.place(typed)[0]
    assert set(factor.levels) in ({"squared", None}, {"paribus.Squared", "paribus.Huber"})


def test_a_node_without_an_option_is_told_by_its_class():
    chosen, other = record("a", "paribus.Squared", "squared"), record("b", "paribus.Huber", "huber")
    placer = Placer(inferred_study([chosen, other])[0])
    with pytest.raises(NoLevel, match=r"its objective is no option but a paribus\.Huber, which is not among"):
        placer.place(record("c", "paribus.Huber"))
