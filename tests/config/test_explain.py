"""Hydra's own exceptions, provoked with small config trees, as one message each."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from yaml import YAMLError

from paribus.config.explain import EXPLAINED, explain, resolved
from paribus.config.tree import conf_dir
from paribus.errors import UserError

TREE = {
    "run.yaml": "defaults: [{objective: huber}, {optimizer: adam}, {experiment: null}, _self_]\nname: test\nseed: 0\n",
    "objective/huber.yaml": "_target_: paribus.objectives.Huber\ndelta: 1.0\n",
    "objective/squared.yaml": "_target_: paribus.objectives.Squared\n",
    "optimizer/adam.yaml": "_target_: torch.optim.Adam\nlr: 0.1\nbetas: [0.9, 0.999]\n",
    "experiment/robust_regression.yaml": "# @package _global_\ndefaults: [{override /objective: squared}]\n",
    "experiment/bad_choice.yaml": "# @package _global_\ndefaults: [{override /objective: sqared}]\n",
    "experiment/misplaced.yaml": "defaults: [{override /objective: squared}]\n",
    "experiment/bad_group.yaml": "# @package _global_\ndefaults: [{override /objectiv: squared}]\n",
    "experiment/bad_yaml.yaml": "name: [1\nb",
}
GROUPS = ("experiment", "objective", "optimizer")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("conf")
    for name, text in TREE.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


def told(tree: Path, *overrides: str) -> str:
    with initialize_config_dir(str(tree), version_base="1.3"), pytest.raises(Exception) as caught:  # noqa: PT011
        resolved(compose("run", list(overrides)))
    if isinstance(caught.value, UserError):
        return str(caught.value)
    assert isinstance(caught.value, (*EXPLAINED, ValueError))
    return str(explain(caught.value, overrides, GROUPS))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimzer.lr=1", "optimzer.lr=1: there is no key 'optimzer'. Did you mean 'optimizer'?"),
        ("objective.delt=1", "objective.delt=1: there is no key 'objective.delt'. Did you mean 'objective.delta'?"),
        ("objectiv=huber", "objectiv=huber: there is no key 'objectiv'. Did you mean 'objective'?"),
        ("experimen=x", "experimen=x: there is no key 'experimen'. Did you mean 'experiment'?"),
        ("sed=1", "sed=1: there is no key 'sed'. Did you mean 'seed'?"),
        ("zzz=1", "zzz=1: there is no key 'zzz'. There are objective, optimizer, name, seed."),
        ("~objectiv", "~objectiv: there is no key 'objectiv'. Did you mean 'objective'?"),
        (
            "optimizer.zzz=1",
            "optimizer.zzz=1: there is no key 'optimizer.zzz'. There are optimizer._target_, optimizer.",
        ),
        ("seed.x=1", "seed.x=1: there is no key 'seed.x'."),
        ("optimizer.betas.7=1", "optimizer.betas.7=1: list index out of range"),
        (
            "objective=hubr",
            "objective=hubr: there is no objective 'hubr'. Did you mean 'huber'? Choices: huber, squared",
        ),
        ("objective=zzz", "objective=zzz: there is no objective 'zzz'. Choices: huber, squared"),
        ("objective=hub/er", "objective=hub/er: there is no objective 'hub/er'. Did you mean 'huber'? Choices: huber"),
        ("+objective=huber", "+objective=huber: objective is chosen already; choose another with objective=<choice>"),
        ("+seed=1", "+seed=1: the key exists; set it with seed=<value>, without +"),
        ("objective=1", "objective=1: a choice of a config group is expected to be a name"),
        (
            "experiment=robus_regression",
            "experiment=robus_regression: there is no experiment 'robus_regression'. Did you mean 'robust_regression'?",
        ),
        ("experiment=bad_choice", "objective=sqared in a defaults list: there is no objective 'sqared'. Did you mean"),
        ("experiment=bad_group", "experiment/bad_group.yaml: there is no config group 'objectiv' to override. Did you"),
        ("experiment=bad_yaml", "a config file is not valid YAML: while parsing a flow sequence in"),
        ("a=[1", "a=[1: cannot be read (no viable alternative at input '[1'); quote a value with special characters"),
        ("name=a(b", "name=a(b: cannot be read"),
        ("seed", "seed: not an override, expected seed=<value>"),
        ("seed=1,2", "seed=1,2: several values, expected one; sweep over them with -m or write a list as [a,b]"),
        ("seed=${sed}", "seed=${sed}: there is no key 'sed'. Did you mean 'seed'?"),
        ("seed=${optimizer.l}", "seed=${optimizer.l}: there is no key 'optimizer.l'. Did you mean 'optimizer.lr'?"),
        ("seed=${nope:1}", "seed: Unsupported interpolation type nope"),
        ("seed=${seed}", "seed: Recursive interpolation detected"),
        ("seed=${oc.env:NOT_A_VARIABLE}", "seed: "),
        ("objective.delta=???", "objective.delta is required: objective.delta=<value>"),
    ],
)
def test_mistakes_on_the_command_line(tree, override, message):
    text = told(tree, override)
    assert text.startswith(message)
    assert "\n" not in text


def test_choices_of_a_group_are_swept_over_and_never_listed(tree):
    said = told(tree, "objective=huber,squared")
    assert said == "objective=huber,squared: several values, expected one; sweep over them with -m"


def test_an_experiment_of_another_package_is_told_its_first_line(tree):
    said = told(tree, "experiment=misplaced")
    assert said.startswith("experiment/misplaced.yaml: ")
    assert said.splitlines()[1:] == ["# @package _global_"]


def test_the_override_at_fault_is_shown_among_others(tree):
    assert told(tree, "seed=3", "optimzer.lr=1", "objective=squared").startswith("optimzer.lr=1: ")


@pytest.mark.parametrize("override", ["penalty.weight=3", "penalty.nothing.of.it=3"])
def test_a_part_that_is_not_chosen_is_told_with_its_choices(tree, override):
    message = f"{override}: no option of the group penalty is chosen: penalty=gradient_penalty or penalty=r1"
    assert told(tree, override) == message


def test_of_many_choices_those_that_have_the_key_are_proposed_and_else_a_few(tree, tmp_path, monkeypatch):
    (tmp_path / "conf/flavour").mkdir(parents=True)
    for choice in "abcdef":
        (tmp_path / f"conf/flavour/{choice}.yaml").write_text("salt: 1" if choice in "ce" else "sugar: 1")
    monkeypatch.chdir(tmp_path)
    start = "no option of the group flavour is chosen: flavour="
    assert told(tree, "flavour.salt=2").endswith(f"{start}c or flavour=e")
    assert told(tree, "flavour.milk=2").endswith(
        f"{start}a or flavour=b or flavour=c or flavour=d (all: paribus list flavour)"
    )


def test_a_group_that_stands_elsewhere_is_chosen_there():
    text = told(conf_dir(), "discriminator_optimizer.lr=1")
    choice = "optimizer@discriminator_optimizer=adagrad"
    assert text.startswith(f"discriminator_optimizer.lr=1: nothing is chosen there: {choice} or ")
    assert told(conf_dir(), "penalty=null").endswith("expected to be a name; ~penalty leaves it out")


def test_a_name_is_not_proposed_for_itself(tree):
    """An experiment is chosen, and its keys lie at the root."""
    text = told(tree, "experiment=robust_regression", "experiment.x=1")
    assert text.startswith("experiment.x=1: there is no key 'experiment'. There are objective, ")


def test_a_missing_value_that_another_refers_to_is_named(tree):
    text = told(tree, "objective.delta=???", "optimizer.lr=${objective.delta}")
    assert text == "objective.delta is required: objective.delta=<value> (optimizer.lr refers to it)"


def test_a_mistake_that_is_told_already_stays_as_it_is():
    mistake = UserError("seed=a: expected a whole number")
    assert explain(mistake) is mistake


@pytest.mark.parametrize("error", [HydraException("something new"), YAMLError("what"), ValueError("odd")])
def test_what_is_not_understood_keeps_its_text(error):
    assert str(error) in str(explain(error))


def test_resolved_gives_plain_values():
    config = OmegaConf.create({"a": 1, "b": "${a}", "c": ["${b}", {"d": None}]})
    assert resolved(config) == {"a": 1, "b": 1, "c": [1, {"d": None}]}
    assert type(resolved(config)) is dict


def test_all_values_that_are_required_are_told_together():
    with pytest.raises(UserError) as caught:
        resolved({"a": "???", "b": {"c": [1, "???"]}, "d": 1})
    assert str(caught.value) == "a, b.c.1 are required: a=<value> b.c.1=<value>"


def test_explaining_needs_no_torch():
    code = "import sys, paribus.config.explain; sys.exit('torch' in sys.modules or 'pytorch_lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
