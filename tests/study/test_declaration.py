"""`study.json` says what a folder is about, and a narrowed run does not shrink it."""

import json

from paribus.study.declaration import COMMAND, declaration, study_of
from paribus.study.expansion import Request, expand
from paribus.study.parsing import parse_study

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


def request(line):
    name, _, text = line.partition("=")
    key = name.lstrip("+~")
    values = tuple(text.split(","))
    return Request(key, values, line, len(values) > 1, name[: len(name) - len(key)])


def commanded(*lines, earlier=None):
    requests = [request(line) for line in lines]
    study, _ = expand(parse_study(DECLARED), requests)
    return json.loads(json.dumps(declaration(DECLARED, study, earlier, requests)))


def test_the_command_of_the_whole_study_is_short():
    assert commanded("experiment=mine")[COMMAND] == ["experiment=mine"]
    assert commanded("experiment=mine", "seed=0,1,2", "rerun=all")[COMMAND] == ["experiment=mine"]


def test_the_command_says_what_was_narrowed_added_and_set():
    words = ["experiment=mine", "name=other", "trainer.max_steps=5", "+optimizer.eps=1,2", "+problem=b", "seed=0,1"]
    assert commanded(*words)[COMMAND] == [
        "experiment=mine", "name=other", "trainer.max_steps=5", "problem=b", "+optimizer.eps='1','2'", "seed='0','1'"
    ]  # fmt: skip


def test_the_command_covers_what_ran_before():
    first = commanded("experiment=mine", "seed=0")
    assert first[COMMAND] == ["experiment=mine", "seed='0'"]
    both = commanded("experiment=mine", "seed=1,7", earlier=first)
    assert both[COMMAND] == ["experiment=mine", "seed='0','1','7'"]
    assert commanded("experiment=mine", earlier=first)[COMMAND] == ["experiment=mine"]
