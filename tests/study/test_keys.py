import copy

import pytest

from paribus.study.keys import NOT_TRAINING, evaluation_key, flat, is_below, train_key

CONFIG = {
    "name": "a",
    "output": "runs",
    "study": {"question": "?"},
    "rerun": "failed",
    "logger": {},
    "evaluation": {"_target_": "E", "bins": 10},
    "seed": 0,
    "data": {"_target_": "D", "fraction": 0.0, "columns": ["a", {"b": 1.0}]},
    "trainer": {"max_steps": 100, "save_checkpoint": False, "resume_seconds": 60.0, "max_minutes": None},
    "scheduler": None,
}


def changed(key, value):
    config = copy.deepcopy(CONFIG)
    node = config
    *above, last = key.split(".")
    for name in above:
        node = node[name]
    node[last] = value
    return config


def test_the_key_is_stable():
    assert train_key(CONFIG) == train_key(dict(reversed(CONFIG.items())))
    assert len(train_key(CONFIG)) == 12


@pytest.mark.parametrize("key", NOT_TRAINING)
def test_what_training_does_not_read_leaves_the_key(key):
    assert train_key(changed(key, "other")) == train_key(CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("data.fraction", 0.1),
        ("data._target_", "Other"),
        ("data.columns", ["a", {"b": 2.0}]),
        ("trainer.max_steps", 101),
        ("scheduler", {"steps": 1}),
        ("family", "new"),
    ],
)
def test_what_training_reads_changes_the_key(key, value):
    assert train_key(changed(key, value)) != train_key(CONFIG)


@pytest.mark.parametrize(("key", "value"), [("data.fraction", 0), ("seed", 0.0), ("data.columns", ["a", {"b": 1}])])
def test_a_number_is_the_same_however_it_is_written(key, value):
    assert train_key(changed(key, value)) == train_key(CONFIG)


@pytest.mark.parametrize("value", ["0", False, None])
def test_other_types_are_not_the_same(value):
    assert train_key(changed("seed", value)) != train_key(CONFIG)


def test_an_evaluation_is_told_apart_by_run_and_node():
    keys = {evaluation_key(train, {"_target_": "E", "bins": bins}) for train in "ab" for bins in (10, 20)}
    assert len(keys) == 4
    assert evaluation_key("a", {"bins": 10.0}) == evaluation_key("a", {"bins": 10})


def test_leaves_and_subtrees():
    assert flat({"a": {"b": 1, "c": {"d": [1]}}, "e": {}, "f": None}) == {"a.b": 1, "a.c.d": [1], "e": {}, "f": None}
    assert is_below("a.b", ("a",))
    assert is_below("a", ("a",))
    assert not is_below("ab.c", ("a",))
