"""A study is held to what its evaluation measures before anything is trained."""

import pytest

from paribus.errors import UserError
from paribus.study.offered import Offer, refuse_unmeasured
from paribus.study.parsing import parse_study

OFFER = Offer(["mae", "rmse"], {"correction": ("none", "mean")})
STUDY = {
    "question": "Which?",
    "factors": {"objective": ["squared", "huber"]},
    "within": {"correction": ["none"]},
    "replicate": {"seed": 2},
    "metrics": {"mae": {"direction": "minimise"}},
}


def refuse(offers=(OFFER,), **changes):
    refuse_unmeasured(parse_study({**STUDY, **changes}), offers)


def test_what_is_measured_passes():
    refuse()
    refuse(offers=())
    refuse(offers=(Offer(["rmse"], {}), OFFER))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metrics": {"mea": {"direction": "minimise"}}}, "study.metrics.mea: .* mae, rmse. Did you mean 'mae'"),
        ({"within": {"corection": ["none"]}}, "study.within.corection: .* correction. Did you mean 'correction'"),
        ({"within": {"correction": ["none", "maen"]}}, "study.within.correction is 'maen'.*Did you mean 'mean'"),
        ({"within": {}}, r"declare them: study.within: {correction: \[none, mean\]}"),
    ],
)
def test_what_is_not_measured_is_refused(changes, told):
    with pytest.raises(UserError, match=told):
        refuse(**changes)


def test_a_factor_that_the_evaluation_does_not_have_is_refused():
    with pytest.raises(UserError, match="it has none"):
        refuse(offers=(Offer(["mae"], {}),))


def test_a_study_that_varies_its_evaluation_is_not_held_to_one():
    way = {"a": {"objective": "huber", "evaluation": "x"}, "b": {"objective": "squared", "evaluation": "y"}}
    refuse(factors={"way": way}, metrics={"other": {"direction": "minimise"}})
