"""The only place that turns a config into objects: it checks the whole tree, then builds it part by part.

Each part draws its initial weights from a stream of its own, `init/<part>`: another objective, or one part more, leaves
the weights of the others as they were.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from paribus.config.explain import resolved
from paribus.config.settings import check_settings
from paribus.config.tree import config_groups
from paribus.data.contract import InMemoryData
from paribus.errors import UserError, nearest
from paribus.evaluation.contract import Demanding, Evaluator
from paribus.families.contract import Family
from paribus.nodes.assemble import assemble
from paribus.nodes.fitting import check_fit, check_part
from paribus.nodes.hints import expected, show
from paribus.nodes.schema import TARGET, Argument, check_value, convert, split_node
from paribus.streams import stream_seed
from paribus.training import Training

Config = DictConfig | Mapping[str, Any]

SETTINGS = {"name": str, "seed": int, "output": str}
"""Root keys that are values."""
NODES = {"data": InMemoryData, "family": Family, "evaluation": Evaluator, "trainer": Training}
"""Root keys that are nodes, besides the parts that the family takes, and what they build."""
OTHERS = ("logger", "study", "rerun")
"""Root keys that a run may lack: loggers by name, the study that a sweep is expanded from, what is run again."""
STAND_INS = {
    "seed": 0,
    "in_features": 784,
    "in_shape": (1, 28, 28),
    "out_features": 1,
    "out_shape": (1, 28, 28),
    "examples": 1000,
}
"""What data tells the parts; these values serve to build them on trial."""


def check(config: Config) -> None:
    """Refuse a config that would not build, before anything is loaded or trained.

    Names, types and targets are checked against signatures; then each distinct node is built once on the meta device,
    so that constructors judge the ranges. Data is constructed but not loaded; loggers are not built.

    Raises:
        UserError: the first mistake, with its full key, what was given and what is expected.
    """
    tree = resolved(config)
    contents = {key: _canonical(value) for key, value in tree.items() if key not in ("study", "rerun")}
    # All names and types first: no constructor runs in a config that names a target which is not allowed.
    children = {key: _check_types(key, content) for key, content in contents.items()}
    _check_root(tree, children)
    facts = tuple(STAND_INS.items())
    data, evaluator, _ = (_on_trial(key, contents[key], facts) for key in ("data", "evaluation", "trainer"))
    family = _family_on_trial(contents["family"], tuple((part, contents[part]) for part in _parts(tree)))
    check_fit(data, family, evaluator)


def build_data(config: Config) -> InMemoryData:
    """The data of a config, not yet loaded."""
    tree = resolved(config)
    return assemble("data", tree["data"], {"seed": tree["seed"]})


def build_family(config: Config, data: InMemoryData) -> Family:
    """The family of a config, of parts that fit data that is set up."""
    tree = resolved(config)
    facts = {"seed": tree["seed"], **data.facts()}
    told = _family_class(tree["family"]).told
    parts: dict[str, Any] = {}
    for part in _parts(tree):
        with _initial_weights(tree["seed"], part):
            parts[part] = assemble(part, tree[part], told(part, facts, parts))
    with _initial_weights(tree["seed"], "family"):
        family = assemble("family", tree["family"], facts | parts)
    family.accept(data)
    return family


def build_evaluator(config: Config, data: InMemoryData | None = None) -> Evaluator:
    """What measures the trained family; of `data` that is set up, where it is at hand and can be refused."""
    tree = resolved(config)
    evaluator: Evaluator = assemble("evaluation", tree["evaluation"], {"seed": tree["seed"]})
    if data is not None and isinstance(evaluator, Demanding):
        evaluator.accept(data)
    return evaluator


def build_training(config: Config) -> Training:
    """The budget and the trainer's settings."""
    return assemble("trainer", resolved(config)["trainer"], {})


def build_loggers(config: Config, **context: Any) -> list[Logger]:
    """The loggers that are not null. `context`: values for their arguments that are `Supplied`, by name."""
    loggers = resolved(config).get("logger") or {}
    return [assemble(f"logger.{name}", node, context) for name, node in loggers.items() if node is not None]


@contextmanager
def _initial_weights(seed: int, part: str) -> Iterator[None]:
    """Let the global stream of the CPU be the part's own, and give it back as it was."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would also move the streams of every GPU.
        torch.default_generator.manual_seed(stream_seed(seed, "init", part))
        yield


def _parts(tree: Mapping[str, Any]) -> list[str]:
    """The root keys that are parts of the family, in the order in which its constructor takes them."""
    return [name for name in _wanted(tree) if tree.get(name) is not None]


def _wanted(tree: Mapping[str, Any]) -> dict[str, Argument]:
    """The parts that the family's constructor wants to be supplied with."""
    arguments = split_node("family", tree["family"])[0].arguments
    return {name: each for name, each in arguments.items() if each.supplied and name not in STAND_INS}


def _family_class(node: Mapping[str, Any]) -> type[Family]:
    """The class that a family's node names."""
    return split_node("family", node)[1]  # type: ignore[return-value]  # that it is one was checked


def _check_root(tree: Mapping[str, Any], children: Mapping[str, Any]) -> None:
    """Check the keys at the root, and that the node of each builds what it should.

    Args:
        tree: the config.
        children: the config with a `Child` in the place of each node.
    """
    # The family first: which other keys there may be depends on it.
    convert("family", children.get("family"), Family)
    family, parts = tree["family"][TARGET], _wanted(tree)
    known = [*SETTINGS, *NODES, *OTHERS, *parts]
    for key, value in tree.items():
        if key not in known and value is not None:
            has = f" It has {', '.join(parts)}." if key in config_groups() else nearest(key, known)
            raise UserError(f"{key}: neither a key of a run nor a part of {family}.{has}")
    for key, hint in (SETTINGS | NODES).items():
        if key not in tree:
            raise UserError(f"{key} is missing: every run needs it, expected {expected(hint)}")
        convert(key, children[key], hint)
    check_settings(tree)
    for part, argument in parts.items():
        if tree.get(part) is not None:
            check_part(part, children[part], argument.hint)
        elif argument.required:
            raise UserError(f"{part} is missing: {family} needs one; choose it with {part}=<name>")
    loggers = children.get("logger")
    if not isinstance(loggers, Mapping | None):
        raise UserError(f"logger={show(loggers)}: expected a mapping from names to loggers, or null")
    for name, logger in (loggers or {}).items():
        convert(f"logger.{name}", logger, Logger | None)


def _canonical(value: Any) -> str:
    """A value of the config as a text that equal values share."""
    return json.dumps(value, sort_keys=True, default=str)


@lru_cache(maxsize=4096)
def _check_types(key: str, content: str) -> Any:
    return check_value(key, json.loads(content))


@lru_cache(maxsize=4096)
def _on_trial(key: str, content: str, facts: tuple[tuple[str, Any], ...]) -> Any:
    """Build a node without memory for its weights, for its constructor to refuse what is out of range."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return assemble(key, json.loads(content), dict(facts))


@lru_cache(maxsize=4096)
def _family_on_trial(content: str, parts: tuple[tuple[str, str], ...]) -> Family:
    told = _family_class(json.loads(content)).told
    built: dict[str, Any] = {}
    for key, each in parts:
        built[key] = _on_trial(key, each, tuple(told(key, STAND_INS, built).items()))
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return assemble("family", json.loads(content), STAND_INS | built)
