import copy
import time
from dataclasses import replace

import pytest

from paribus.errors import UserError
from paribus.study.confounds import check_records, find_confounds, refuse_confounds
from paribus.study.inference import inferred_study
from paribus.study.keys import flat
from paribus.study.parsing import parse_study
from paribus.study.records import RunRecord

STUDY = parse_study(
    {
        "question": "?",
        "factors": {
            "objective": ["squared", "huber"],
            "problem": {
                "line": {"data": "line", "trainer.max_steps": 10},
                "wave": {"data": "wave", "trainer.max_steps": 20},
            },
        },
        "replicate": {"seed": 2},
        "metrics": {"mae": {"direction": "minimise"}},
    }
)


def config(objective="squared", problem="line", seed=0, **others):
    made = {
        "name": f"{objective}-{problem}",
        "seed": seed,
        "objective": {"_target_": objective, **({"delta": 1.0} if objective == "huber" else {})},
        "data": {"_target_": problem, "batch_size": 16},
        "network": {"hidden": [8, 8], "width": "${data.batch_size}"},
        "optimizer": {"lr": 0.1, "betas": [0.9, 0.99]},
        "evaluation": {"bins": 10},
        "trainer": {"max_steps": 10 if problem == "line" else 20, "precision": "32-true"},
        "scheduler": None,
    }
    for key, value in others.items():
        node = made
        *above, last = key.split("__")
        for name in above:
            node = node[name]
        node[last] = value
    return made


def jobs():
    return [config(o, p, s) for s in (0, 1) for o in ("squared", "huber") for p in ("line", "wave")]


def refuse(configs):
    names = [f"objective={c['objective']['_target_']}, seed={c['seed']}" for c in configs]
    refuse_confounds(STUDY, names, configs)


def test_what_the_study_varies_is_no_confound():
    refuse(jobs())


@pytest.mark.parametrize(
    ("change", "key", "values"),
    [
        ({"optimizer__lr": 0.2}, "optimizer.lr", ["0.1", "0.2"]),
        ({"network__hidden": [8, 9]}, "network.hidden", ["[8,8]", "[8,9]"]),
        ({"network__bias": True}, "network.bias", ["(absent)", "true"]),
        ({"scheduler": {"steps": 3}}, "scheduler.steps", ["(absent)", "3"]),
        ({"trainer__precision": "64-true"}, "trainer.precision", ["'32-true'", "'64-true'"]),
        ({"evaluation__bins": 20}, "evaluation.bins", ["10", "20"]),
        ({"network__width": "${data.other}"}, "network.width", ["'${data.batch_size}'", "'${data.other}'"]),
        ({"optimizer__lr": "0.1x"}, "optimizer.lr", ["0.1", "'0.1x'"]),
    ],
)
def test_a_planted_confound_is_named_with_values_and_jobs(change, key, values):
    configs = jobs()
    configs[2] = config("huber", "line", 0, **change)
    with pytest.raises(UserError) as caught:
        refuse(configs)
    text = str(caught.value)
    assert f"{key}={values[0]} in 7 of 8, such as job (objective=squared, seed=0)" in text
    assert f"{key}={values[1]} in 1 of 8, such as job (objective=huber, seed=0)" in text
    assert "study.factors" in text
    assert "bundle" in text
    assert f"{{objective: squared, {key.partition('.')[0]}" in text


def test_many_confounds_are_summed_up():
    configs = jobs()
    configs[0]["network"] = {f"a{i}": i for i in range(10)}
    with pytest.raises(UserError, match="more: ") as caught:
        refuse(configs)
    assert str(caught.value).count(" in 1 of 8") == 4


def test_a_declared_factor_or_bundle_lifts_the_refusal():
    configs = jobs()
    for each in configs:
        each["optimizer"]["lr"] = 0.1 if each["objective"]["_target_"] == "squared" else 0.2
    with pytest.raises(UserError):
        refuse(configs)
    node = {
        "question": "?",
        "factors": {
            "method": {
                "a": {"objective": "squared", "optimizer.lr": 0.1},
                "b": {"objective": "huber", "optimizer.lr": 0.2},
            },
            "data": ["line", "wave"],
            "trainer.max_steps": [10, 20],
        },
        "replicate": {"seed": 2},
        "metrics": {"mae": {"direction": "minimise"}},
    }
    refuse_confounds(parse_study(node), [""] * 8, configs)


def test_a_factor_covers_no_sibling():
    study = parse_study(
        {"question": "?", "factors": {"data.batch": [1, 2]}, "replicate": {"seed": 1},
         "metrics": {"m": {"direction": "minimise"}}}
    )  # fmt: skip
    configs = [{"data": {"batch": i, "batch_size": i}} for i in (1, 2)]
    assert [each.key for each in find_confounds(study, [flat(c) for c in configs])] == ["data.batch_size"]


def test_numbers_that_are_written_differently_are_equal():
    configs = jobs()
    configs[1]["optimizer"]["lr"] = float("0.10")
    configs[2]["evaluation"]["bins"] = 10.0
    refuse(configs)


def record(resolved):
    return RunRecord(f"key{id(resolved)}", "mixed", "finished", resolved, {}, resolved["seed"])


def resolved(objective, problem, seed, width):
    return config(objective, problem, seed, network__width=width)


def test_records_may_hold_what_was_derived_from_a_factor():
    records = [
        record(config("squared", p, 0, data__batch_size=b, network__width=b)) for p, b in [("line", 8), ("wave", 16)]
    ]
    check_records(STUDY, records)


def test_records_with_a_confound_are_refused():
    records = [record(each) for each in jobs()]
    check_records(STUDY, records)
    other = copy.deepcopy(records[0].config)
    other["optimizer"]["lr"] = 0.7
    with pytest.raises(UserError, match=r"optimizer.lr=0.7 in 1 of 9, such as run key"):
        check_records(STUDY, [*records, record(other)])


def test_one_record_or_none_has_nothing_to_differ_from():
    check_records(STUDY, [])
    check_records(STUDY, [record(config())])


def test_a_thousand_jobs_take_less_than_a_second():
    configs = []
    for seed in range(1000):
        each = config(seed=seed)
        each["large"] = {f"group{i}": {f"leaf{j}": f"text {i} {j}" for j in range(15)} for i in range(10)}
        configs.append(each)
    begin = time.process_time()
    refuse(configs)
    assert time.process_time() - begin < 1


def test_runs_on_two_versions_of_a_file_do_not_compare():
    def read(content, seed):
        made = record(config(seed=seed))
        return replace(
            made, key=f"{content}{seed}", provenance={"files": {"t.csv": [9, content], "u.csv": [1, "same"]}}
        )

    check_records(STUDY, [read("aa", 0), read("aa", 1), record(config("huber"))])
    with pytest.raises(UserError, match=r"t.csv has changed.*2 read one such as run aa0, 1 read one such as run bb2"):
        check_records(STUDY, [read("aa", 0), read("aa", 1), read("bb", 2)])
    assert inferred_study([read("aa", 0), read("aa", 1)])[1] == ()
    assert "t.csv has changed" in inferred_study([read("aa", 0), read("bb", 1)])[1][0]
