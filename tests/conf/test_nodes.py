"""Every file of the config tree against the code that it feeds, in a run of a family that it belongs to."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from paribus.build import check
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.nodes.schema import schema_of
from paribus.nodes.targets import find_target

CONF = Path(__file__).parents[2] / "conf"
FAMILIES = sorted(path.stem for path in (CONF / "family").glob("*.yaml"))
NODES = [
    (folder.name, path.stem)
    for folder in sorted(CONF.iterdir())
    if folder.is_dir() and folder.name != "experiment"
    for path in sorted(folder.glob("*.yaml"))
]
GIVEN = {"path": "data.csv", "target": "y"}
"""What stands for a value that a file leaves to its user."""
COMPOSER = Composer(open_tree())


@cache
def choice_of(words: tuple[str, ...]) -> dict[str, Any]:
    """What is composed of some words, with its interpolations."""
    config = COMPOSER.compose(words)
    return OmegaConf.to_container(OmegaConf.masked_copy(config, [key for key in config if key != "hydra"]))


@cache
def composed(family: str, group: str, choice: str) -> dict[str, Any]:
    """The whole config of a family's usual choices, with one of another group."""
    whole = choice_of((f"family={family}",))
    if group != "family":
        content = yaml.safe_load((CONF / group / f"{choice}.yaml").read_text())
        missing = [f"{group}.{name}={GIVEN[name]}" for name, value in content.items() if value == "???"]
        whole = {**whole, group: choice_of((f"{group}={choice}", *missing))[group]}
    return OmegaConf.to_container(OmegaConf.create(whole), resolve=True)


def config(group: str, choice: str) -> dict[str, Any]:
    """A config with that choice, of the family that it belongs to."""
    return dict(composed(choice if group == "family" else family_of(group, choice), group, choice))


@cache
def family_of(group: str, choice: str) -> str:
    """The first family whose check a choice passes."""
    told = []
    for family in FAMILIES:
        try:
            check(composed(family, group, choice))
        except UserError as error:
            told.append(f"{family}: {error}")
        else:
            return family
    pytest.fail("\n".join(told))


def test_the_tree_is_found():
    found = {
        ("objective", "huber"),
        ("optimizer", "adam"),
        ("data", "line"),
        ("network", "mlp"),
        ("family", "regression"),
    }
    assert found <= set(NODES)


@pytest.mark.parametrize(("group", "choice"), NODES)
def test_a_file_fits_the_signature_of_its_target(group, choice):
    check(config(group, choice))


@pytest.mark.parametrize(("group", "choice"), [each for each in NODES if each[0] not in ("logger", "family")])
def test_a_file_lists_its_keys_and_no_other(group, choice):
    wrong = config(group, choice)
    wrong[group] = {**wrong[group], "a_key_nobody_reads": 1}
    with pytest.raises(UserError, match=rf"^{group}\.a_key_nobody_reads=1: "):
        check(wrong)


@pytest.mark.parametrize(("group", "choice"), [each for each in NODES if each[0] != "logger"])
def test_the_first_line_describes_the_file(group, choice):
    first = (CONF / group / f"{choice}.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")
    assert 5 < len(first) < 100


@pytest.mark.parametrize(("group", "choice"), [each for each in NODES if each[0] == "optimizer"])
def test_an_optimizer_lists_its_learning_rate(group, choice):
    """A foreign target's defaults may stay unsaid, but not the one that every study varies."""
    listed = config(group, choice)[group]
    target = find_target(group, listed["_target_"])
    assert set(listed) - {"_target_", "_partial_"} <= set(schema_of(listed["_target_"], target).arguments)
    assert isinstance(listed["lr"], float)


KINDS = {
    "Regression": "RegressionObjective",
    "Classification": "ClassificationObjective",
    "VAE": "VariationalObjective",
    "Autoencoder": "CodeObjective",
    "Adversarial": "AdversarialObjective",
}
"""How the description of an objective begins, by its kind: `paribus list` imports no code that would say it."""


@pytest.mark.parametrize("path", sorted((CONF / "objective").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_description_of_an_objective_begins_with_what_it_is_for(path):
    kind = path.read_text().splitlines()[0].removeprefix("# ").partition(":")[0]
    target = find_target("objective", yaml.safe_load(path.read_text())["_target_"])
    assert KINDS[kind] in {each.__name__ for each in target.__mro__}
