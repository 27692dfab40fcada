"""Every file of the config tree against the code that it feeds."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from paribus.build import check
from paribus.errors import UserError
from paribus.schema import schema_of
from paribus.targets import find_target

CONF = Path(__file__).parents[2] / "conf"
USUAL = {
    "data": "line",
    "family": "regression",
    "network": "linear",
    "objective": "squared",
    "optimizer": "adam",
    "scheduler": "none",
    "evaluation": "regression",
    "trainer": "cpu",
    "logger": "none",
}
NODES = [
    (group, path.stem) for group in USUAL for path in sorted((CONF / group).glob("*.yaml")) if (CONF / group).is_dir()
]
MANDATORY = {"path": "data.csv", "target": "y"}


@cache
def node(group: str, choice: str) -> Any:
    """A file of a group as Hydra composes it."""
    ConfigStore.instance().store("probe", {})
    with initialize_config_dir(str(CONF), version_base="1.3"):
        tree = OmegaConf.to_container(compose("probe", [f"+{group}={choice}"]))
    return tree.get(group, {})


def config(**choices: str) -> dict[str, Any]:
    """A whole config of the usual choices, changed."""
    nodes = {group: node(group, choice) for group, choice in (USUAL | choices).items()}
    nodes["data"] = {name: MANDATORY[name] if value == "???" else value for name, value in nodes["data"].items()}
    return {"name": "test", "seed": 0, "output": "runs", "rerun": "failed", "study": None} | nodes


def test_the_tree_is_found():
    assert {("objective", "huber"), ("optimizer", "adam"), ("data", "line"), ("network", "mlp")} <= set(NODES)


@pytest.mark.parametrize(("group", "choice"), NODES)
def test_a_file_fits_the_signature_of_its_target(group, choice):
    check(config(**{group: choice}))


@pytest.mark.parametrize(("group", "choice"), [each for each in NODES if each[0] not in ("logger", "family")])
def test_a_file_lists_its_keys_and_no_other(group, choice):
    wrong = config(**{group: choice})
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
    listed = node(group, choice)
    target = find_target(group, listed["_target_"])
    assert set(listed) - {"_target_", "_partial_"} <= set(schema_of(listed["_target_"], target).arguments)
    assert isinstance(listed["lr"], float)
