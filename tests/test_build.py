"""From a config to objects: mistakes are told, parts have streams of their own, nodes are tried once."""

import copy
import json
import sys
import textwrap
import time
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from paribus.build import (
    _check_types,
    _family_on_trial,
    _on_trial,
    build_data,
    build_evaluator,
    build_family,
    build_loggers,
    build_training,
    check,
)
from paribus.errors import UserError
from paribus.networks import Mlp
from paribus.nodes.schema import schema_of
from paribus.nodes.targets import _find
from paribus.streams import stream_seed

CONTAMINATION = {"_target_": "paribus.data.Contamination", "fraction": 0.0, "size": 20.0, "sides": "one"}
CONFIG: dict[str, Any] = {
    "name": "test",
    "seed": 3,
    "output": "runs",
    "data": {
        "_target_": "paribus.data.Line",
        "n_train": 20,
        "n_validation": 5,
        "n_test": 10,
        "slope": 2.0,
        "intercept": 1.0,
        "noise": 0.5,
        "x_low": -3.0,
        "x_high": 3.0,
        "batch_size": 10,
        "contamination": CONTAMINATION | {"placement": "random"},
        "input_scaling": "none",
        "target_scaling": "none",
    },
    "family": {"_target_": "paribus.families.Regression", "input_noise": 0.0},
    "network": {
        "_target_": "paribus.networks.Mlp",
        "hidden": [8, 4],
        "activation": "tanh",
        "normalisation": "none",
        "dropout": 0.0,
    },
    "objective": {"_target_": "paribus.objectives.Huber", "delta": 1.0},
    "optimizer": {
        "_target_": "torch.optim.Adam",
        "_partial_": True,
        "lr": 0.001,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "weight_decay": 0.0,
    },
    "scheduler": {"_target_": "paribus.schedules.Warmup", "steps": 10, "start": 0.0, "final": 0.5},
    "evaluation": {"_target_": "paribus.evaluation.RegressionMetrics"},
    "trainer": {
        "_target_": "paribus.training.Training",
        "max_steps": 10,
        "max_epochs": None,
        "max_minutes": None,
        "validate_every": 5,
        "chunk_steps": 4,
        "clip_norm": None,
        "accelerator": "cpu",
        "devices": 1,
        "compile": False,
        "accumulate": 1,
        "approximate": False,
        "deterministic": False,
        "detect_anomaly": False,
        "precision": "32-true",
        "threads": 1,
        "resume_seconds": 60.0,
        "save_checkpoint": False,
        "patience": None,
    },
    "logger": {"csv": {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "logs"}, "none": None},
    "study": None,
}
CLASSES = {
    "_target_": "paribus.data.Digits",
    "test_fraction": 0.2,
    "validation_fraction": 0.2,
    "batch_size": 10,
    "label_noise": {"_target_": "paribus.data.LabelNoise", "fraction": 0.0, "kind": "symmetric"},
    "input_scaling": "none",
}
CLASSIFIER = {
    "data": CLASSES,
    "family": {"_target_": "paribus.families.Classification"},
    "objective": {"_target_": "paribus.objectives.CrossEntropy"},
    "evaluation": {"_target_": "paribus.evaluation.ClassificationMetrics", "bins": 15},
}
ABSENT = object()


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The config with values at dotted keys set, or taken away where they are `ABSENT`."""
    config = copy.deepcopy(CONFIG)
    for key, value in changes.items():
        *above, last = key.split(".")
        node = config
        for name in above:
            node = node.setdefault(name, {})
        if value is ABSENT:
            del node[last]
        else:
            node[last] = value
    return config


def complaint(config: Any) -> str:
    with pytest.raises(UserError) as caught:
        check(config)
    return str(caught.value)


def test_a_right_config_passes_as_mapping_and_as_omegaconf():
    check(CONFIG)
    check(OmegaConf.create(CONFIG))


def test_a_classifier_passes_with_all_that_belongs_to_it():
    check(changed(CLASSIFIER))
    shifted = {"_target_": "paribus.data.augmentation.ShiftRotate", "max_shift": 1.0, "max_degrees": 5.0}
    check(changed(CLASSIFIER | {"augmentation": shifted}))


STRANGERS = [
    ({"data": CLASSES}, "data is Digits, and the evaluation RegressionMetrics measures Regression on RegressionData"),
    (
        CLASSIFIER | {"family": CONFIG["family"], "objective": CONFIG["objective"]},
        "family is Regression, and the evaluation ClassificationMetrics measures Classification on ClassificationData",
    ),
    (
        CLASSIFIER | {"evaluation": CONFIG["evaluation"]},
        "data is Digits, and the evaluation RegressionMetrics measures Regression on RegressionData",
    ),
    (
        CLASSIFIER | {"objective": CONFIG["objective"]},
        "objective=paribus.objectives.pointwise.Huber: expected a node whose _target_ is of class Classification",
    ),
]


@pytest.mark.parametrize(("changes", "told"), STRANGERS)
def test_parts_that_do_not_belong_together_are_refused(changes, told):
    assert complaint(changed(changes)).startswith(told)


MISTAKES = [
    ({"objective.delta": 0}, "objective.delta=0: delta is 0.0, expected a finite number above 0"),
    ({"objective.delta": "abc"}, "objective.delta=abc: text, expected a number"),
    ({"objective.delta": True}, "objective.delta=true: expected a number"),
    ({"objective.delta": ABSENT}, "objective.delta is missing: paribus.objectives.Huber needs it, expected a number"),
    ({"objective.delt": 1}, "objective.delt=1: paribus.objectives.Huber takes no 'delt'. Did you mean 'delta'?"),
    ({"optimizer.lr": -1}, "optimizer.lr=-1: Invalid learning rate: -1.0, expected a number of at least 0"),
    ({"optimizer.eps": -2.0}, "optimizer.eps=-2.0: Invalid epsilon value: -2.0, expected a number of at least 0"),
    (
        {"optimizer.betas": [0.9, 1.5]},
        "optimizer.betas=[0.9, 1.5]: Invalid beta parameter at index 1: 1.5, expected two numbers, each at least 0 and "
        "below 1",
    ),
    ({"optimizer.weight_decay": -1}, "optimizer.weight_decay=-1: Invalid weight_decay value: -1.0"),
    ({"optimizer.lrr": 1}, "optimizer.lrr=1: torch.optim.Adam takes no 'lrr'. Did you mean 'lr'?"),
    ({"optimizer._partial_": False}, "optimizer.params is missing: torch.optim.Adam needs it"),
    ({"trainer.max_epochs": "abc"}, "trainer.max_epochs=abc: text, expected a whole number or null"),
    ({"trainer.max_steps": 2.7}, "trainer.max_steps=2.7: expected a whole number or null"),
    ({"trainer.max_steps": 0}, "trainer.max_steps=0: max_steps is 0, expected at least 1"),
    (
        {"trainer.precision": "64-tru"},
        "trainer.precision=64-tru: expected '32-true', '64-true', 'bf16-mixed' or '16-mixed'. Did you",
    ),
    ({"network.hidden": [8, "a"]}, "network.hidden=[8, a]: expected a list (each a whole number)"),
    ({"network.hidden": [-8]}, "network.hidden=[-8]: hidden is [-8], expected widths of at least 1"),
    ({"network.in_features": 3}, "network.in_features=3: in_features is filled in by Paribus"),
    (
        {"data.contamination.sides": "bth"},
        "data.contamination.sides=bth: expected 'one' or 'both'. Did you mean 'both'?",
    ),
    ({"data.contamination.fraction": 3}, "data.contamination.fraction=3: fraction is 3.0, expected"),
    ({"data.noise": -1.0}, "data.noise=-1.0: noise is -1.0, expected"),
    ({"data.seed": 3}, "data.seed=3: seed is filled in by Paribus"),
    ({"data.n_train": "???"}, "data.n_train is required: data.n_train=<value>"),
    ({"family.input_noise": -1}, "family.input_noise=-1: input_noise is -1.0, expected"),
    ({"objective._target_": "os.system"}, "objective._target_=os.system: not a target that a config may name"),
    ({"model._target_": "os.system"}, "model._target_=os.system: not a target that a config may name"),
    ({"logger.csv._target_": "os.system"}, "logger.csv._target_=os.system: not a target that a config may name"),
    (
        {"objective._target_": "paribus.objectives.Hubr"},
        "objective._target_=paribus.objectives.Hubr: paribus.objectives",
    ),
    (
        {"objective": CONFIG["network"]},
        "objective=paribus.networks.mlp.Mlp: expected a node whose _target_ is of class",
    ),
    (
        {"data": CONFIG["objective"]},
        "data=paribus.objectives.pointwise.Huber: expected a node whose _target_ is of cla",
    ),
    ({"evaluation": CONFIG["data"]}, "evaluation=paribus.data.synthetic.Line: expected a node whose _target_ is of cl"),
    ({"family": {}}, "family={}: expected a node whose _target_ is of class Family"),
    ({"family": ABSENT}, "family=null: expected a node whose _target_ is of class Family"),
    (
        {"data": {"_target_": "paribus.study.records.write_atomically", "path": "x", "content": "", "durable": True}},
        "data=paribus.study.re",
    ),
    ({"objective": "huber"}, "objective=huber: text, expected a node whose _target_ is of class RegressionObjective"),
    (
        {"objective": None},
        "objective is missing: paribus.families.Regression needs one; choose it with objective=<name>",
    ),
    ({"objective": ABSENT}, "objective is missing: paribus.families.Regression needs one"),
    ({"data": ABSENT}, "data is missing: every run needs it, expected a node whose _target_ is of class InMemoryData"),
    ({"seed": "a"}, "seed=a: text, expected a whole number"),
    ({"seed": 1.5}, "seed=1.5: expected a whole number"),
    ({"name": None}, "name=null: expected text"),
    ({"encoder": CONFIG["network"]}, "encoder: neither a key of a run nor a part of paribus.families.Regression."),
    (
        {"objectve": CONFIG["objective"]},
        "objectve: neither a key of a run nor a part of paribus.families.Regression. Did",
    ),
    ({"logger": []}, "logger=[]: expected a mapping from names to loggers, or null"),
    ({"logger.csv": 3}, "logger.csv=3: expected a node whose _target_ is of class Logger or null"),
    ({"logger.csv.save_dr": "x"}, "logger.csv.save_dr=x: pytorch_lightning.loggers.CSVLogger takes no 'save_dr'. Did"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES, ids=[next(iter(changes)) for changes, _ in MISTAKES])
def test_mistakes_are_told_with_key_value_and_what_is_expected(changes, message):
    told = complaint(changed(changes))
    assert told.startswith(message)
    assert "\n" not in told
    assert complaint(changed(changes)) == told, "the second job of a sweep is told the same"


def test_all_that_is_required_is_told_at_once():
    config = OmegaConf.create(changed({"data.n_train": "???", "data.contamination.size": "???"}))
    assert complaint(config) == (
        "data.n_train, data.contamination.size are required: data.n_train=<value> data.contamination.size=<value>"
    )


def test_an_interpolation_that_leads_nowhere_is_told():
    config = OmegaConf.create(changed({"objective.delta": "${data.nois}"}))
    assert complaint(config) == (
        "objective.delta=${data.nois}: there is no key 'data.nois'. Did you mean 'data.noise'?"
    )


def test_interpolations_are_resolved():
    family = build_family(*with_data(OmegaConf.create(changed({"objective.delta": "${data.noise}"}))))
    assert family.objective.delta.item() == 0.5


KEYS = [
    (*path, name)
    for path, node in [((), CONFIG), *(((key,), CONFIG[key]) for key in CONFIG if isinstance(CONFIG[key], dict))]
    for name in node
    if not name.startswith("_") and (*path, name) not in {("family",), ("csv",), ("logger",), ("study",)}
    if path != ("logger",)
]


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(KEYS), data=st.data())
def test_a_misspelt_key_is_answered_with_the_right_one(key, data):
    *above, name = key
    config = copy.deepcopy(CONFIG)
    node = config[above[0]] if above else config
    place = data.draw(st.integers(0, len(name) - 1))
    kind = data.draw(st.sampled_from(["double", "drop", "replace"] if len(name) > 3 else ["double"]))
    middle = {"double": 2 * name[place], "drop": "", "replace": "q"}[kind]
    misspelt = name[:place] + middle + name[place + 1 :]
    if misspelt in node:
        return
    node[misspelt] = node.pop(name)
    told = complaint(config)
    assert told.startswith(".".join([*above, misspelt]))
    assert told.endswith(f"Did you mean {name!r}?")


# --- what building does


def with_data(config: Any) -> tuple[Any, Any]:
    data = build_data(config)
    data.setup()
    return config, data


def weights(module: torch.nn.Module) -> dict[str, list]:
    return {name: value.tolist() for name, value in module.state_dict().items()}


def test_the_number_typed_is_the_number_used():
    config, data = with_data(changed({"objective.delta": 0.1, "optimizer.lr": 3, "network.hidden": [5]}))
    family = build_family(config, data)
    assert family.objective.delta.item() == 0.1
    optimizer = family.phases[0].optimizer(family.network.parameters())
    assert optimizer.defaults["lr"] == 3
    assert optimizer.defaults["betas"] == (0.9, 0.999)
    assert [len(weight) for name, weight in family.network.named_parameters() if name.endswith("weight")] == [5, 1]
    assert data.sizes() == {"train": 20, "validation": 5, "test": 10}
    assert data.seed == 3
    assert build_training(config).max_steps == 10
    assert type(build_evaluator(config)).__name__ == "RegressionMetrics"
    assert [type(logger).__name__ for logger in build_loggers(config)] == ["CSVLogger"]


def test_loggers_may_be_none():
    assert build_loggers(CONFIG)[0].save_dir == "logs"
    assert build_loggers(changed({"logger": None})) == build_loggers(changed({"logger": ABSENT})) == []


def test_initial_weights_come_from_the_stream_of_the_part():
    family = build_family(*with_data(CONFIG))
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(3, "init", "network"))
        oracle = Mlp(1, 1, [8, 4], "tanh", "none", 0.0)
    assert weights(family.network) == weights(oracle)


def test_another_objective_leaves_the_initial_weights_as_they_are():
    likelihood = {"_target_": "paribus.objectives.GaussianLikelihood", "scale": 1.0, "learn_scale": True}
    huber = build_family(*with_data(CONFIG))
    gaussian = build_family(*with_data(changed({"objective": likelihood})))
    assert any(True for _ in gaussian.objective.parameters())
    assert weights(huber.network) == weights(gaussian.network)


def test_another_seed_has_other_initial_weights_and_zero_is_a_seed():
    drawn = [json.dumps(weights(build_family(*with_data(changed({"seed": seed}))).network)) for seed in (0, 1, 3)]
    assert len(set(drawn)) == 3


def test_checking_and_building_leave_the_global_streams_alone():
    with torch.random.fork_rng():
        torch.manual_seed(2024)
        before = torch.get_rng_state()
        check(changed({"objective.delta": 0.77}))
        assert torch.equal(torch.get_rng_state(), before)
        build_family(*with_data(CONFIG))
        assert torch.equal(torch.get_rng_state(), before)


def test_checking_loads_no_data(monkeypatch):
    monkeypatch.setattr("paribus.data.Line.prepare", lambda self: pytest.fail("data was loaded"))
    check(changed({"data.slope": 1.25}))


OURS = '''
    """Parts of a user's own."""
    import torch
    from torch import nn
    from paribus.families import Regression
    from paribus.networks import Mlp
    from paribus.supplied import Supplied

    made = []

    class Counted(Mlp):
        def __init__(self, in_features: Supplied[int], out_features: Supplied[int], hidden: list[int]) -> None:
            made.append(hidden)
            super().__init__(in_features, out_features, hidden, "relu", "none", 0.0)

    class TwoHeaded(Regression):
        """Takes one part more than its base, and takes it first."""

        def __init__(
            self, head: Supplied[nn.Module], network: Supplied[nn.Module], objective: Supplied[nn.Module],
            optimizer: Supplied[object], scheduler: Supplied[object], in_features: Supplied[int], seed: Supplied[int],
        ) -> None:
            super().__init__(network, objective, optimizer, scheduler, in_features, seed, 0.0)
            self.head = head
            self.own = nn.Parameter(torch.randn(3))

    class Fussy(Regression):
        """Refuses a part for what it is."""

        def __init__(
            self, network: Supplied[nn.Module], objective: Supplied[nn.Module], optimizer: Supplied[object],
            scheduler: Supplied[object], in_features: Supplied[int], seed: Supplied[int],
        ) -> None:
            if not isinstance(network, Counted):
                raise ValueError(f"network is a {type(network).__name__}, expected a Counted")
            super().__init__(network, objective, optimizer, scheduler, in_features, seed, 0.0)

    class Clumsy(Mlp):
        def __init__(self, in_features: Supplied[int], out_features: Supplied[int], width: int) -> None:
            raise RuntimeError("no luck")

    class Log:
        pass
'''


@pytest.fixture
def ours(tmp_path, monkeypatch):
    (tmp_path / "ours_for_build.py").write_text(textwrap.dedent(OURS))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PARIBUS_TARGETS", "ours_for_build")
    import ours_for_build

    yield ours_for_build
    del sys.modules["ours_for_build"]
    # The next test's module of this name has other classes.
    for cache in (_check_types, _on_trial, _family_on_trial, schema_of, _find):
        cache.cache_clear()


def test_one_part_more_leaves_the_others_as_they_were(ours):
    alone = build_family(*with_data(CONFIG))
    config = changed({"family": {"_target_": "ours_for_build.TwoHeaded"}, "head": CONFIG["network"]})
    check(config)
    both = build_family(*with_data(config))
    assert weights(both.network) == weights(alone.network)
    assert weights(both.head) != weights(both.network), "each part has a stream of its own"
    again = build_family(*with_data(config))
    assert torch.equal(both.own, again.own), "the family's own weights are drawn from a stream, too"


def test_a_part_that_a_family_wants_is_missed(ours):
    told = complaint(changed({"family": {"_target_": "ours_for_build.TwoHeaded"}}))
    assert told == "head is missing: ours_for_build.TwoHeaded needs one; choose it with head=<name>"


def test_a_family_may_refuse_a_part(ours):
    told = complaint(changed({"family": {"_target_": "ours_for_build.Fussy"}}))
    assert told == "family: network is a Mlp, expected a Counted"


def test_a_constructor_that_breaks_is_named(ours):
    told = complaint(changed({"network": {"_target_": "ours_for_build.Clumsy", "width": 3}}))
    assert told == "network: ours_for_build.Clumsy cannot be built: RuntimeError: no luck"


def test_each_distinct_node_is_tried_once_and_a_sweep_is_checked_fast(ours):
    jobs = [
        changed({"network": {"_target_": "ours_for_build.Counted", "hidden": [width]}, "seed": seed})
        for seed in range(100)
        for width in (3, 4, 5, 6)
    ]
    for job in jobs[:4]:
        check(job)
    assert ours.made == [[3], [4], [5], [6]]
    begin = time.process_time()
    for job in jobs:
        check(job)
    assert (time.process_time() - begin) / len(jobs) < 1e-3
    assert len(ours.made) == 4


def test_no_constructor_runs_where_any_target_is_refused(ours):
    network = {"_target_": "ours_for_build.Counted", "hidden": [3]}
    complaint(changed({"network": network, "logger.csv._target_": "os.system"}))
    assert ours.made == []


def test_trials_allocate_no_weights(ours):
    check(changed({"network": {"_target_": "ours_for_build.Counted", "hidden": [200_000, 200_000]}}))
    assert ours.made == [[200_000, 200_000]]
