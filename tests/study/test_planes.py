"""Planes of a declaration: two metrics of the study, and what is said of anything else."""

import json

import pytest

from paribus.errors import UserError
from paribus.study.declaration import declaration, study_of
from paribus.study.factors import Plane
from paribus.study.inference import inferred_study
from paribus.study.parsing import parse_study

DECLARED = {
    "question": "What does beta do?",
    "factors": {"objective.beta": [1.0, 4.0]},
    "replicate": {"seed": 3},
    "metrics": {
        "rate": {"direction": "neither", "unit": "nats"},
        "distortion": {"direction": "minimise", "unit": "nats"},
    },
}


def with_planes(planes):
    return {**DECLARED, "planes": planes}


def test_a_plane_names_two_metrics():
    study = parse_study(with_planes([{"x": "rate", "y": "distortion"}, {"x": "distortion", "y": "rate"}]))
    assert study.planes == (Plane("rate", "distortion"), Plane("distortion", "rate"))
    assert [plane.name for plane in study.planes] == ["rate-distortion", "distortion-rate"]


@pytest.mark.parametrize("planes", [None, [], ()])
def test_a_study_needs_no_plane(planes):
    assert parse_study(DECLARED).planes == parse_study(with_planes(planes)).planes == ()
    assert inferred_study([])[0].planes == ()


@pytest.mark.parametrize(
    ("planes", "told"),
    [
        ([{"x": "rat", "y": "distortion"}], r"study.planes: x: 'rat' is no metric; there are rate, .*mean 'rate'"),
        ([{"x": "rate", "y": "Distortion"}], r"study.planes: y: 'Distortion' is no metric.*Did you mean 'distortion'"),
        ([{"x": "rate", "y": "rate"}], "study.planes: rate against itself is no plane; expected two metrics"),
        ([{"x": "rate"}], "study.planes: an entry lacks 'y'"),
        ([{"x": "rate", "y": "distortion", "z": "elbo"}], "an entry has no key 'z'; it has x, y"),
        ([{"x": ["rate"], "y": "distortion"}], "study.planes: x is .*expected text"),
        ({"x": "rate", "y": "distortion"}, "study.planes is .*expected a list, e.g. .{x: rate, y: distortion}."),
        (["rate"], "study.planes: an entry is 'rate' .*expected a mapping"),
        ([{"x": "rate", "y": "distortion"}] * 2, "study.planes has rate-distortion twice"),
    ],
)
def test_a_wrong_plane_is_told_what_is_expected(planes, told):
    with pytest.raises(UserError, match=told):
        parse_study(with_planes(planes))


def test_planes_outlive_narrowing_and_the_file():
    declared = with_planes([{"x": "rate", "y": "distortion"}])
    run = parse_study(declared).narrowed({"seed": [0]})
    written = json.loads(json.dumps(declaration(declared, run)))
    assert study_of(written).planes == run.planes == (Plane("rate", "distortion"),)
