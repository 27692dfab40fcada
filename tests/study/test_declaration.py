"""`study.json` says what a folder is about, and a narrowed run does not shrink it."""

import json

from paribus.study.declaration import declaration, study_of
from paribus.study.structure import parse_study

DECLARED = {
    "question": "Which?",
    "factors": {"objective": ["squared", "huber"], "problem": {"a": {"data": "line"}, "b": {"data": "sine"}}},
    "replicate": {"seed": 3},
    "metrics": {"mae": {"direction": "minimise"}},
}


def narrowed(**levels):
    return parse_study(DECLARED).narrowed(levels)


def levels(study):
    return {factor.name: factor.levels for factor in study.factors} | {study.replicate.key: study.replicate.levels}


def test_it_is_read_back_as_it_was_run():
    written = json.loads(json.dumps(declaration(DECLARED, narrowed(seed=[0], objective=["huber", "asymmetric"]))))
    assert levels(study_of(written)) == {"objective": ("huber", "asymmetric"), "problem": ("a", "b"), "seed": (0,)}


def test_a_narrowed_run_adds_to_what_was_run_before():
    whole = json.loads(json.dumps(declaration(DECLARED, narrowed())))
    after = json.loads(json.dumps(declaration(DECLARED, narrowed(seed=[7], problem=["b"]), whole)))
    assert levels(study_of(after)) == {"objective": ("squared", "huber"), "problem": ("a", "b"), "seed": (0, 1, 2, 7)}


def test_another_declaration_starts_anew():
    other = {**declaration(DECLARED, narrowed()), "question": "Another?"}
    after = declaration(DECLARED, narrowed(seed=[7]), other)
    assert levels(study_of(after))["seed"] == (7,)
